"""What the models of a bundle take in memory, measured on the machine that it is on.

A file's size tells little: tflite-runtime 2.14 adds a copy of int8 weights at the second inference,
and XNNPACK one of float weights.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ...format.checked_files import read_checked
from ...format.manifest import TRUNK, FileEntry, Manifest
from ..interpreter import Model
from ..translation.writer import Writer
from . import allocator
from .process_memory import resident_bytes


def measure(
    folder: Path,
    manifest: Manifest,
    arrays: dict[str, np.ndarray],
    *,
    tell: Callable[[str], object] = lambda path: None,
) -> dict[str, int]:
    """Bytes that each model takes, by its path; at least its file twice.

    To be called in a process that does nothing else: what others allocate and free meanwhile would
    count.

    Args:
        arrays: the features of one example.
        tell: called with a model's path before it is opened, which may end the process.
    """
    entries = [entry for entry in (manifest.router, *manifest.experts) if entry is not None]
    tell(entries[0].path)
    if manifest.router is not None:
        router = Model(read_checked(folder, manifest.router), "router")
        router(arrays)
        if router.has_trunk:
            arrays = {**arrays, TRUNK: router.trunk()}
    _cost(folder, entries[0], manifest, arrays)  # the interpreter's own start is no model's cost
    found = {}
    for entry in entries:
        tell(entry.path)
        found[entry.path] = _cost(folder, entry, manifest, arrays)
    return found


def _cost(folder: Path, entry: FileEntry, manifest: Manifest, arrays: dict[str, np.ndarray]) -> int:
    """At least the file twice: a small one's cost may hide in memory that was free already."""
    allocator.return_freed_memory()
    before = resident_bytes()
    content, name = read_checked(folder, entry), str(folder / entry.path)
    writes = manifest.generation is not None and entry != manifest.router
    model = Writer(content, name, manifest) if writes else Model(content, name)
    for _ in range(2):
        model(arrays)
    return max(2 * entry.bytes, resident_bytes() - before)
