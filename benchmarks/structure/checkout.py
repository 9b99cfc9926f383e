"""Source files of a checkout: the working tree, or a commit that git extracts."""

from __future__ import annotations

import ast
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

PACKAGE = "edge_experts"
CONVERTERS = "converters"
# Folder of the checkout -> module name under which Python imports it.
SOURCE_FOLDERS = {
    PACKAGE: PACKAGE,
    CONVERTERS: f"{PACKAGE}.{CONVERTERS}",  # setuptools installs it as part of the package
    "benchmarks": "benchmarks",
    "device_tests": "device_tests",
}
PROJECT_FILE = "pyproject.toml"


@dataclass(frozen=True)
class SourceFile:
    """One Python file, parsed once."""

    path: str  # relative to the checkout, with forward slashes
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Syntax tree of the file."""
        return ast.parse(self.text, filename=self.path)

    @cached_property
    def lines(self) -> list[str]:
        """Lines of the file without their line ends."""
        return self.text.splitlines()

    @property
    def folder(self) -> str:
        """Path of the folder that holds the file."""
        return self.path.rpartition("/")[0]

    @property
    def source_folder(self) -> str:
        """Top-level folder of the checkout that holds the file."""
        return self.path.partition("/")[0]

    @property
    def stem(self) -> str:
        """File name without `.py`."""
        return self.path.rpartition("/")[2].removesuffix(".py")

    @property
    def is_package(self) -> bool:
        """True for `__init__.py`, whose module is the package itself."""
        return self.stem == "__init__"

    @property
    def is_named(self) -> bool:
        """False for `__init__.py` and `__main__.py`, whose names Python prescribes."""
        return self.stem not in ("__init__", "__main__")

    @property
    def module(self) -> str:
        """Dotted name under which the file is imported."""
        root, *parts = self.path.removesuffix(".py").split("/")
        if self.is_package:
            parts = parts[:-1]
        return ".".join([SOURCE_FOLDERS[root], *parts])

    @property
    def is_shipped(self) -> bool:
        """True for files of the installed package."""
        return self.source_folder in (PACKAGE, CONVERTERS)


def unit_of(module: str) -> str:
    """Name the unit of a module: a direct child of the package, or a folder outside it.

    The package's own `__init__.py` is the unit `__init__`.
    """
    root, *parts = module.split(".")
    if root != PACKAGE:
        return root
    return parts[0] if parts else "__init__"


def read_sources(root: Path) -> list[SourceFile]:
    """Read all Python files of the source folders below `root`, in order of their paths."""
    return [
        SourceFile(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
        for folder in SOURCE_FOLDERS
        for path in sorted((root / folder).rglob("*.py"))
    ]


def commit_id(repository: Path, revision: str) -> str | None:
    """Resolve a revision to its commit's id; None where git does not know it."""
    command = ["rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}"]
    result = _git(repository, *command, check=False)
    return result.stdout.decode().strip() or None


@contextmanager
def commit_tree(repository: Path, commit: str) -> Iterator[Path]:
    """Extract a commit's Python sources and project file to a temporary folder."""
    listed = _git(repository, "ls-tree", "--name-only", commit).stdout.decode().splitlines()
    wanted = [name for name in (*SOURCE_FOLDERS, PROJECT_FILE) if name in listed]
    with tempfile.TemporaryDirectory(prefix="structure-") as folder:
        if wanted:
            archive = _git(repository, "archive", "--format=tar", commit, "--", *wanted).stdout
            with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
                members = [item for item in tar if item.name.endswith((".py", PROJECT_FILE))]
                tar.extractall(folder, members, filter="data")
        yield Path(folder)


def _git(
    repository: Path, *arguments: str, check: bool = True
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], check=check, capture_output=True
    )
