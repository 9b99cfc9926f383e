"""The models of a bundle, opened: checked first, and asked only for what they can give."""

from __future__ import annotations

from pathlib import Path

from ..errors import DigestError
from ..features import Features
from ..format.checked_files import read_checked
from ..format.manifest import FileEntry, Manifest
from .fit import Shapes, must_fit, trunk_shape
from .interpreter import Delegate, Expert, Model
from .translation.signatures import Signatures
from .translation.writer import Writer, must_name


class Models:
    """The router, which is opened at once and for good, and experts, which are opened when asked.

    Args:
        threads, delegate: as for `Model`.

    Attributes:
        router: None where there is none, and once it is closed.

    Raises:
        DigestError: the router's file is missing, or differs from what the manifest pins.
        ModelError: the interpreter refuses the router, or it does not fit the bundle.
        BundleError: experts write, and examples do not name them.
    """

    def __init__(
        self, folder: Path, manifest: Manifest, features: Features, threads: int, delegate: Delegate
    ):
        self._folder, self._manifest, self._features = folder, manifest, features
        self._threads, self._delegate = threads, delegate
        self._signatures: dict[int, Signatures] = {}
        self.router = None if manifest.router is None else self._open(manifest.router)
        if manifest.generation is not None:
            must_name(features, manifest, folder)
        self._arrays: Shapes = features.shapes  # what an expert may ask for
        if self.router is not None:
            must_fit(self.router, self._arrays, len(manifest.experts), "experts")
            self._arrays = {**self._arrays, **trunk_shape(self.router)}

    def expert(self, index: int) -> Expert:
        """Open an expert.

        Raises:
            as for the router; OSError where the storage fails.
        """
        if self._manifest.generation is not None:
            return self._writer(index)
        # CRC-32: loading while someone waits for the answer must be cheap.
        expert = self._open(self._manifest.experts[index], thorough=False)
        must_fit(expert, self._arrays, len(self._manifest.labels), "labels")
        return expert

    def _writer(self, index: int) -> Writer:
        # Nobody answers in its place: who asked for it must know it by the name that he gave.
        who = f"{self._manifest.labels[index]}: " if self._manifest.by_name else ""
        try:
            content, path = self._read(self._manifest.experts[index], thorough=False)
        except DigestError as error:
            raise DigestError(f"{who}{error}") from None
        known, manifest = self._signatures.get(index), self._manifest
        writer = Writer(content, who + path, manifest, self._threads, self._delegate, known)
        writer.must_fit(self._features)
        self._signatures[index] = writer.signatures
        return writer

    def renew_router(self) -> None:
        """Give the router another interpreter; its bytes were checked already."""
        if self.router is not None:
            content, name = self.router.content, self.router.name
            self.router = Model(content, name, self._threads, self._delegate)

    def close(self) -> None:
        """Free the router."""
        self.router = None

    def _open(self, entry: FileEntry, *, thorough: bool = True) -> Model:
        content, name = self._read(entry, thorough=thorough)
        return Model(content, name, self._threads, self._delegate)

    def _read(self, entry: FileEntry, *, thorough: bool) -> tuple[bytes, str]:
        """The checked bytes of a file, and what errors call it."""
        content = read_checked(self._folder, entry, thorough=thorough)
        return content, f"{self._folder}/{entry.path}"
