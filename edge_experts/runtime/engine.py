"""Answer an input with the expert that the router picks, and with nothing else in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from ..bundle import FileEntry, Manifest, read_manifest
from ..errors import BundleError, MachineError, UsageError
from ..updates.pointer import resolve
from . import allocator, forking
from .answer import Answer, Predictions, first_probability, softmax
from .asking import Question, ask
from .fit import Shapes, must_fit, trunk_shape
from .interpreter import Delegate, Model
from .monitor import Drift, Monitor
from .prefetch import Prefetcher
from .quarantine import UNAVAILABLE, Quarantine
from .residency import Residency
from .storage import read_checked, read_features

Observer = Callable[[np.ndarray | None, np.ndarray], None]


class ExpertRuntime:
    """A bundle, opened: `predict` loads the expert that an input needs, checks it, and answers.

    Opening reads the manifest, the router and the features; experts are read when they are needed.
    Threads may share a runtime: they encode and ask different experts at the same time, and wait
    where they want the same one, or room. A process that was forked off starts with the router
    only, and loads experts of its own.

    An expert that is missing, damaged or too large for the budget is left alone for a while, and
    the router's next choice answers: `answer.degraded` and `answer.reason` say so.

    Args:
        bundle: the bundle's folder, or what bundles are installed in; it stays with the one that
            is current now, while `InstalledRuntime` follows.
        memory_budget: bytes that the router and the experts in memory may take together, by
            `costs`; None keeps every expert that was needed. The least recently used expert leaves
            first.
        max_experts: how many experts may be in memory; both limits hold where both are given.
        pin: experts to load now, and never to let leave.
        prefetch: load the expert that is likely to be next in a thread of its own, after each
            answer. It pays where inputs come with pauses, and their experts in a habitual order.
        strict: raise where an expert cannot be used, rather than ask another one.
        retry_after: seconds until an expert that could not be used is tried again.
        costs: bytes that each expert takes in memory, as `runtime.costs` measures them on the
            machine itself; those in the manifest by default.
        threads: for the interpreter's kernels.
        delegate: "xnnpack", or "none": slower in float32, and with half the memory.
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
        MemoryBudgetError: the budget does not hold the router and an expert; with `strict`, or
            where all experts are summed, the largest one.
        MissingExtraError: no TFLite interpreter is installed.
    """

    def __init__(
        self,
        bundle: str | Path,
        *,
        memory_budget: int | None = None,
        max_experts: int | None = None,
        pin: Iterable[int] = (),
        prefetch: bool = False,
        strict: bool = False,
        retry_after: float = 60.0,
        costs: Sequence[int] | None = None,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
        tune_allocator: bool = True,
        monitor: bool = False,
    ):
        if max_experts is not None and max_experts < 1:
            raise UsageError(f"max_experts must be at least 1, got {max_experts}")
        if tune_allocator:
            allocator.map_large_blocks()
        self.folder = resolve(Path(bundle))
        self.manifest: Manifest = read_manifest(self.folder)
        self._threads, self._delegate, self._strict = threads, delegate, strict
        self.features = read_features(self.folder, self.manifest.features)
        router = self.manifest.router
        self._router = None if router is None else self._open_model(router, thorough=True)
        self._arrays: Shapes = self.features.shapes  # what a model may ask for
        if self._router is not None:
            must_fit(self._router, self._arrays, len(self.manifest.experts), "experts")
            self._arrays = {**self._arrays, **trunk_shape(self._router)}
        self._room = memory_budget
        if memory_budget is not None and router is not None:
            self._room = memory_budget - router.resident_bytes
        self._max_experts, self._prefetch = max_experts, prefetch
        self._costs = tuple(costs or (entry.resident_bytes for entry in self.manifest.experts))
        self._retry_after = 0.0 if strict else retry_after
        self._closed = self._forked = False
        self._route: Callable[[dict[str, np.ndarray]], np.ndarray] | None = None
        self.observer: Observer | None = None
        self._reference = self.manifest.reference if monitor else None
        self._share()
        # Looked up once: every answer needs them.
        self._encode = self.features.encode
        self._labels, self._temperature = self.manifest.labels, self.manifest.temperature
        self._abstain_below = self.manifest.abstain_below
        self._asks_one, self._second_below = self.manifest.asks_one, self.manifest.second_below
        self._most = self.manifest.top_k if self._second_below is None else 2
        self._all = tuple(range(len(self._costs)))
        forking.watch(self)
        for index in pin:
            try:
                self.pin(index)
            except (BundleError, MachineError, MemoryError, OSError):  # not: there is no room
                if strict:
                    raise

    def predict(self, example: Any) -> Answer:
        """Answer one example (for text: a `str` of any length and language).

        Raises:
            UsageError: the example does not fit the features, or the runtime is closed.
            BundleError, MachineError, MemoryBudgetError, MemoryError, OSError: no expert can be
                used; with `strict`, one that is needed cannot.
        """
        if not self._ready:
            self._prepare()
        start = perf_counter_ns()
        arrays = self._encode(example)
        encoded = perf_counter_ns()
        gate = None if self._route is None else self._route(arrays)
        picks = self._choose(gate)
        routed = perf_counter_ns()
        if len(picks) > 1:
            question = Question(arrays, gate, picks)
            return self._ask_several(question, (start, encoded, routed))
        first = picks[0]
        try:
            expert = self._experts.hold(first)
        except UNAVAILABLE:
            if self._strict:
                raise
            question = Question(arrays, gate, picks)
            return self._ask_several(question, (start, encoded, routed))
        loaded = perf_counter_ns()
        try:
            logits = expert(arrays)
        finally:
            self._experts.free(expert)
        clock = (start, encoded, routed, loaded, perf_counter_ns())
        if self.observer is not None:
            self.observer(gate, logits)
        if self._prefetcher is not None:
            self._prefetcher.answered(first)
        label, temperature = self._labels[logits.argmax()], self._temperature
        return Answer(label, first, logits, temperature, clock, picks, self._abstain_below)

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, in their order."""
        return map(self.predict, examples)

    def predict_batch(self, examples: Iterable[Any]) -> list[Answer]:
        """Answer examples in an order that loads each expert once; the answers are in theirs.

        All features are in memory at once. The time that loading an expert took counts for one of
        its answers.
        """
        if not self._ready:
            self._prepare()
        questions, times = [], []
        for example in examples:
            start = perf_counter_ns()
            arrays = self._encode(example)
            encoded = perf_counter_ns()
            questions.append(self._question(arrays))
            times.append((start, encoded, perf_counter_ns()))
        ask(questions, self._experts, strict=self._strict)
        return [self._answer(*pair) for pair in zip(questions, times, strict=True)]

    def predict_arrays(self, arrays: Mapping[str, np.ndarray]) -> Predictions:
        """Answer many examples whose features are made, with no Python object for each answer.

        Args:
            arrays: what `features.encode_all` gives, by name, (examples, ...).

        Raises:
            as `predict`; UsageError also where the arrays differ in length.
        """
        if not self._ready:
            self._prepare()
        lengths = {len(array) for array in arrays.values()}
        if len(lengths) != 1:
            raise UsageError(f"arrays must all have as many rows, got {sorted(lengths)}")
        questions = [
            self._question({name: array[row : row + 1] for name, array in arrays.items()})
            for row in range(lengths.pop())
        ]
        ask(questions, self._experts, strict=self._strict)
        logits = np.array([question.logits for question in questions], np.float32)
        if self.observer is not None:
            for question, answer in zip(questions, logits, strict=True):
                self.observer(question.gate, answer)
        logits = logits.reshape(len(questions), len(self._labels))
        return Predictions(
            labels=logits.argmax(axis=1),
            scores=softmax(logits, self._temperature),
            experts=np.array([question.first for question in questions], int),
            degraded=np.array([question.reason is not None for question in questions], bool),
        )

    @property
    def drift(self) -> Drift | None:
        """Whether inputs changed; None without `monitor`, or where the bundle has no reference."""
        return None if self._monitor is None else self._monitor.drift

    @property
    def resident(self) -> tuple[int, ...]:
        """The experts in memory, the least recently used first."""
        return self._experts.resident

    @property
    def resident_bytes(self) -> int:
        """What the experts in memory take, by `costs`."""
        return self._experts.used

    @property
    def quarantined(self) -> dict[int, str]:
        """The experts that could not be used when they were last tried, and why."""
        return self._quarantine.reasons

    def pin(self, index: int) -> None:
        """Load an expert and never let it leave, but by `release`.

        Raises:
            MemoryBudgetError: some other expert would not fit beside it.
            what loading raises, as for `predict`.
        """
        if not 0 <= index < len(self._costs):
            raise UsageError(f"there is no expert {index}; there are {len(self._costs)}")
        self._experts.pin(index)

    def unpin(self, index: int) -> None:
        """The expert may leave again."""
        self._experts.unpin(index)

    def reset(self) -> None:
        """Try experts again now that could not be used."""
        self._quarantine.clear()

    def release(self) -> None:
        """Let all experts leave memory; the next answer loads what it needs.

        It waits for answers that are under way.
        """
        self._experts.clear()

    def close(self) -> None:
        """Free the router and the experts; the runtime cannot answer any more."""
        self._closed, self._ready = True, False
        self._experts.clear(close=True)
        if self._prefetcher is not None:
            self._prefetcher.stop()
        self._router = self._route = None

    def __enter__(self) -> ExpertRuntime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """In the child: let go of everything that another thread may have had in its hands."""
        forking.keep(self._experts, self._prefetcher, self._router)
        self._share(self._experts.pinned)
        self._forked, self._ready = True, False

    def _share(self, pinned: Iterable[int] = ()) -> None:
        """What threads share, anew."""
        self._preparing = threading.Lock()
        self._quarantine = Quarantine(self._retry_after)
        self._experts = Residency(
            self._open_expert,
            self._costs,
            self._room,
            most=self._max_experts,
            quarantine=self._quarantine,
            all_must_fit=self._strict or self.manifest.combine == "sum",
            pinned=pinned,
        )
        self._prefetcher = Prefetcher(self._experts) if self._prefetch else None
        self._monitor: Monitor | None = None
        if self._reference is not None:
            self._monitor = Monitor(self._reference, self.manifest.temperature)
            self.observer = self._monitor.observe
        self._route = _route(self._router)
        self._ready = True

    def _prepare(self) -> None:
        """Before an answer, where the runtime is closed, or came out of a fork."""
        with self._preparing:
            if self._closed:
                raise UsageError("the runtime is closed")
            if self._forked and self._router is not None:
                content, name = self._router.content, self._router.name  # checked already
                self._router = Model(content, name, self._threads, self._delegate)
                self._route = _route(self._router)
            self._forked, self._ready = False, True

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

    def _question(self, arrays: dict[str, np.ndarray]) -> Question:
        """Route the features of one example; the router may add to them."""
        gate = None if self._route is None else self._route(arrays)
        return Question(arrays, gate, self._choose(gate))

    def _ask_several(self, question: Question, times: tuple[int, int, int]) -> Answer:
        """Answer where more than one expert is asked, or the first choice cannot be."""
        ask([question], self._experts, strict=self._strict)
        return self._answer(question, times)

    def _answer(self, question: Question, times: tuple[int, int, int]) -> Answer:
        """What became of a question that was begun, encoded and routed at these times."""
        loaded = times[2] + question.load_ns
        clock = (*times, loaded, loaded + question.invoke_ns)
        logits = question.logits
        if self.observer is not None:
            self.observer(question.gate, logits)
        return Answer(
            self._labels[logits.argmax()],
            question.first,
            logits,
            self._temperature,
            clock,
            question.picks,
            self._abstain_below,
            question.reason,
        )

    def _open_expert(self, index: int) -> Model:
        expert = self._open_model(self.manifest.experts[index], thorough=False)
        must_fit(expert, self._arrays, len(self.manifest.labels), "labels")
        return expert

    def _open_model(self, entry: FileEntry, *, thorough: bool) -> Model:
        content = read_checked(self.folder, entry, thorough=thorough)
        return Model(content, f"{self.folder}/{entry.path}", self._threads, self._delegate)


def _route(router: Model | None) -> Callable[[dict[str, np.ndarray]], np.ndarray] | None:
    """From features to the gate's logits; what experts build on is added to the features."""
    if router is None:
        return None
    return router.with_trunk if router.has_trunk else router
