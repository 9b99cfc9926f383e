"""Beam search, beside all answers that there are."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping

import numpy as np
import pytest

from edge_experts.features.pieces import END, FIRST_TARGET, HIDDEN
from edge_experts.runtime.tasks.translation.beam_search import ENCODE, no_text, write

PIECES, MOST, WIDTH = 9, 4, 2
NEVER = no_text(1)
TEXT = [END, *range(FIRST_TARGET + 1, PIECES)]


class Remembering:
    """Functions whose next piece depends on all pieces before it, by what the caches hold.

    A step's key is its piece: what it finds in the cache must be the beginning that it continues.
    """

    def __init__(self, seed: int, beams: int):
        self._seed, self.past = seed, (beams, 1, MOST, WIDTH)
        self.steps = 0

    def __call__(self, name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        if name == ENCODE:
            memory = np.ones((1, 1, 3, WIDTH), np.float32)
            return {"keys": memory, "values": memory}
        self.steps += 1
        position = int(arrays["position"][0])
        shown = arrays["past_mask"].ravel()
        assert (shown[:position] == 0).all()
        assert (shown[position:] == HIDDEN).all()
        before = arrays["past_keys"][:, 0, :position, 0].astype(int)
        logits = np.array(
            [
                self.logits((*row.tolist(), int(piece)))
                for row, piece in zip(before, arrays["piece"][:, 0], strict=True)
            ]
        )
        made = np.repeat(arrays["piece"][:, None, :, None], WIDTH, axis=3).astype(np.float32)
        return {"logits": logits, "keys": made, "values": made}

    def logits(self, beginning: tuple[int, ...]) -> np.ndarray:
        random = np.random.default_rng([self._seed, *beginning])
        return random.normal(0, 2, PIECES).astype(np.float32)

    def chance(self, answer: tuple[int, ...]) -> float:
        """The mean logarithm of probability of an answer, which ends."""
        total = 0.0
        beginning: tuple[int, ...] = (FIRST_TARGET,)
        for piece in answer:
            logits = self.logits(beginning).astype(np.float64)
            total += logits[piece] - np.log(np.exp(logits).sum())
            beginning = (*beginning, piece)
        return total / len(answer)


ARRAYS = {
    "source": np.array([[FIRST_TARGET, 8, END]], np.int32),
    "mask": np.zeros((1, 1, 1, 3), np.float32),
    "target": np.array([0], np.int32),
}


@pytest.mark.parametrize("seed", range(5))
def test_with_as_many_beams_as_beginnings_the_best_answer_of_all_is_found(seed: int) -> None:
    functions = Remembering(seed, beams=5**MOST)
    written = write(functions, ARRAYS, functions.past, NEVER)
    letters = [piece for piece in TEXT if piece != END]
    answers = [
        (*letters_, END)
        for count in range(MOST)
        for letters_ in itertools.product(letters, repeat=count)
    ]
    best = max(answers, key=functions.chance)
    assert tuple(written.pieces) == best
    assert written.log_probabilities.mean() == pytest.approx(functions.chance(best), abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_one_beam_takes_the_likeliest_piece_each_time(seed: int) -> None:
    functions = Remembering(seed, beams=1)
    written = write(functions, ARRAYS, functions.past, NEVER).pieces.tolist()
    beginning: tuple[int, ...] = (FIRST_TARGET,)
    for piece in written:
        logits = functions.logits(beginning)
        assert piece == max(TEXT, key=lambda one: logits[one])
        beginning = (*beginning, piece)
    assert written[-1] == END or len(written) == MOST


@pytest.mark.parametrize("beams", [1, 3])
def test_an_answer_never_gets_longer_than_it_may(beams: int) -> None:
    class Endless(Remembering):
        def logits(self, beginning: tuple[int, ...]) -> np.ndarray:
            logits = super().logits(beginning)
            logits[END] = -1e9
            return logits

    functions = Endless(0, beams)
    written = write(functions, ARRAYS, functions.past, NEVER)
    assert len(written.pieces) == len(written.log_probabilities) == MOST
    assert functions.steps == MOST
    assert not set(written.pieces.tolist()) & {END, *NEVER}


def test_the_first_piece_is_there_after_one_step() -> None:
    class Slow(Remembering):
        def __call__(self, name: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
            time.sleep(0.02 if name == ENCODE else 0.01)
            return super().__call__(name, arrays)

    functions = Slow(0, beams=1)
    start = time.perf_counter_ns()
    written = write(functions, ARRAYS, functions.past, NEVER)
    whole = time.perf_counter_ns() - start
    assert 0.03e9 <= written.first_ns <= whole - 0.01e9 * (functions.steps - 1)
    assert functions.steps > 1
