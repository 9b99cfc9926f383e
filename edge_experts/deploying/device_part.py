"""Modules that a board runs: every layer up to measuring and serving, and the command line.

The list follows the layers in pyproject.toml; a test compares them. Training, conversion,
experiments and `deploy` itself are not needed on a board.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

DEVICE_PART = (
    "__init__",
    "__main__",
    # the base layer
    "errors",
    "installation",
    "keras_setup",
    "native_stderr",
    "plotting",
    "progress",
    "registry",
    "subprocesses",
    "text_table",
    "version",
    # layers of the device
    "compression",
    "format",
    "features",
    "datasets",
    "runtime",
    "benchmarking",
    "serving",
    "updates",
    # commands; those of the host are thin, and name the missing part on a board
    "cli",
)


def device_files(package: Path) -> Iterator[Path]:
    """Yields the files of the device part, from the folder of the package `edge_experts`."""
    yield package / "py.typed"
    for name in DEVICE_PART:
        folder = package / name
        if folder.is_dir():
            yield from (path for path in sorted(folder.rglob("*")) if _is_source(path, folder))
        else:
            yield folder.with_suffix(".py")


def _is_source(path: Path, folder: Path) -> bool:
    hidden = any(
        part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts
    )
    return path.is_file() and path.suffix != ".pyc" and not hidden
