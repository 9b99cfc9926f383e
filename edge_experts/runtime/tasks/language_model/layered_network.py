"""Steps of the network: rows of tokens through attention and routed experts, layer by layer.

The residual stream stays float32 here, between the files. A row's numbers do not depend on the rows
that are computed with it, so that neither chunks of a prompt nor the memory budget change a token.
With a preference for experts in memory both do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ....errors import ModelError
from ....format.manifest import TRUNK
from ...access import Access, RoutedLayer
from ...memory.quarantine import UNAVAILABLE, describe
from ...rows_model import RowsModel
from .embedding_rows import EmbeddingRows
from .kv_cache import KeyValueCache, Rotary
from .network_settings import (
    EMBEDDING,
    HEAD,
    NetworkSettings,
    attention_in_path,
    attention_out_path,
    shared_path,
)

STREAM, MIXED = "x", "mixed"  # inputs of files: the residual stream, and attention's mixed values
ROWS = 16  # tokens that a file computes in one call: its memory grows with them
CHUNK = 8 * ROWS  # tokens of a prompt that go through a layer together: each expert is called once


class Use:
    """Use of experts by one request.

    Attributes:
        loads, hits: uses of an expert that had to be loaded, and that was in memory.
        bytes_read: bytes of the loaded files.
        experts: those that computed.
        reason: cause of the first fallback; None without one.
    """

    __slots__ = ("bytes_read", "experts", "hits", "loads", "reason")

    def __init__(self) -> None:
        self.loads = self.hits = self.bytes_read = 0
        self.experts: set[int] = set()
        self.reason: str | None = None


class LayeredNetwork:
    """The network of an opened bundle, for one request.

    Args:
        biases: of each layer, (experts,) float32.
        top_k: number of experts of each layer that a token uses.
        prefer_resident: see `RoutingOptions`.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        rotary: Rotary,
        biases: Sequence[np.ndarray],
        top_k: int,
        prefer_resident: float,
        models: Access,
    ):
        dense = models.dense
        self._settings, self._rotary, self._biases = settings, rotary, biases
        self._top_k, self._models = top_k, models
        self._prefer_resident = prefer_resident
        self._embedding: EmbeddingRows = dense[EMBEDDING]
        count = len(models.layers)
        self._into: list[RowsModel] = [dense[attention_in_path(one)] for one in range(count)]
        self._out: list[RowsModel] = [dense[attention_out_path(one)] for one in range(count)]
        self._head: RowsModel = dense[HEAD]
        self._shared: dict[int, RowsModel] = {
            layer: dense[shared_path(layer)] for layer in settings.shared
        }
        heads, shared, width = settings.heads, settings.key_heads, settings.width
        self._turned, self._all = heads + shared, heads + 2 * shared
        self._heads, self._width = heads, width
        self.use = Use()

    # A hostile bundle may have any weights. Not around a whole text: its caller goes on in between.
    @np.errstate(all="ignore")
    def rows(self, tokens: Sequence[int], cache: KeyValueCache) -> np.ndarray:
        """Compute the last hidden states of at most `CHUNK` tokens that follow those in the cache.

        Returns:
            (tokens, units) float32.

        Raises:
            as `Access.expert`: an expert cannot be used, nor can another one in its place.
        """
        first = len(cache.tokens)
        x = self._embedding.rows(tokens)
        for layer, routed in enumerate(self._models.layers):
            for start in range(0, len(x), ROWS):
                part = x[start : start + ROWS]
                part += self._attention(layer, part, cache, first + start)
            x += self._experts(layer, routed, x)
        cache.tokens += tokens
        return x

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Compute the logits of the next token, (rows, pieces) float32."""
        return _by_parts(self._head.run, rows)

    def _attention(self, layer: int, x: np.ndarray, cache: KeyValueCache, first: int) -> np.ndarray:
        """Return what attention adds to at most `ROWS` tokens from position `first` on."""
        given = self._into[layer].run(x).reshape(len(x), self._all, self._width)
        self._rotary.turn(given[:, : self._turned], first)
        mixed = cache.attend(layer, given[:, : self._heads], given[:, self._heads :], first)
        return self._out[layer].run(mixed)

    def _experts(self, layer: int, routed: RoutedLayer, x: np.ndarray) -> np.ndarray:
        """Return the weighted outputs of the routed experts, (rows, units)."""
        logits, given = self._routed(routed, x)
        scores = self._scores(logits)
        chosen = scores + self._biases[layer]
        if self._prefer_resident:
            self._raise_resident(chosen, routed.places)
        usable, run = len(routed.places), self._one if len(x) == 1 else self._many
        while True:
            try:
                made = run(scores, chosen, min(self._top_k, usable), given, routed.places.start)
                break
            except _FailedError as error:
                usable -= 1
                if self._models.strict or not usable:
                    raise error.cause from None
                self.use.reason = self.use.reason or (
                    f"expert {routed.places[error.expert]}: {describe(error.cause)}"
                )
                chosen[:, error.expert] = -np.inf  # the layer takes its next choice
        shared = self._shared.get(layer)
        if shared is not None:
            made += _by_parts(shared.run, given)
        return made

    @staticmethod
    def _routed(routed: RoutedLayer, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the router's logits, (rows, experts), and the inputs of experts, (rows, units)."""
        if len(x) <= ROWS:
            arrays = {STREAM: x}
            return routed.route(arrays), arrays[TRUNK]
        logits, given = [], []
        for start in range(0, len(x), ROWS):
            arrays = {STREAM: x[start : start + ROWS]}
            logits.append(routed.route(arrays))
            given.append(arrays[TRUNK])
        return np.concatenate(logits), np.concatenate(given)

    def _raise_resident(self, chosen: np.ndarray, places: range) -> None:
        """Raise the numbers that experts in memory are chosen by, (rows, experts), in place.

        They rise by a share of the row's range, like the logits in the cache prior of
        https://arxiv.org/abs/2412.00099. The router's first choice stays first, and the weights of
        the chosen experts stay those of the router.
        """
        first = chosen.argmax(axis=1)
        resident = np.array([self._models.has(index) for index in places])
        chosen += self._prefer_resident * np.ptp(chosen, axis=1, keepdims=True) * resident
        chosen[np.arange(len(chosen)), first] = np.inf

    def _scores(self, logits: np.ndarray) -> np.ndarray:
        """Compute the scores that weigh the experts, (rows, experts)."""
        if logits.shape[1] == 1:
            return np.ones_like(logits)
        if self._settings.gate == "sigmoid":
            # In place, as all that follows: a small array costs more to create than to compute.
            np.negative(logits, out=logits)
            np.exp(logits, out=logits)
            logits += 1
            made: np.ndarray = np.reciprocal(logits, out=logits)
            return made
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares

    # One row and many are computed by the same operations: a token does not depend on those beside
    # it.

    def _one(
        self, scores: np.ndarray, chosen: np.ndarray, most: int, given: np.ndarray, start: int
    ) -> np.ndarray:
        """Run the best experts of one row."""
        left = chosen[0].copy()
        picks = [int(left.argmax())]
        while len(picks) < most:  # a few maxima take less time than sorting
            left[picks[-1]] = -np.inf
            picks.append(int(left.argmax()))
        weights = scores[0].take(picks)  # in half the time of an index
        if self._settings.renormalize:
            weights /= np.add.reduce(weights)
        made = {expert: self._run(expert, start, given) for expert in self._in_turn(picks, start)}
        total = made[picks[0]]
        total *= weights[0]
        for rank in range(1, most):
            part = made[picks[rank]]
            part *= weights[rank]
            total += part
        return total

    def _many(
        self, scores: np.ndarray, chosen: np.ndarray, most: int, given: np.ndarray, start: int
    ) -> np.ndarray:
        """Run each expert once on all of its rows, those in memory first."""
        picks = np.argsort(-chosen, axis=1, kind="stable")[:, :most]
        weights = np.take_along_axis(scores, picks, axis=1)
        if self._settings.renormalize:
            weights /= weights.sum(axis=1, keepdims=True)
        made = np.empty((*picks.shape, given.shape[1]), np.float32)
        for expert in self._in_turn(np.unique(picks).tolist(), start):
            rows, ranks = np.nonzero(picks == expert)
            made[rows, ranks] = self._run(expert, start, given[rows])
        total: np.ndarray = made[:, 0] * weights[:, :1]
        for rank in range(1, most):
            total += made[:, rank] * weights[:, rank : rank + 1]
        return total

    def _in_turn(self, experts: Sequence[int], start: int) -> Iterable[int]:
        """Return experts, those in memory first: the others are being read meanwhile."""
        models, use = self._models, self.use
        here: list[int] = []
        missing: list[int] = []
        for expert in experts:
            (here if models.has(start + expert) else missing).append(expert)
        use.hits += len(here)
        if not missing:
            return here
        use.loads += len(missing)
        use.bytes_read += sum(models.sizes[start + expert] for expert in missing)
        models.expect([start + expert for expert in here + missing])
        return chain(here, self._read(missing, start))

    def _read(self, missing: Sequence[int], start: int) -> Iterator[int]:
        """Yield experts that are being read; each time all that are left are expected."""
        for done, expert in enumerate(missing):
            if done:
                self._models.expect([start + one for one in missing[done:]])
            yield expert

    def _run(self, expert: int, start: int, given: np.ndarray) -> np.ndarray:
        models, use, index = self._models, self.use, start + expert
        try:
            slot = models.expert(index)
            try:
                model: Any = slot.model  # as `check_expert` found it
                made: np.ndarray = _by_parts(model.run, given)
            except ModelError as error:
                models.reject(slot, error)
                raise
            finally:
                models.free(slot)
        except UNAVAILABLE as error:
            raise _FailedError(expert, error) from None
        use.experts.add(index)
        return made


def _by_parts(run: Callable[[np.ndarray], np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Run a file on any number of rows, at most `ROWS` in one call."""
    if len(rows) <= ROWS:
        return run(rows)
    return np.concatenate([run(rows[start : start + ROWS]) for start in range(0, len(rows), ROWS)])


class _FailedError(Exception):
    """An expert of a layer cannot be used."""

    def __init__(self, expert: int, cause: Exception):
        super().__init__(str(cause))
        self.expert, self.cause = expert, cause
