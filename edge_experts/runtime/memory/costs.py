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

_Open = Callable[[bytes, str], Expert]


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
        arrays: the features of one example, and the task's initial state.
        open_expert: the task's, of an index, the checked bytes and a name for errors.
        tell: called with a model's path before it is opened, which may end the process.
    """
    models: list[tuple[FileEntry, _Open, dict[str, np.ndarray]]] = []
    experts, kept = models.copy(), []  # routers stay open: freed memory would hide others' costs
    for router, places in manifest.routed:
        given = arrays
        if router is not None:
            tell(router.path)
            model = Model(read_checked(folder, router), "router")
            model(arrays)
            kept.append(model)
            if model.has_trunk:
                given = {**arrays, TRUNK: model.trunk()}
            models.append((router, Model, arrays))
        experts += [(manifest.experts[one], partial(open_expert, one), given) for one in places]
    models += experts
    found = {}
    for entry, opened, given in models:
        tell(entry.path)
        # The interpreter's own start, and the code of operators that no model used before, are no
        # model's cost: they come with the first opening, and only the second one counts.
        _cost(folder, entry, opened, given)
        found[entry.path] = _cost(folder, entry, opened, given)
    return found


def _cost(
    folder: Path,
    entry: FileEntry,
    opened: _Open,
    arrays: dict[str, np.ndarray],
) -> int:
    """At least the file twice: a small one's cost may hide in memory that was free already."""
    allocator.return_freed_memory()
    before = resident_bytes()
    model = opened(read_checked(folder, entry), str(folder / entry.path))
    for _ in range(2):
        model(arrays)
    return max(2 * entry.bytes, resident_bytes() - before)
