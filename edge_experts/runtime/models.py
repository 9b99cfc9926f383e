"""Models of a bundle: files are checked and opened, and their shapes compared with the bundle."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import DigestError
from ..features import Features
from ..format.checked_files import open_checked, read_checked
from ..format.manifest import MODEL_SUFFIX, FileEntry, Manifest
from .fit import Shapes, must_fit, shapes_of, trunk_shape
from .interpreter import Delegate, Expert, Model
from .memory.measured_costs import largest_first
from .memory.slot import Pool
from .rows_model import RowsModel, open_once_copied
from .tasks.base import Task

if TYPE_CHECKING:
    from .memory.memory_lock import Locked


class Models:
    """Routers and dense parts, which are opened at once and stay open, and experts on demand.

    Args:
        task: opens the files.
        threads, delegate: as for `Model`.

    Attributes:
        routers: one for each layer; empty for a bundle without routing, and after `close`.
        dense: dense parts by their paths, as the task opens them; empty after `close`.
        pool: opens experts; None: each has an interpreter of its own.
        locked: memory of routers and dense parts that cannot be swapped out; None without dense
            parts.

    Raises:
        DigestError: one of these files is missing, or differs from its digest in the manifest.
        ModelError: the interpreter refuses a file, or it does not fit the bundle.
        BundleError: the features do not fit the task.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        features: Features,
        task: Task,
        threads: int,
        delegate: Delegate,
    ):
        self._folder, self._manifest, self._task = folder, manifest, task
        self._threads, self._delegate = threads, delegate
        task.check_features(folder)  # it knows more than the interpreter does of a foreign file
        self.locked: Locked | None = None
        self.routers: tuple[Model, ...] = ()
        self.dense: dict[str, Any] = {}
        with self._kept_in_memory():
            self._open_parts()
        self.pool: Pool | None = None
        given: Shapes = {**features.shapes, **shapes_of(task.initial_state())}
        self._arrays: list[Shapes] = []  # inputs available to each expert
        for router, (_, places) in zip_longest(self.routers, manifest.routed):
            trunk: Shapes = {}
            if router is not None:
                must_fit(router, given, len(places), "experts")
                trunk = trunk_shape(router)
            self._arrays += [{**given, **trunk}] * len(places)

    @property
    def router(self) -> Model | None:
        """Router of a bundle that routes an input once; None without a router."""
        return None if self._manifest.router is None else next(iter(self.routers), None)

    def expert(self, index: int) -> Expert:
        """Open an expert, by `pool` if there is one.

        Raises:
            the errors of opening a router; OSError if the storage fails.
        """
        return self.plain_expert(index) if self.pool is None else self.pool.load(index)

    def expert_content(self, index: int) -> bytes:
        """Read and check the original file of an expert, by SHA-256."""
        return read_checked(self._folder, self._manifest.experts[index])

    def plain_expert(self, index: int) -> Expert:
        """Open the original file of an expert, in an interpreter of its own."""
        prefix, entry = self._task.prefix(index), self._manifest.experts[index]

        def read() -> bytes:
            # CRC-32: loading during an answer must be cheap.
            return read_checked(self._folder, entry, thorough=False)

        def opened(content: bytes) -> Expert:
            name = f"{prefix}{self._folder}/{entry.path}"
            return self._task.open_expert(index, content, name, self._threads, self._delegate)

        try:
            expert = open_once_copied(read, opened)
        except DigestError as error:
            raise DigestError(f"{prefix}{error}") from None
        self._task.check_expert(expert, self._arrays[index])
        return expert

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes that are read to open each expert."""
        if self.pool is not None:
            return self.pool.sizes
        return [entry.bytes for entry in self._manifest.experts]

    def renew(self) -> None:
        """Open new interpreters for routers and dense parts."""
        with self._kept_in_memory():
            self._open_parts()

    def close(self) -> None:
        """Free the routers and the dense parts."""
        self.routers, self.dense = (), {}

    @contextlib.contextmanager
    def _kept_in_memory(self) -> Iterator[None]:
        """Lock the memory of what is opened, if there are dense parts: every token needs them."""
        if not self._manifest.dense:
            yield
            return
        from .memory import memory_lock  # not for every bundle

        before = memory_lock.mapped()
        yield
        self.locked = memory_lock.lock_new(before)

    def _open_parts(self) -> None:
        """Open routers and dense parts, and replace those that are open."""
        routers, dense = self._manifest.routers, self._manifest.dense
        before = (*self.routers, *self.dense.values())
        held = {one.name: one.content for one in before if not isinstance(one, RowsModel)}
        opened = {
            entry.path: self._open_part(entry, held) for entry in largest_first((*routers, *dense))
        }
        self.routers = tuple(opened[entry.path] for entry in routers)
        self.dense = {entry.path: opened[entry.path] for entry in dense}

    def _open_part(self, entry: FileEntry, held: Mapping[str, Any]) -> Any:
        """Open a file, from bytes that were already checked where they are `held`, by its name."""
        name = f"{self._folder}/{entry.path}"

        def read() -> Any:
            if name in held:
                return held[name]
            if entry.path.endswith(MODEL_SUFFIX):
                return read_checked(self._folder, entry)
            return open_checked(self._folder, entry)

        def opened(content: Any) -> Any:
            return self._task.open_part(entry.path, content, name, self._threads, self._delegate)

        return open_once_copied(read, opened)
