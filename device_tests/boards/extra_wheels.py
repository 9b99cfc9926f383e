"""Wheels that measurements on a board need beside its own, unpacked."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

from .building import cached, download
from .kinds import Board

MOUNTED = "extra"  # name of the folder on the board
# The tokenizer of `python -m benchmarks synthetic-moe`; llama.cpp with wheels for ARM.
_WHEELS = ("tokenizers>=0.21", "xllamacpp==2026.10.11549")


def extra_wheels(board: Board) -> Path:
    """Return the folder of the unpacked wheels; download them if they are not in the cache.

    Raises:
        MachineError: pip failed.
    """
    made_from = (dataclasses.asdict(board), _WHEELS)
    return cached(f"{board.name}-extra", made_from, lambda folder: _download(board, folder))


def _download(board: Board, folder: Path) -> None:
    download(board, folder / "wheels", "--no-deps", *_WHEELS)
    for wheel in (folder / "wheels").iterdir():
        zipfile.ZipFile(wheel).extractall(folder)
        wheel.unlink()
