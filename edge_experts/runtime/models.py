"""The models of a bundle, opened: checked first, and asked only for what they can give."""

from __future__ import annotations

from pathlib import Path

from ..errors import DigestError
from ..features import Features
from ..format.checked_files import read_checked
from ..format.manifest import FileEntry, Manifest
from .fit import Shapes, must_fit, trunk_shape
from .interpreter import Delegate, Expert, Model
from .tasks.base import Task


class Models:
    """The router, which is opened at once and for good, and experts, which are opened when asked.

    Args:
        task: opens experts.
        threads, delegate: as for `Model`.

    Attributes:
        router: None where there is none, and once it is closed.

    Raises:
        DigestError: the router's file is missing, or differs from what the manifest pins.
        ModelError: the interpreter refuses the router, or it does not fit the bundle.
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
        self.router = None if manifest.router is None else self._open_router(manifest.router)
        task.check_features(folder)
        self._arrays: Shapes = features.shapes  # what an expert may take
        if self.router is not None:
            must_fit(self.router, self._arrays, len(manifest.experts), "experts")
            self._arrays = {**self._arrays, **trunk_shape(self.router)}

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
        self._task.check_expert(expert, self._arrays)
        return expert

    def renew_router(self) -> None:
        """Give the router another interpreter; its bytes were checked already."""
        if self.router is not None:
            content, name = self.router.content, self.router.name
            self.router = Model(content, name, self._threads, self._delegate)

    def close(self) -> None:
        """Free the router."""
        self.router = None

    def _open_router(self, entry: FileEntry) -> Model:
        content, name = self._read(entry, thorough=True)
        return Model(content, name, self._threads, self._delegate)

    def _read(self, entry: FileEntry, *, thorough: bool) -> tuple[bytes, str]:
        """The checked bytes of a file, and what errors call it."""
        content = read_checked(self._folder, entry, thorough=thorough)
        return content, f"{self._folder}/{entry.path}"
