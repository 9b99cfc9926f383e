"""Memory costs of a bundle's models, measured on this machine.

File sizes do not predict them: tflite-runtime 2.14 adds a copy of int8 weights at the second
inference, and XNNPACK one of float weights.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...format.checked_files import read_checked
from ...format.manifest import MODEL_SUFFIX, TRUNK, FileEntry, Manifest
from ..interpreter import Expert
from ..rows_model import given_up_bytes, open_once_copied
from . import allocator
from .process_memory import resident_bytes

_MOST_COPIES = 8
_COPIED_BYTES = 2_000_000  # of files whose models are open at once; larger ones are measured alone

_Open = Callable[[bytes, str], Expert]


class Opener(Protocol):
    """Opens files of a bundle: its task."""

    def open_part(self, path: str, content: Any, name: str) -> Any: ...

    def open_expert(self, index: int, content: bytes, path: str) -> Expert: ...


def measure(
    folder: Path,
    manifest: Manifest,
    arrays: dict[str, np.ndarray],
    task: Opener,
    *,
    tell: Callable[[str], object] = lambda path: None,
) -> dict[str, int]:
    """Measure the bytes that each model takes in memory, by its path.

    At least twice its file, without what it gave up (`RowsModel.give_up_weights`).

    Call it in a process without other work, whose allocations would be counted too.

    Args:
        arrays: the features of one example, and the task's largest state.
        task: opens the files.
        tell: called with a model's path before it is opened, which may end the process.
    """
    models: list[tuple[FileEntry, _Open, dict[str, np.ndarray]]] = []
    experts, kept = models.copy(), []  # routers stay open: freed memory would hide experts' costs
    for router, places in manifest.routed:
        given = arrays
        if router is not None:
            tell(router.path)
            model = task.open_part(router.path, read_checked(folder, router), "router")
            model(arrays)
            kept.append(model)
            if model.has_trunk:
                given = {**arrays, TRUNK: model.trunk()}
            models.append((router, partial(task.open_part, router.path), arrays))
        experts += [
            (manifest.experts[one], partial(task.open_expert, one), given) for one in places
        ]
    models += [
        (part, partial(task.open_part, part.path), arrays)
        for part in manifest.dense
        if part.path.endswith(MODEL_SUFFIX)
    ]
    models += experts
    found = {part.path: 0 for part in manifest.dense}  # others are read in small parts
    for entry, opened, given in models:
        tell(entry.path)
        # The first opening includes the start of the interpreter and the code of operators that
        # no model used before.
        _growth(folder, entry, opened, given, 1)
        found[entry.path] = _cost(folder, entry, opened, given)
    return found


def _cost(folder: Path, entry: FileEntry, opened: _Open, arrays: dict[str, np.ndarray]) -> int:
    """Measure one model.

    A small model fits into memory that an earlier one left free, so copies are kept open until
    that is filled; the later half of them counts.
    """
    copies = max(1, min(_MOST_COPIES, _COPIED_BYTES // entry.bytes))
    growth, given_up = _growth(folder, entry, opened, arrays, copies)
    counted = growth[copies // 2 :]
    return max(2 * entry.bytes - given_up, -(-sum(counted) // len(counted)))


def _growth(
    folder: Path, entry: FileEntry, opened: _Open, arrays: dict[str, np.ndarray], copies: int
) -> tuple[list[int], int]:
    """Return the bytes of memory that each further copy of a model takes, and what one gave up."""
    kept, before, name = [], [], str(folder / entry.path)
    for _ in range(copies):
        allocator.return_freed_memory()
        before.append(resident_bytes())
        model = open_once_copied(
            partial(read_checked, folder, entry), lambda content: opened(content, name)
        )
        for _ in range(2):
            model(arrays)
        kept.append(model)
    after = [*before[1:], resident_bytes()]
    return list(map(operator.sub, after, before)), given_up_bytes(model)
