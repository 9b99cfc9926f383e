"""Runtime of a bundle: routes an input and loads only the expert that it needs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..errors import BundleError, MachineError, MemoryBudgetError, UsageError
from ..features import read_features
from ..format.byte_sizes import Size, bytes_of
from ..format.install_root import resolve
from ..format.limits import LIMITS
from ..format.manifest import Manifest
from ..format.manifest_parser import read_manifest
from . import forking
from .access import Observer
from .answer import Answer, Predictions
from .bundle_access import BundleAccess
from .drift.drift_monitor import Drift, Monitor
from .interpreter import Delegate
from .memory import allocator, measured_costs
from .memory.memory_budget import MemoryBudget
from .memory.prefetch import Prefetcher
from .memory.quarantine import Quarantine
from .memory.read_ahead import ReadAhead
from .memory.residency import Counts, Residency
from .memory.room import Room
from .models import Models
from .packed import scheme
from .tasks import Task, open_task
from .tasks.base import Stream

if TYPE_CHECKING:
    from .memory.memory_lock import Locked
    from .packed.slot_pool import SlotPool

ALWAYS = "routers and dense parts"  # name of their memory in messages


class ExpertRuntime:
    """An opened bundle: `predict` loads and checks the expert that an input needs, and answers.

    Opening reads the manifest, the routers and the features; experts are read on demand. Threads
    may share a runtime: they encode inputs and run different experts at the same time, and wait for
    each other if they need the same expert, or memory. A forked process starts with the routers
    only, and loads its own experts.

    An expert that is missing, damaged, too large for the budget, or that the interpreter fails to
    run is not used for a while. The router's next choice is the fallback: `answer.degraded` and
    `answer.reason` report it.

    Args:
        bundle: the bundle's folder, or an install root; the runtime keeps the version that is
            current now, while `InstalledRuntime` follows updates.
        memory_budget: limit for the routers and the experts in memory together, measured by
            `costs`: bytes, or a text such as "8MB"; None keeps every expert that was used. The
            least recently used expert is evicted first, unless the task has another policy. Of a
            language model the limit holds for its dense parts, keys and values too. Runtimes that
            get the same `MemoryBudget` share it.
        max_experts: limit for the number of experts in memory; both limits hold if both are given.
        pin: experts to load now and never to evict.
        prefetch: load the expert that is probably needed next after each answer, in a thread of its
            own. It pays if there are pauses between inputs and their experts come in a regular
            order.
        strict: raise if an expert cannot be used, instead of falling back to another one.
        retry_after: seconds until an expert that could not be used is tried again.
        costs: bytes that each expert takes in memory; by default as measured on this machine when
            the bundle was installed, or else on the machine that converted it.
        threads: for the interpreter's kernels.
        delegate: "xnnpack"; "none", which is slower in float32 and takes half the memory; or
            "reference", the slow reference kernels.
        tune_allocator: set glibc's mmap threshold, for the whole process, so that memory of
            evicted experts goes back to the system; pass False if the embedding program tunes
            malloc itself.
        context: for a language model: tokens of a text whose keys and values are kept, at most as
            many as in training, which is the default.
        sequences: for a language model: texts that may be written at the same time.
        prefer_resident: for a language model: prefer experts in memory to those that the router
            scores higher, by less than this share of the range of its scores; 0 to 1. Answers then
            depend on the budget and on earlier requests.
        experts_per_token: for a language model: number of experts of each layer that a token uses,
            at most and by default as many as in training.
        monitor: compare the router and the answers with the bundle's reference, for `drift`; it
            costs about two microseconds an answer.

    Attributes:
        task: the loop that makes answers.
        access: routers and experts, as the task uses them.
        scheme: how experts are loaded, and why.

    Raises:
        BundleError: a file is missing, damaged, or not of this format.
        MemoryBudgetError: the budget does not hold the routers and an expert; the largest expert
            with `strict`, of a language model, or if all experts are summed.
        MissingExtraError: no TFLite interpreter is installed.
        UsageError: an argument is out of its range.
    """

    _opening: type[Models] = Models  # class that opens files; a benchmark records what it opens

    def __init__(
        self,
        bundle: str | Path,
        *,
        memory_budget: Size | MemoryBudget | None = None,
        max_experts: int | None = None,
        pin: Iterable[int] = (),
        prefetch: bool = False,
        strict: bool = False,
        retry_after: float = 60.0,
        costs: Sequence[int] | None = None,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
        tune_allocator: bool = True,
        context: int | None = None,
        sequences: int = 1,
        prefer_resident: float = 0.0,
        experts_per_token: int | None = None,
        monitor: bool = False,
    ):
        if type(threads) is not int or not 1 <= threads <= LIMITS.threads:
            raise UsageError(
                f"threads must be a whole number from 1 to {LIMITS.threads}, got {threads!r:.40}"
            )
        if tune_allocator:
            allocator.map_large_blocks()
        self.folder = resolve(Path(bundle))
        self.manifest: Manifest = read_manifest(self.folder)
        self.features = read_features(self.folder, self.manifest.features)
        self.task: Task = open_task(self.manifest, self.features, self.folder)
        if prefer_resident or experts_per_token is not None:
            from .routing_options import RoutingOptions

            self.task.route_by(RoutingOptions(prefer_resident, experts_per_token))
        self._reserving = context, sequences
        reserved = self.task.reserve(*self._reserving)
        self.models = self._opening(
            self.folder, self.manifest, self.features, self.task, threads, delegate
        )
        self.scheme = scheme.choose(self.folder, self.manifest, self.models, threads, delegate)
        self.models.pool = self.scheme.pool
        self._common = memory_budget if isinstance(memory_budget, MemoryBudget) else None
        self._limits = costs, _bytes_of(memory_budget), max_experts
        self._room = self._make_room(reserved, self.scheme.pool)
        faster = self.scheme.faster_interpreters(threads, sequences)
        is_alone = self._common is None
        if faster is not None and is_alone and self._make_room(reserved).holds_all:
            self._use_plain(faster, reserved)
        self._prefetch, self._strict = prefetch, strict
        self._retry_after = 0.0 if strict else retry_after
        watched = monitor and self.task.watched
        self._reference = self.manifest.reference if watched else None
        try:
            self._share()
        except MemoryBudgetError:
            if self.scheme.pool is None or self.scheme.is_forced:
                raise
            self._use_plain(scheme.NO_ROOM, reserved)
            self._share()
        forking.watch(self)
        for index in pin:
            try:
                self.pin(index)
            except (BundleError, MachineError, MemoryError, OSError):  # but not MemoryBudgetError
                if strict:
                    raise

    def predict(self, example: Any) -> Answer:
        """Answer one example (for text: a `str` of any length and language).

        Raises:
            UsageError: the example does not fit the features, or the runtime is closed.
            BundleError, MachineError, MemoryBudgetError, MemoryError, OSError: no expert can be
                used; with `strict`, a required expert cannot be used.
        """
        return self.task.run(example, self.access)

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, in their order."""
        return map(self.predict, examples)

    def predict_batch(self, examples: Iterable[Any]) -> list[Answer]:
        """Answer examples, loading each expert once; the answers are in the examples' order.

        All features are in memory at once. The load time of an expert is attributed to one of its
        answers.
        """
        return self.task.run_many(examples, self.access)

    def predict_arrays(self, arrays: Mapping[str, np.ndarray]) -> Predictions:
        """Answer many encoded examples, without a Python object for each answer.

        Args:
            arrays: result of `features.encode_all`, by name, (examples, ...).

        Raises:
            UsageError: the arrays have different lengths; other errors as of `predict`.
        """
        return self.task.run_arrays(arrays, self.access)

    def stream(self, example: Any) -> Stream:
        """Answer one example part by part, for a language model as its text is written.

        Raises:
            UsageError: answers of this task have no parts; other errors as of `predict`.
        """
        return self.task.stream(example, self.access)

    @contextlib.contextmanager
    def held(self) -> Iterator[ExpertRuntime]:
        """Yield this runtime; see `InstalledRuntime.held`."""
        yield self

    @property
    def observer(self) -> Observer | None:
        """Function called with the router's logits (None without a router) and the experts' output.

        It is called after each answer; `monitor` sets its own.
        """
        return self.access.observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self.access.observer = observer

    @property
    def drift(self) -> Drift | None:
        """Result of drift detection; None without `monitor`, or if the bundle has no reference."""
        return None if self._monitor is None else self._monitor.drift

    @property
    def resident(self) -> tuple[int, ...]:
        """Experts in memory, the least recently used first."""
        return self._experts.resident

    @property
    def resident_bytes(self) -> int:
        """Bytes in memory, by `costs`: of experts and all beside them; never above the budget."""
        return self._room.beside + self._experts.used

    @property
    def locked(self) -> Locked | None:
        """Memory of routers and dense parts that cannot be swapped out; None without such parts."""
        return self.models.locked

    @property
    def counts(self) -> Counts:
        """Loads and evictions of experts since the runtime was opened, or forked."""
        return self._experts.counts

    @property
    def quarantined(self) -> dict[int, str]:
        """Experts that could not be used at the last attempt, and the reasons."""
        return self._quarantine.reasons

    def pin(self, index: int) -> None:
        """Load an expert that only `release` may evict.

        Raises:
            MemoryBudgetError: another expert would not fit beside it; other errors as of `predict`.
        """
        if not 0 <= index < len(self.manifest.experts):
            last = len(self.manifest.experts) - 1
            raise UsageError(f"expert {index} does not exist; the bundle has experts 0 to {last}")
        self._experts.pin(index)

    def unpin(self, index: int) -> None:
        """Allow the expert to be evicted again."""
        self._experts.unpin(index)

    def reset(self) -> None:
        """Try experts again now that could not be used."""
        self._quarantine.clear()

    def release(self) -> None:
        """Evict all experts; the next answer loads the expert that it needs.

        It waits for answers in progress.
        """
        self._experts.clear()

    def _use_plain(self, plain: scheme.Scheme, reserved: Mapping[str, int]) -> None:
        self.scheme, self.models.pool = plain, None
        self._room = self._make_room(reserved)

    def _make_room(self, reserved: Mapping[str, int], pool: SlotPool | None = None) -> Room:
        """Compare the limits with what models take here, in slots or as interpreters."""
        found = measured_costs.known(self.folder, self.manifest)
        costs, budget, most = self._limits
        beside = {ALWAYS: found.always, **reserved}
        if pool is not None:
            beside["packing"] = pool.beside
        return Room(
            costs or (found.experts if pool is None else pool.costs),
            budget,
            most,
            opening=found.opening if costs is None and pool is None else (),
            beside=beside,
            layers=[places for _, places in self.manifest.routed],
        )

    def close(self) -> None:
        """Free the routers and the experts; the runtime then refuses inputs."""
        self.access.close()
        self._experts.clear(close=True)
        if self._prefetcher is not None:
            self._prefetcher.stop()
        if self._read_ahead is not None:
            self._read_ahead.stop()
        self.models.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """Replace, in the child, everything that another thread may have been using at the fork."""
        forking.keep(self._experts, self._prefetcher, self._read_ahead, self.models.pool)
        is_closed, observer = self.access.is_closed, self.access.observer
        # Another thread may hold what the parent reserved.
        reserved = self.task.reserve(*self._reserving)
        if self.models.pool is not None:  # the memory of its slots is the parent's too
            self._use_plain(scheme.IN_FORK, reserved)
        try:
            self._share(self._experts.pinned, inherited=True)
        except MemoryBudgetError:  # the budget holds packed experts only
            self._limits, is_closed = (None, None, None), True
            self._room = self._make_room(reserved)
            self._share(inherited=True)
        if self._monitor is None:
            self.observer = observer
        if is_closed:
            self.access.close()

    def _share(self, pinned: Iterable[int] = (), *, inherited: bool = False) -> None:
        """Create the objects that threads share."""
        self._quarantine = Quarantine(self._retry_after)
        self._experts = Residency(
            self.models.expert,
            self._room,
            quarantine=self._quarantine,
            all_must_fit=self._strict or self.task.needs_all or self.manifest.combine == "sum",
            pinned=pinned,
            policy=self.task.policy(),
            members=None if self._common is None else self._common.members(),
            pool=self.models.pool,
        )
        self._read_ahead = None if self.models.pool is None else ReadAhead(self._experts)
        self._prefetcher = Prefetcher(self._experts) if self._prefetch else None
        self._monitor: Monitor | None = None
        if self._reference is not None:
            task = self.task
            self._monitor = Monitor(
                self._reference, lambda outputs: task.drift_values(task.scores(outputs))
            )
        self.access = BundleAccess(
            self.manifest,
            self.models,
            self._experts,
            self._prefetcher,
            strict=self._strict,
            read_ahead=self._read_ahead,
            observer=None if self._monitor is None else self._monitor.observe,
            inherited=inherited,
        )


def _bytes_of(given: Size | MemoryBudget | None) -> int | None:
    if isinstance(given, MemoryBudget):
        return given.bytes
    return None if given is None else bytes_of(given, "memory_budget")
