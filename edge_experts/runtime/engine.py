"""Answer an input with the expert that the router picks, and with nothing else in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from ..bundle import TRUNK, FileEntry, Manifest, read_manifest
from ..errors import UsageError
from ..updates.pointer import resolve
from . import allocator
from .answer import Answer, first_probability, softmax
from .fit import Shapes, must_fit, trunk_shape
from .interpreter import Model
from .monitor import Drift, Monitor
from .residency import Residency
from .storage import read_checked, read_features

Observer = Callable[[np.ndarray | None, np.ndarray], None]
_TINY = 1e-12  # the least probability whose logarithm is taken


class ExpertRuntime:
    """A bundle, opened: `predict` loads the expert that an input needs, checks it, and answers.

    Opening reads the manifest, the router and the features; experts are read when they are needed.
    Threads may share a runtime; it answers them one at a time.

    Args:
        bundle: the bundle's folder, or what bundles are installed in; it stays with the one that
            is current now, while `InstalledRuntime` follows.
        memory_budget: bytes that the router and the experts in memory may take together, by the
            costs in the manifest; None keeps every expert that was needed. The least recently
            used expert leaves first.
        threads: for the interpreter's kernels.
        tune_allocator: set glibc's mmap threshold, for the whole process, so that memory of
            experts that left goes back to the system; pass False where the embedding program
            tunes malloc itself.
        monitor: compare what the router and the answers do with the bundle's reference, for
            `drift`; it costs about two microseconds an answer.

    Attributes:
        observer: called with the router's logits (None without a router) and the answer's, after
            each answer; the monitor, if there is one.

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
        monitor: bool = False,
    ):
        if tune_allocator:
            allocator.map_large_blocks()
        self.folder = resolve(Path(bundle))
        self.manifest: Manifest = read_manifest(self.folder)
        self._threads = threads
        self._lock = threading.Lock()
        self.features = read_features(self.folder, self.manifest.features)
        router = self.manifest.router
        self._router = None if router is None else self._open_model(router, thorough=True)
        self._arrays: Shapes = self.features.shapes  # what a model may ask for
        if self._router is not None:
            must_fit(self._router, self._arrays, len(self.manifest.experts), "experts")
            self._arrays = {**self._arrays, **trunk_shape(self._router)}
        budget = memory_budget
        if budget is not None and router is not None:
            budget -= router.resident_bytes
        costs = [entry.resident_bytes for entry in self.manifest.experts]
        self._experts = Residency(self._open_expert, costs, budget)
        reference = self.manifest.reference if monitor else None
        self._monitor: Monitor | None = None
        self.observer: Observer | None = None
        if reference is not None:
            self._monitor = Monitor(reference, self.manifest.temperature)
            self.observer = self._monitor.observe
        # Looked up once: every answer needs them.
        self._encode = self.features.encode
        self._labels, self._temperature = self.manifest.labels, self.manifest.temperature
        self._abstain_below = self.manifest.abstain_below
        self._asks_one, self._second_below = self.manifest.asks_one, self.manifest.second_below
        self._most = self.manifest.top_k if self._second_below is None else 2
        self._trunk = None
        if self._router is not None and self._router.has_trunk:
            self._trunk = self._router.trunk
        self._all = tuple(range(len(costs)))
        self._closed = False

    def predict(self, example: Any) -> Answer:
        """Answer one example (for text: a `str` of any length and language)."""
        with self._lock:
            if self._closed:
                raise UsageError("the runtime is closed")
            start = perf_counter_ns()
            arrays = self._encode(example)
            encoded = perf_counter_ns()
            gate = None if self._router is None else self._router(arrays)
            if self._trunk is not None:
                arrays[TRUNK] = self._trunk()
            picks = self._choose(gate)
            routed = perf_counter_ns()
            first = picks[0]
            if len(picks) == 1:  # nearly every answer, without a loop
                expert = self._experts.get(first)
                loaded = perf_counter_ns()
                logits = expert(arrays)
            elif gate is None:
                outputs, loading = self._visit(picks, arrays)
                logits, loaded, first = np.sum(outputs, axis=0), routed + loading, -1
            else:
                outputs, loading = self._visit(picks, arrays)
                logits, loaded = _mixed(gate[list(picks)], outputs), routed + loading
            clock = (start, encoded, routed, loaded, perf_counter_ns())
        if self.observer is not None:
            self.observer(gate, logits)
        label, temperature = self._labels[logits.argmax()], self._temperature
        return Answer(label, first, logits, temperature, clock, picks, self._abstain_below)

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, in their order."""
        return map(self.predict, examples)

    @property
    def drift(self) -> Drift | None:
        """Whether inputs changed; None without `monitor`, or where the bundle has no reference."""
        return None if self._monitor is None else self._monitor.drift

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
        self._router, self._trunk, self._closed = None, None, True

    def __enter__(self) -> ExpertRuntime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _choose(self, gate: np.ndarray | None) -> tuple[int, ...]:
        """The experts to ask, the router's first choice first; all where there is no router."""
        if gate is None:
            return self._all
        first, second_below = int(gate.argmax()), self._second_below
        if self._asks_one or (
            second_below is not None and first_probability(gate, first) >= second_below
        ):
            return (first,)
        return tuple(np.argsort(-gate, kind="stable")[: self._most].tolist())

    def _visit(
        self, picks: Sequence[int], arrays: dict[str, np.ndarray]
    ) -> tuple[list[np.ndarray], int]:
        """The experts' outputs, and the nanoseconds that loading took.

        Loading and asking take turns, so that a budget for one is enough: an expert must have no
        name while the next is loaded. Those in memory come first, before others take their place.
        """
        load, outputs = 0, {}
        for pick in sorted(picks, key=self._experts.resident.__contains__, reverse=True):
            begin = perf_counter_ns()
            expert = self._experts.get(pick)
            load += perf_counter_ns() - begin
            outputs[pick] = expert(arrays)
            del expert
        return [outputs[pick] for pick in picks], load

    def _open_expert(self, index: int) -> Model:
        expert = self._open_model(self.manifest.experts[index], thorough=False)
        must_fit(expert, self._arrays, len(self.manifest.labels), "labels")
        return expert

    def _open_model(self, entry: FileEntry, *, thorough: bool) -> Model:
        content = read_checked(self.folder, entry, thorough=thorough)
        return Model(content, str(self.folder / entry.path), self._threads)


def _mixed(gate: np.ndarray, outputs: Sequence[np.ndarray]) -> np.ndarray:
    """Logits of the experts' probabilities, weighted by the gate's logits of those experts."""
    answers = np.array([softmax(output) for output in outputs])
    mixture: np.ndarray = np.log(np.maximum(softmax(gate) @ answers, _TINY))
    return mixture
