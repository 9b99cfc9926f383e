"""Answer an input with the expert that the router picks, and with nothing else in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..errors import BundleError, MachineError, UsageError
from ..features import read_features
from ..format.byte_sizes import Size, bytes_of
from ..format.install_root import resolve
from ..format.manifest import Manifest
from ..format.manifest_parser import read_manifest
from . import forking
from .access import Observer
from .answer import Answer, Predictions
from .bundle_access import BundleAccess
from .drift.monitor import Drift, Monitor
from .interpreter import Delegate
from .memory import allocator, measured_costs
from .memory.prefetch import Prefetcher
from .memory.quarantine import Quarantine
from .memory.residency import Counts, Residency
from .memory.room import Room
from .models import Models
from .tasks import Task, open_task


class ExpertRuntime:
    """A bundle, opened: `predict` loads the expert that an input needs, checks it, and answers.

    Opening reads the manifest, the router and the features; experts are read when they are needed.
    Threads may share a runtime: they encode and ask different experts at the same time, and wait
    where they want the same one, or room. A process that was forked off starts with the router
    only, and loads experts of its own.

    An expert that is missing, damaged, too large for the budget, or that the interpreter fails to
    run is left alone for a while, and the router's next choice answers: `answer.degraded` and
    `answer.reason` say so.

    Args:
        bundle: the bundle's folder, or what bundles are installed in; it stays with the one that
            is current now, while `InstalledRuntime` follows.
        memory_budget: bytes, or a text such as "8MB", that the router and the experts in memory
            may take together, by `costs`; None keeps every expert that was needed. The least
            recently used expert leaves first, where the task has no other policy.
        max_experts: how many experts may be in memory; both limits hold where both are given.
        pin: experts to load now, and never to let leave.
        prefetch: load the expert that is likely to be next in a thread of its own, after each
            answer. It pays where inputs come with pauses, and their experts in a habitual order.
        strict: raise where an expert cannot be used, rather than ask another one.
        retry_after: seconds until an expert that could not be used is tried again.
        costs: bytes that each expert takes in memory; by default what was measured on this
            machine when the bundle was installed, or else on the one that converted it.
        threads: for the interpreter's kernels.
        delegate: "xnnpack", or "none": slower in float32, and with half the memory; or "reference":
            the slow kernels that others are held against.
        tune_allocator: set glibc's mmap threshold, for the whole process, so that memory of
            experts that left goes back to the system; pass False where the embedding program
            tunes malloc itself.
        monitor: compare what the router and the answers do with the bundle's reference, for
            `drift`; it costs about two microseconds an answer.

    Attributes:
        task: the loop that makes answers.
        access: routers and experts, as the task gets them.

    Raises:
        BundleError: a file is missing, damaged, or not of this format.
        MemoryBudgetError: the budget does not hold the routers and an expert; with `strict`, or
            where all experts are summed, the largest one.
        MissingExtraError: no TFLite interpreter is installed.
    """

    _opening: type[Models] = Models  # the class that opens files; a benchmark notes what it opens

    def __init__(
        self,
        bundle: str | Path,
        *,
        memory_budget: Size | None = None,
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
        if tune_allocator:
            allocator.map_large_blocks()
        self.folder = resolve(Path(bundle))
        self.manifest: Manifest = read_manifest(self.folder)
        self.features = read_features(self.folder, self.manifest.features)
        self.task: Task = open_task(self.manifest, self.features, self.folder)
        self.models = self._opening(
            self.folder, self.manifest, self.features, self.task, threads, delegate
        )
        found = measured_costs.known(self.folder, self.manifest)
        self._room = Room(
            costs or found.experts,
            None if memory_budget is None else bytes_of(memory_budget, "memory_budget"),
            max_experts,
            router=found.router,
            layers=[places for _, places in self.manifest.routed],
        )
        self._prefetch, self._strict = prefetch, strict
        self._retry_after = 0.0 if strict else retry_after
        watched = monitor and self.task.watched
        self._reference = self.manifest.reference if watched else None
        self._share()
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
        return self.task.run(example, self.access)

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, in their order."""
        return map(self.predict, examples)

    def predict_batch(self, examples: Iterable[Any]) -> list[Answer]:
        """Answer examples in an order that loads each expert once; the answers are in theirs.

        All features are in memory at once. The time that loading an expert took counts for one of
        its answers.
        """
        return self.task.run_many(examples, self.access)

    def predict_arrays(self, arrays: Mapping[str, np.ndarray]) -> Predictions:
        """Answer many examples whose features are made, with no Python object for each answer.

        Args:
            arrays: what `features.encode_all` gives, by name, (examples, ...).

        Raises:
            as `predict`; UsageError also where the arrays differ in length.
        """
        return self.task.run_arrays(arrays, self.access)

    @property
    def observer(self) -> Observer | None:
        """Called with the router's logits (None without a router) and the experts' output.

        After each answer; it is the monitor's, if there is one.
        """
        return self.access.observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self.access.observer = observer

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
        """What the router and the experts in memory take, by `costs`; never above the budget."""
        return self._room.router + self._experts.used

    @property
    def counts(self) -> Counts:
        """How often experts were loaded, and left for others, since it was opened or forked off."""
        return self._experts.counts

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
        if not 0 <= index < len(self.manifest.experts):
            raise UsageError(f"there is no expert {index}; there are {len(self.manifest.experts)}")
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
        self.access.close()
        self._experts.clear(close=True)
        if self._prefetcher is not None:
            self._prefetcher.stop()
        self.models.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """In the child: let go of everything that another thread may have had in its hands."""
        forking.keep(self._experts, self._prefetcher)
        is_closed, observer = self.access.is_closed, self.access.observer
        self._share(self._experts.pinned, inherited=True)
        if self._monitor is None:
            self.observer = observer
        if is_closed:
            self.access.close()

    def _share(self, pinned: Iterable[int] = (), *, inherited: bool = False) -> None:
        """Set up what threads share, anew."""
        self._quarantine = Quarantine(self._retry_after)
        self._experts = Residency(
            self.models.expert,
            self._room,
            quarantine=self._quarantine,
            all_must_fit=self._strict or self.manifest.combine == "sum",
            pinned=pinned,
            policy=self.task.policy(),
        )
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
            observer=None if self._monitor is None else self._monitor.observe,
            inherited=inherited,
        )
