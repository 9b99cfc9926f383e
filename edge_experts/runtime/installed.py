"""A runtime that follows an install root: when another version becomes current, it moves over."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
import weakref
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from ..errors import EdgeExpertsError, UsageError
from ..features import Features
from ..format.install_root import CURRENT, is_root
from ..format.manifest import Manifest
from .answer import Answer, Predictions
from .drift.monitor import Drift
from .engine import ExpertRuntime
from .memory.residency import Counts
from .tasks import Task

_RETRY = 10.0  # seconds until a version that did not open is tried again


def open_runtime(place: str | Path, **options: Any) -> ExpertRuntime | InstalledRuntime:
    """A runtime for a bundle, or one that follows `place` if bundles are installed there."""
    if is_root(Path(place)):
        return InstalledRuntime(place, **options)
    return ExpertRuntime(place, **options)


class _Opened:
    """A version, and how many requests are being answered by it."""

    __slots__ = ("requests", "runtime", "target")

    def __init__(self, target: Path, runtime: ExpertRuntime):
        self.target, self.runtime, self.requests = target, runtime, 0


class InstalledRuntime:
    """Like `ExpertRuntime`, for bundles that `edge-experts install` put into a root.

    Every `check_every` seconds a request looks where `current` leads. When that has changed, the
    new version is opened beside the old one, takes all requests from then on, and the old one is
    closed after its last answer. A version that does not open changes nothing: the old one goes on
    answering, `problem` and a RuntimeWarning say why, and it is tried again after a while.

    Args:
        root: what bundles are installed in.
        check_every: seconds between two looks; 0 looks before every request.
        options: as for `ExpertRuntime`, for every version. A memory budget holds for each of two
            versions while one takes over from the other.

    Raises:
        UsageError: nothing is installed there.
        BundleError, MemoryBudgetError, MissingExtraError: as `ExpertRuntime` does.
    """

    def __init__(self, root: str | Path, *, check_every: float = 0.1, **options: Any):
        self._root, self._check_every, self._options = Path(root), check_every, options
        self.problem: str | None = None
        self._new_locks()
        if not is_root(self._root):
            raise UsageError(f"{root}: nothing is installed there; `edge-experts install` does")
        self._now: _Opened | None = self._open(self._pointer())
        self._next_look = monotonic() + check_every
        _following.add(self)

    def predict(self, example: Any) -> Answer:
        """Answer one example with the version that is current."""
        opened = self._enter()
        try:
            return opened.runtime.predict(example)
        finally:
            self._leave(opened)

    def predict_many(self, examples: Iterable[Any]) -> Iterator[Answer]:
        """Answer examples one after the other, each with the version that is current then."""
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
        """The current version's runtime, which stays open, and the same, to the block's end."""
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
        """As of `ExpertRuntime`, of the version that answers now."""
        return self._runtime.quarantined

    @property
    def folder(self) -> Path:
        """Of the version that answers."""
        return self._runtime.folder

    @property
    def resident(self) -> tuple[int, ...]:
        """The experts in memory of the version that answers."""
        return self._runtime.resident

    @property
    def resident_bytes(self) -> int:
        """What that version's router and experts in memory take."""
        return self._runtime.resident_bytes

    @property
    def counts(self) -> Counts:
        """As of `ExpertRuntime`, since the version that answers took over."""
        return self._runtime.counts

    @property
    def drift(self) -> Drift | None:
        """What inputs did since the version that answers took over, as for `ExpertRuntime`."""
        return self._runtime.drift

    def close(self) -> None:
        """Free everything; requests that are being answered still are."""
        with self._moving:
            self._replace(None)

    def __enter__(self) -> InstalledRuntime:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def after_fork(self) -> None:
        """In a child: forget the threads that are not there."""
        self._new_locks()
        if self._now is not None:
            self._now.requests = 0

    def _new_locks(self) -> None:
        self._lock = threading.Lock()  # held for a few instructions
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
            opened = self._now
            if opened is None:
                raise UsageError("the runtime is closed")
            opened.requests += 1
        return opened

    def _leave(self, opened: _Opened) -> None:
        with self._lock:
            opened.requests -= 1
            idle = opened.requests == 0 and opened is not self._now
        if idle:
            opened.runtime.close()

    def _look(self) -> None:
        """Move over if the pointer has moved; other threads go on with the old version."""
        if not self._moving.acquire(blocking=False):
            return
        try:
            self._next_look = monotonic() + self._check_every
            opened = self._now
            if opened is None:
                return
            try:
                target = self._pointer()
                new = None if target == opened.target else self._open(target)
            except (EdgeExpertsError, OSError) as error:
                self._next_look = monotonic() + max(_RETRY, self._check_every)
                self.problem = f"{error}; {opened.target.name} goes on answering"
                warnings.warn(self.problem, RuntimeWarning, stacklevel=4)
                return
            self.problem = None
            if new is not None:
                self._replace(new)
        finally:
            self._moving.release()

    def _replace(self, new: _Opened | None) -> None:
        with self._lock:
            old, self._now = self._now, new
            idle = old is not None and old.requests == 0
        if old is not None and idle:
            old.runtime.close()

    def _pointer(self) -> Path:
        return (self._root / CURRENT).readlink()

    def _open(self, target: Path) -> _Opened:
        return _Opened(target, ExpertRuntime(self._root / target, **self._options))


_following: weakref.WeakSet[InstalledRuntime] = weakref.WeakSet()


def _in_child() -> None:
    for runtime in list(_following):
        runtime.after_fork()


os.register_at_fork(after_in_child=_in_child)
