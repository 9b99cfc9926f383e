"""Answer an input with the expert that the router picks, and with nothing else in memory."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter_ns
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from .. import features
from ..bundle import FileEntry, Manifest, read_manifest
from ..errors import UsageError
from . import allocator
from .interpreter import Model
from .residency import Residency
from .storage import read_arrays, read_checked

_FEW_LABELS = 32  # up to so many, Python's own arithmetic beats the calls into numpy
_TINY = 1e-12


class Timings(NamedTuple):
    """Where the time of one answer went, in microseconds."""

    features_us: float
    route_us: float
    load_us: float
    invoke_us: float


class Answer(NamedTuple):
    """What the model says of one input."""

    label: str
    score: float  # the label's probability, calibrated on validation data
    scores: np.ndarray  # one probability for each label of the bundle, float32
    expert: int  # the router's first choice; -1 where all experts are summed
    timings: Timings


class ExpertRuntime:
    """A bundle, opened: `predict` loads the expert that an input needs, checks it, and answers.

    Opening reads the manifest, the router and the features; experts are read when they are needed.
    Threads may share a runtime; it answers them one at a time.

    Args:
        bundle: the bundle's folder.
        memory_budget: bytes that the router and the experts in memory may take together, by the
            costs in the manifest; None keeps every expert that was needed. The least recently
            used expert leaves first.
        threads: for the interpreter's kernels.
        tune_allocator: set glibc's mmap threshold, for the whole process, so that memory of
            experts that left goes back to the system; pass False where the embedding program
            tunes malloc itself.

    Raises:
        BundleError: a file is missing, damaged, or not of this format.
        MemoryBudgetError: the budget does not hold the router and the largest expert.
        MissingExtraError: no TFLite interpreter is installed.
    """

    def __init__(
        self,
        bundle: str | Path,
        *,
        memory_budget: int | None = None,
        threads: int = 1,
        tune_allocator: bool = True,
    ):
        if tune_allocator:
            allocator.map_large_blocks()
        self.folder = Path(bundle)
        self.manifest: Manifest = read_manifest(self.folder)
        self._threads = threads
        self._lock = threading.Lock()
        self.features: features.Features = self._open_features()
        router = self.manifest.router
        self._router = None if router is None else self._open_model(router, thorough=True)
        budget = memory_budget
        if budget is not None and router is not None:
            budget -= router.resident_bytes
        costs = [entry.resident_bytes for entry in self.manifest.experts]
        self._experts = Residency(self._open_expert, costs, budget)
        self._by_gate = self.manifest.combine == "top"
        self._closed = False

    def predict(self, example: Any) -> Answer:
        """Answer one example (for text: a `str` of any length and language)."""
        with self._lock:
            if self._closed:
                raise UsageError("the runtime is closed")
            start = perf_counter_ns()
            arrays = self.features.encode(example)
            encoded = perf_counter_ns()
            picks, gate = self._route(arrays)
            routed = perf_counter_ns()
            load = 0
            outputs = []
            for pick in picks:
                begin = perf_counter_ns()
                expert = self._experts.get(pick)
                load += perf_counter_ns() - begin
                outputs.append(expert(arrays))
            scores = self._combine(outputs, gate)
            score = max(scores)
            label = self.manifest.labels[scores.index(score)]
            end = perf_counter_ns()
        return Answer(
            label,
            score,
            np.array(scores, np.float32),
            picks[0] if self._by_gate else -1,
            Timings(
                (encoded - start) / 1000,
                (routed - encoded) / 1000,
                load / 1000,
                (end - routed - load) / 1000,
            ),
        )

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, in their order."""
        return map(self.predict, examples)

    @property
    def resident(self) -> tuple[int, ...]:
        """The experts in memory, the least recently used first."""
        return self._experts.resident

    def release(self) -> None:
        """Let all experts leave memory; the next answer loads what it needs."""
        with self._lock:
            self._experts.clear()

    def close(self) -> None:
        """Free the router and the experts; the runtime cannot answer any more."""
        self.release()
        self._router, self._closed = None, True

    def __enter__(self) -> ExpertRuntime:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _route(self, arrays: dict[str, np.ndarray]) -> tuple[Sequence[int], Sequence[float]]:
        """The experts to ask, best first, and what the gate gives each."""
        count = len(self.manifest.experts)
        if self._router is None:
            return range(count), ()
        logits = self._router(arrays)
        if self.manifest.top_k == 1:
            return (int(logits.argmax()),), ()
        best = np.argsort(-logits, kind="stable")[: self.manifest.top_k]
        return best.tolist(), softmax(logits[best], 1.0)

    def _combine(self, outputs: list[np.ndarray], gate: Sequence[float]) -> list[float]:
        """Probabilities of the labels from the outputs of the experts that were asked."""
        temperature = self.manifest.temperature
        if len(outputs) == 1:
            return softmax(outputs[0], temperature)
        if not self._by_gate:
            return softmax(np.sum(outputs, axis=0), temperature)
        answers = np.array([softmax(output, 1.0) for output in outputs])
        mixture = np.asarray(gate) @ answers
        return softmax(np.log(np.maximum(mixture, _TINY)), temperature)

    def _open_features(self) -> features.Features:
        spec = self.manifest.features
        arrays = {} if spec.file is None else read_arrays(self.folder, spec.file)
        return features.restore(spec.kind, spec.config, arrays)

    def _open_expert(self, index: int) -> Model:
        return self._open_model(self.manifest.experts[index], thorough=False)

    def _open_model(self, entry: FileEntry, *, thorough: bool) -> Model:
        content = read_checked(self.folder, entry, thorough=thorough)
        return Model(content, str(self.folder / entry.path), self._threads)


def softmax(logits: np.ndarray, temperature: float) -> list[float]:
    """Probabilities, exp(x / T) / sum(exp(x / T)), of (labels,) logits."""
    if len(logits) > _FEW_LABELS:
        powers = np.exp((logits - logits.max()) / temperature)
        many: list[float] = (powers / powers.sum()).tolist()
        return many
    values = logits.tolist()
    top = max(values)
    exponentials = [math.exp((value - top) / temperature) for value in values]
    total = sum(exponentials)
    return [value / total for value in exponentials]
