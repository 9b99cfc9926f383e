"""Fresh environments with one extra each: size, packages, seconds, and whether they import."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from edge_experts.cli.device.doctor import PACKAGES
from edge_experts.errors import MachineError, ThresholdError, UsageError

from .. import output

# Copied before a build: what an earlier build left in the checkout would be shipped again.
SOURCES = ("edge_experts", "converters", "pyproject.toml", "README.md", "LICENSE")
# Imports the packages of those distributions of the arguments that are installed: the one with the
# distribution's name, or else all. Others may import packages that the extra does not install.
# Prints how many distributions there are in all.
_PROOF = """
import importlib, importlib.metadata, sys
found = {one.name.lower().replace("_", "-"): one for one in importlib.metadata.distributions()}
import edge_experts
imported = [name for name in sys.argv[1:] if name in found]
for name in imported:
    files = [file.parts for file in found[name].files or ()]
    tops = [file[0] for file in files if file[1:] == ("__init__.py",) and file[0].isidentifier()]
    for top in [top for top in tops if top.lower() == name.replace("-", "_")] or tops:
        importlib.import_module(top)
assert imported or not sys.argv[1:], f"not installed: {sys.argv[1:]}"
print(len(found))
"""


class Install(NamedTuple):
    """One extra in one environment.

    Attributes:
        extra: empty for the package alone.
        bytes: of all files of the environment, with compiled Python.
        packages: number of distributions, with edge-experts.
        seconds: of pip, with what it downloads.
        cpu_seconds: of pip, on all cores together; other work on the machine changes it little.
        error: what went wrong; empty if nothing did.
    """

    python: str
    extra: str
    bytes: int
    packages: int
    seconds: float
    cpu_seconds: float
    error: str


def extras_of(repo: Path) -> list[str]:
    """Names of the extras, in the order of pyproject.toml.

    Raises:
        UsageError: the folder is no checkout of edge-experts.
    """
    path = repo / "pyproject.toml"
    if not path.is_file() or not (repo / "edge_experts").is_dir():
        raise UsageError(f"{repo}: is no checkout of edge-experts; name one by --repo")
    return list(tomllib.loads(path.read_text("utf-8"))["project"]["optional-dependencies"])


def measure(repo: Path, pythons: Iterable[str], extras: Sequence[str]) -> list[Install]:
    """Install each extra for each Python, one after the other; progress goes to stderr.

    Raises:
        MachineError: the wheel cannot be built, or a Python is missing.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = _wheel(repo, folder)
        found = []
        for python in pythons:
            for extra in extras:
                found.append(_install(python, extra, wheel, folder / "environment"))
                output.warn(" ".join(as_table(found[-1:])[1] + (f"(Python {found[-1].python})",)))
        return found


def _install(python: str, extra: str, wheel: Path, folder: Path) -> Install:
    there = environment(python, folder)
    version = _run(there, "-c", "import sys; print('%d.%d' % sys.version_info[:2])").strip()
    # The pip of this Python: the environment holds nothing but what is installed.
    pip = ("-m", "pip", "--disable-pip-version-check", "--python", str(there))
    packages, error, start, cpu_start = 0, "", monotonic(), _cpu_of_children()
    seconds = cpu_seconds = 0.0
    try:
        target = f"{wheel}[{extra}]" if extra else str(wheel)
        _run(Path(sys.executable), *pip, "install", "--quiet", target)
        seconds, cpu_seconds = monotonic() - start, _cpu_of_children() - cpu_start
        _run(Path(sys.executable), *pip, "check")
        packages = int(_run(there, "-c", _PROOF, *PACKAGES.get(extra, ())))
    except MachineError as failed:
        error = str(failed)
        output.warn(error)
    size = _size(folder)
    shutil.rmtree(folder)
    return Install(version, extra, size, packages, seconds, cpu_seconds, error)


def _cpu_of_children() -> float:
    """Seconds of CPU of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _wheel(repo: Path, folder: Path) -> Path:
    source = folder / "source"
    source.mkdir()
    for name in SOURCES:
        copy = shutil.copytree if (repo / name).is_dir() else shutil.copy
        copy(repo / name, source / name)
    _run(Path(sys.executable), "-m", "build", "--wheel", "--outdir", str(folder), str(source))
    return next(folder.glob("*.whl"))


def environment(python: str, folder: Path) -> Path:
    """Its program `python`, in a fresh environment."""
    path = shutil.which(python)
    if path is None:
        raise MachineError(f"--python {python}: no such program")
    _run(Path(path), "-m", "venv", "--without-pip", str(folder))
    return folder / "bin" / "python"


def _run(program: Path, *arguments: str) -> str:
    done = subprocess.run(
        [str(program), *arguments], capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise MachineError(f"{program.name} {' '.join(arguments[:3])}: {' '.join(said)}")
    return done.stdout


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


def as_table(installs: Sequence[Install]) -> list[tuple[str, ...]]:
    """A row for each extra, with size, packages and time of each Python."""
    versions = list(dict.fromkeys(one.python for one in installs))
    found = {(one.extra, one.python): one for one in installs}
    rows = [("extra", *(f"Python {version}" for version in versions))]
    for extra in dict.fromkeys(one.extra for one in installs):
        cells = (found[extra, version] for version in versions)
        rows.append((extra or "(none)", *map(_cell, cells)))
    return rows


def _cell(one: Install) -> str:
    if one.error:
        return "failed"
    size = f"{one.bytes / 1e6:,.0f} MB, {one.packages} packages"
    return f"{size}, {one.seconds:.0f} s ({one.cpu_seconds:.0f} s CPU)"


def check(installs: Iterable[Install]) -> None:
    """Raise ThresholdError if an extra could not be installed or imported."""
    failed = [f"{one.extra} for Python {one.python}" for one in installs if one.error]
    if failed:
        raise ThresholdError(f"not installed: {', '.join(failed)}; the reasons are above")
