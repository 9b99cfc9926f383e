"""The models of a bundle, opened: checked first, and asked only for what they can give."""

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
    """The routers, which are opened at once and for good, and experts, opened when asked.

    Args:
        task: opens experts.
        threads, delegate: as for `Model`.

    Attributes:
        routers: of each layer; none where nothing is to be routed, and once they are closed.

    Raises:
        DigestError: a router's file is missing, or differs from what the manifest pins.
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
        self._arrays: list[Shapes] = []  # what each expert may take
        for router, (_, places) in zip_longest(self.routers, manifest.routed):
            trunk: Shapes = {}
            if router is not None:
                must_fit(router, given, len(places), "experts")
                trunk = trunk_shape(router)
            self._arrays += [{**given, **trunk}] * len(places)

    @property
    def router(self) -> Model | None:
        """The router of a bundle that routes an input once; None where there is none."""
        return None if self._manifest.router is None else next(iter(self.routers), None)

    def expert(self, index: int) -> Expert:
        """Open an expert.

        Raises:
            as for the router; OSError where the storage fails.
        """
        prefix = self._task.prefix(index)
        try:
            # CRC-32: a load while an answer is waited for must be cheap.
            content, path = self._read(self._manifest.experts[index], thorough=False)
        except DigestError as error:
            raise DigestError(f"{prefix}{error}") from None
        expert = self._task.open_expert(
            index, content, prefix + path, self._threads, self._delegate
        )
        self._task.check_expert(expert, self._arrays[index])
        return expert

    def renew_routers(self) -> None:
        """Give the routers other interpreters; their bytes were checked already."""
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
        """The checked bytes of a file, and what errors call it."""
        content = read_checked(self._folder, entry, thorough=thorough)
        return content, f"{self._folder}/{entry.path}"
