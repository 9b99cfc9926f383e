"""What the models of a bundle take in memory, measured on the machine that it is on.

A file's size tells little: tflite-runtime 2.14 adds a copy of int8 weights at the second inference,
and XNNPACK one of float weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ...format.checked_files import read_checked
from ...format.manifest import TRUNK, FileEntry, Manifest
from ..interpreter import Expert, Model
from . import allocator
from .process_memory import resident_bytes


def measure(
    folder: Path,
    manifest: Manifest,
    arrays: dict[str, np.ndarray],
    open_expert: Callable[[int, bytes, str], Expert],
    *,
    tell: Callable[[str], object] = lambda path: None,
) -> dict[str, int]:
    """Bytes that each model takes, by its path; at least its file twice.

    To be called in a process that does nothing else: what others allocate and free meanwhile would
    count.

    Args:
        arrays: the features of one example.
        open_expert: the task's, of an index, the checked bytes and a name for errors.
        tell: called with a model's path before it is opened, which may end the process.
    """
    opened: dict[str, Callable[[bytes, str], Expert]] = {}
    if manifest.router is not None:
        opened[manifest.router.path] = Model
    for index, entry in enumerate(manifest.experts):
        opened[entry.path] = partial(open_expert, index)
    router, entries = manifest.router, [e for e in (manifest.router, *manifest.experts) if e]
    tell(entries[0].path)
    if router is not None:
        model = Model(read_checked(folder, router), "router")
        model(arrays)
        if model.has_trunk:
            arrays = {**arrays, TRUNK: model.trunk()}
    # The interpreter's own start is no model's cost.
    _cost(folder, entries[0], opened[entries[0].path], arrays)
    found = {}
    for entry in entries:
        tell(entry.path)
        found[entry.path] = _cost(folder, entry, opened[entry.path], arrays)
    return found


def _cost(
    folder: Path,
    entry: FileEntry,
    opened: Callable[[bytes, str], Expert],
    arrays: dict[str, np.ndarray],
) -> int:
    """At least the file twice: a small one's cost may hide in memory that was free already."""
    allocator.return_freed_memory()
    before = resident_bytes()
    model = opened(read_checked(folder, entry), str(folder / entry.path))
    for _ in range(2):
        model(arrays)
    return max(2 * entry.bytes, resident_bytes() - before)
