"""Models of a bundle: files are checked and opened, and their shapes compared with the bundle."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from ..errors import DigestError
from ..features import Features
from ..format.checked_files import read_checked
from ..format.manifest import FileEntry, Manifest
from .fit import Shapes, must_fit, shapes_of, trunk_shape
from .interpreter import Delegate, Expert, Model
from .tasks.base import Task


class Models:
    """Routers, which are opened at once and stay open, and experts, which are opened on demand.

    Args:
        task: opens the experts.
        threads, delegate: as for `Model`.

    Attributes:
        routers: one for each layer; empty for a bundle without routing, and after `close`.

    Raises:
        DigestError: a router's file is missing, or differs from its digest in the manifest.
        ModelError: the interpreter refuses a router, or it does not fit the bundle.
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
        self.routers = tuple(map(self._open_router, manifest.routers))
        task.check_features(folder)
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
        """Open an expert.

        Raises:
            the errors of opening a router; OSError if the storage fails.
        """
        prefix = self._task.prefix(index)
        try:
            # CRC-32: loading during an answer must be cheap.
            content, path = self._read(self._manifest.experts[index], thorough=False)
        except DigestError as error:
            raise DigestError(f"{prefix}{error}") from None
        expert = self._task.open_expert(
            index, content, prefix + path, self._threads, self._delegate
        )
        self._task.check_expert(expert, self._arrays[index])
        return expert

    def renew_routers(self) -> None:
        """Open new interpreters for the routers; their bytes were already checked."""
        self.routers = tuple(
            Model(router.content, router.name, self._threads, self._delegate)
            for router in self.routers
        )

    def close(self) -> None:
        """Free the routers."""
        self.routers = ()

    def _open_router(self, entry: FileEntry) -> Model:
        content, name = self._read(entry, thorough=True)
        return Model(content, name, self._threads, self._delegate)

    def _read(self, entry: FileEntry, *, thorough: bool) -> tuple[bytes, str]:
        """Read and check a file; return its bytes and its name in errors."""
        content = read_checked(self._folder, entry, thorough=thorough)
        return content, f"{self._folder}/{entry.path}"
