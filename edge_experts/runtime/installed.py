"""Runtime that follows an install root: it switches when another version becomes current."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
import weakref
from collections.abc import Generator, Iterable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import EdgeExpertsError, MachineError, MemoryBudgetError, UsageError
from ..features import Features
from ..format.install_root import CURRENT, is_root
from ..format.manifest import Manifest
from .answer import Answer, Predictions
from .drift.drift_monitor import Drift
from .engine import ExpertRuntime
from .memory.memory_budget import MemoryBudget
from .memory.residency import Counts
from .packed.scheme import Scheme
from .tasks import Task
from .tasks.base import Stream

if TYPE_CHECKING:
    from .memory.memory_lock import Locked

_RETRY = 10.0  # seconds until a version that failed to open is tried again
_PATIENCE = 300.0  # seconds in which all answers in progress must end, for an exchange


def open_runtime(place: str | Path, **options: Any) -> ExpertRuntime | InstalledRuntime:
    """Open a bundle, or the runtime that follows `place` if it is an install root."""
    if is_root(Path(place)):
        return InstalledRuntime(place, **options)
    return ExpertRuntime(place, **options)


class _Opened:
    """A version, and the number of its requests in progress."""

    __slots__ = ("requests", "runtime", "target")

    def __init__(self, target: Path, runtime: ExpertRuntime):
        self.target, self.runtime, self.requests = target, runtime, 0


class _HeldStream:
    """A stream whose version stays open until it ends; see `tasks.base.Stream`."""

    def __init__(self, runtime: InstalledRuntime, example: Any):
        self._runtime, self._example = runtime, example
        self._parts = self._written()
        self._answer: Answer | None = None

    def __iter__(self) -> Iterator[str]:
        return self._parts

    def answer(self) -> Answer:
        for _ in self._parts:
            pass
        assert self._answer is not None, "a stream that failed has no answer"
        return self._answer

    def close(self) -> None:
        self._parts.close()

    def _written(self) -> Generator[str, None, None]:
        with (
            self._runtime.held() as runtime,
            contextlib.closing(runtime.stream(self._example)) as stream,
        ):
            yield from stream
            self._answer = stream.answer()


class InstalledRuntime:
    """Like `ExpertRuntime`, for bundles that `edge-experts install` put into a root.

    Every `check_every` seconds a request checks the target of `current`. If it changed, the new
    version is opened beside the old one and takes all further requests; the old one is closed after
    its last answer. If the new version does not open, the old one continues to answer, `problem`
    and a RuntimeWarning report the reason, and the new version is tried again later.

    Args:
        root: the install root of the bundles.
        check_every: seconds between two checks; 0 checks before every request.
        options: as for `ExpertRuntime`, for every version. During a switch the memory budget holds
            for each of the two versions; a `MemoryBudget` holds for both together: if it is too
            small for that, requests wait until the old version has answered and is closed.

    Raises:
        UsageError: no bundle is installed there.
        BundleError, MemoryBudgetError, MissingExtraError: as `ExpertRuntime` does.
    """

    def __init__(self, root: str | Path, *, check_every: float = 0.1, **options: Any):
        self._root, self._check_every, self._options = Path(root), check_every, options
        self.problem: str | None = None
        self._new_locks()
        if not is_root(self._root):
            raise UsageError(
                f"{root}: nothing is installed there; install a bundle with `edge-experts install`"
            )
        self._now: _Opened | None = self._open(self._pointer())
        self._next_look = monotonic() + check_every
        _following.add(self)

    def predict(self, example: Any) -> Answer:
        """Answer one example with the current version."""
        opened = self._enter()
        try:
            return opened.runtime.predict(example)
        finally:
            self._leave(opened)

    def stream(self, example: Any) -> Stream:
        """As `ExpertRuntime.stream`, all of it with the version that is current at its start."""
        return _HeldStream(self, example)

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, each with the version that is then current."""
        return map(self.predict, examples)

    def predict_batch(self, examples: Iterable[Any]) -> list[Answer]:
        """As `ExpertRuntime.predict_batch`, all with the version that is current now."""
        with self.held() as runtime:
            return runtime.predict_batch(examples)

    def predict_arrays(self, arrays: Mapping[str, np.ndarray]) -> Predictions:
        """As `ExpertRuntime.predict_arrays`, all with the version that is current now."""
        with self.held() as runtime:
            return runtime.predict_arrays(arrays)

    @contextlib.contextmanager
    def held(self) -> Iterator[ExpertRuntime]:
        """Yield the current version's runtime; it stays open and the same until the block ends."""
        opened = self._enter()
        try:
            yield opened.runtime
        finally:
            self._leave(opened)

    @property
    def manifest(self) -> Manifest:
        return self._runtime.manifest

    @property
    def task(self) -> Task:
        return self._runtime.task

    @property
    def features(self) -> Features:
        return self._runtime.features

    @property
    def quarantined(self) -> dict[int, str]:
        """As in `ExpertRuntime`, of the current version."""
        return self._runtime.quarantined

    @property
    def folder(self) -> Path:
        """Folder of the current version."""
        return self._runtime.folder

    @property
    def resident(self) -> tuple[int, ...]:
        """Experts in memory, of the current version."""
        return self._runtime.resident

    @property
    def resident_bytes(self) -> int:
        """Bytes of the current version's routers and experts in memory."""
        return self._runtime.resident_bytes

    @property
    def counts(self) -> Counts:
        """As in `ExpertRuntime`, since the current version took over."""
        return self._runtime.counts

    @property
    def scheme(self) -> Scheme:
        """How the current version's experts are loaded, as in `ExpertRuntime`."""
        return self._runtime.scheme

    @property
    def locked(self) -> Locked | None:
        """Locked memory of the current version, as in `ExpertRuntime`."""
        return self._runtime.locked

    @property
    def drift(self) -> Drift | None:
        """Result of drift detection since the current version took over, as in `ExpertRuntime`."""
        return self._runtime.drift

    def close(self) -> None:
        """Free everything; requests in progress are still answered."""
        with self._moving:
            self._replace(None)

    def __enter__(self) -> InstalledRuntime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """Forget the threads of the parent, in a forked child."""
        self._new_locks()
        if self._now is not None:
            self._now.requests = 0

    def _new_locks(self) -> None:
        self._lock = threading.Lock()  # held for a few instructions
        self._changed = threading.Condition(self._lock)
        self._exchanging = False  # one version is closed before the other is opened
        self._moving = threading.Lock()  # held by the one request that opens another version

    @property
    def _runtime(self) -> ExpertRuntime:
        opened = self._now
        if opened is None:
            raise UsageError("the runtime is closed")
        return opened.runtime

    def _enter(self) -> _Opened:
        if monotonic() >= self._next_look:
            self._look()
        with self._lock:
            while self._exchanging:
                self._changed.wait()
            opened = self._now
            if opened is None:
                raise UsageError("the runtime is closed")
            opened.requests += 1
        return opened

    def _leave(self, opened: _Opened) -> None:
        with self._lock:
            opened.requests -= 1
            idle = opened.requests == 0 and opened is not self._now
            if self._exchanging:
                self._changed.notify_all()
        if idle:
            opened.runtime.close()

    def _look(self) -> None:
        """Switch if `current` changed; other threads continue with the old version."""
        if not self._moving.acquire(blocking=False):
            return
        try:
            self._next_look = monotonic() + self._check_every
            opened = self._now
            if opened is None:
                return
            try:
                target = self._pointer()
                if target != opened.target:
                    self._switch(opened, target)
            except (EdgeExpertsError, OSError) as error:
                self._next_look = monotonic() + max(_RETRY, self._check_every)
                self.problem = f"{error}; {opened.target.name} goes on answering"
                warnings.warn(self.problem, RuntimeWarning, stacklevel=4)
                return
            self.problem = None
        finally:
            self._moving.release()

    def _replace(self, new: _Opened | None) -> None:
        with self._lock:
            old, self._now = self._now, new
            idle = old is not None and old.requests == 0
        if old is not None and idle:
            old.runtime.close()

    def _switch(self, old: _Opened, target: Path) -> None:
        """Open a version beside the old one; in its place if their common budget is too small."""
        try:
            self._replace(self._open(target))
        except MemoryBudgetError:
            if not isinstance(self._options.get("memory_budget"), MemoryBudget):
                raise
            with self._exchange(old):
                old.runtime.close()
                try:
                    self._now = self._open(target)
                except BaseException:
                    old.runtime = self._open(old.target).runtime
                    raise

    @contextlib.contextmanager
    def _exchange(self, old: _Opened) -> Iterator[None]:
        """Keep requests waiting, once those in progress are answered.

        Raises:
            MachineError: they take too long.
        """
        with self._lock:
            self._exchanging = True
            is_idle = self._changed.wait_for(lambda: old.requests == 0, _PATIENCE)
        try:
            if not is_idle:
                raise MachineError(
                    f"{self._root}: the memory budget does not hold two versions, and answers in "
                    f"progress did not end in {_PATIENCE:.0f} s"
                )
            yield
        finally:
            with self._lock:
                self._exchanging = False
                self._changed.notify_all()

    def _pointer(self) -> Path:
        return (self._root / CURRENT).readlink()

    def _open(self, target: Path) -> _Opened:
        return _Opened(target, ExpertRuntime(self._root / target, **self._options))


_following: weakref.WeakSet[InstalledRuntime] = weakref.WeakSet()


def _in_child() -> None:
    for runtime in list(_following):
        runtime.after_fork()


os.register_at_fork(after_in_child=_in_child)
