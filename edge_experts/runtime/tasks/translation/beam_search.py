"""Beam search with two functions: `encode` a source, and `step` to the next token.

The keys and values of earlier tokens are arrays here, so that the model file has no state. All
beams are rows of one step; with one beam the search is greedy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import NamedTuple

import numpy as np

from ....features.pieces import END, FIRST_TARGET, HIDDEN, PADDING, UNKNOWN

ENCODE, STEP, KEYS_VALUES = "encode", "step", ("keys", "values")
_NEVER = -1e9
_MORE, _TIMES = 10, 2  # limit of an answer: twice the length of its source, and ten tokens more

Arrays = Mapping[str, np.ndarray]
Functions = Callable[[str, Arrays], Arrays]


class Text(NamedTuple):
    """Generated tokens of one answer.

    Attributes:
        pieces: token ids, with the end token if it was generated, (tokens,) int32.
        log_probabilities: log probabilities of the tokens, (tokens,) float32.
        first_ns: time until the first token was chosen.
    """

    pieces: np.ndarray
    log_probabilities: np.ndarray
    first_ns: int


def no_text(targets: int) -> list[int]:
    """Return the tokens that no answer contains: padding, and the names of targets."""
    return [PADDING, UNKNOWN, *range(FIRST_TARGET, FIRST_TARGET + targets)]


def write(
    functions: Functions,
    arrays: Arrays,
    past: tuple[int, ...],
    never: list[int],
    *,
    most: int | None = None,
) -> Text:
    """Generate an answer: the finished beam with the highest mean of `log_probabilities`.

    Args:
        functions: runs `encode` or `step`, by name, on named arrays.
        arrays: result of `PieceFeatures` for an example.
        past: shape of a step's keys and values: (beams, heads, max tokens, width).
        never: tokens that no answer contains.
        most: limit in tokens; by default it depends on the length of the source.
    """
    start, first_ns = perf_counter_ns(), 0
    memory = functions(ENCODE, {"source": arrays["source"], "mask": arrays["mask"]})
    given = {
        "mask": arrays["mask"],
        "memory_keys": memory["keys"],
        "memory_values": memory["values"],
    }
    length = int(np.count_nonzero(arrays["source"] != PADDING))
    most = min(past[2], most or _TIMES * length + _MORE)
    beams = _Beams(past, FIRST_TARGET + int(arrays["target"][0]))
    for position in range(most):
        made = functions(STEP, {**beams.inputs(position), **given})
        beams.remember(position, made)
        done = beams.go_on(_log_softmax(made["logits"], never))
        first_ns = first_ns or perf_counter_ns() - start
        if done:
            break
    written = beams.best()
    return Text(written[:, 0].astype(np.int32), written[:, 1], first_ns)


class _Beams:
    """Active beams, the most probable first, and the finished answers.

    Attributes of each beam are rows: its score, and its tokens with their log probabilities,
    (beams, tokens, 2).
    """

    def __init__(self, past: tuple[int, ...], first: int):
        self._past = [np.zeros(past, np.float32) for _ in KEYS_VALUES]
        self._hidden = np.full((1, 1, 1, past[2]), HIDDEN, np.float32)
        self._last = np.full((past[0], 1), first, np.int32)
        self._scores = np.full(past[0], _NEVER)
        self._scores[0] = 0.0  # all beams are the same before the first token
        self._written = np.zeros((past[0], 0, 2), np.float32)
        self._done: list[tuple[float, np.ndarray]] = []

    def inputs(self, position: int) -> dict[str, np.ndarray]:
        """Return the inputs of a step, beside the source."""
        return {
            "piece": self._last,
            "position": np.array([position], np.int32),
            "past_keys": self._past[0],
            "past_values": self._past[1],
            "past_mask": self._hidden,
        }

    def remember(self, position: int, made: Arrays) -> None:
        """Store a step's keys and values."""
        for past, name in zip(self._past, KEYS_VALUES, strict=True):
            past[:, :, position] = made[name][:, :, 0]
        self._hidden[..., position] = 0.0

    def go_on(self, log_probabilities: np.ndarray) -> bool:
        """Extend the most probable beams by one token; return True if enough beams are finished.

        Args:
            log_probabilities: log probabilities of the next token, (beams, tokens).
        """
        totals = self._scores[:, None] + log_probabilities
        count = len(self._scores)
        # Twice the number of beams, because as many may have finished. A beam that ends but is not
        # among the first would not have been followed either.
        rows, pieces = _largest(totals, 2 * count)
        for row in rows[:count][pieces[:count] == END]:
            if totals[row, END] > _NEVER / 2:
                end = np.array([[END, log_probabilities[row, END]]], np.float32)
                answer = np.concatenate([self._written[row], end])
                self._done.append((float(totals[row, END]) / len(answer), answer))
        if len(self._done) >= count:
            return True
        rows, pieces = rows[pieces != END][:count], pieces[pieces != END][:count]
        new = np.stack([pieces, log_probabilities[rows, pieces]], axis=1)[:, None].astype(
            np.float32
        )
        self._written = np.concatenate([self._written[rows], new], axis=1)
        self._scores, self._last = totals[rows, pieces], pieces[:, None].astype(np.int32)
        if count > 1:
            self._past = [past[rows] for past in self._past]
        return False

    def best(self) -> np.ndarray:
        """Return the best finished answer, (tokens, 2), or else the most probable active beam."""
        if not self._done:
            beginning: np.ndarray = self._written[0]
            return beginning
        _, best = max(self._done, key=lambda one: one[0])
        return best


def _largest(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the largest values, in descending order; ties stay in order."""
    # Repeated maxima: faster than sorting for so few, and fewer parts of numpy are loaded.
    left, places = values.flatten(), []
    for _ in range(count):
        place = int(left.argmax())
        left[place] = -np.inf
        places.append(divmod(place, values.shape[1]))
    rows, columns = np.array(places).T
    return rows, columns


def _log_softmax(logits: np.ndarray, never: list[int]) -> np.ndarray:
    """Compute log probabilities, (beams, tokens) float64; tokens in `never` are excluded."""
    kept = logits.astype(np.float64)
    kept -= kept.max(axis=1, keepdims=True)
    kept -= np.log(np.exp(kept).sum(axis=1, keepdims=True))
    kept[:, never] = _NEVER
    return kept
