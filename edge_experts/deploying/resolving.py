"""Resolution of the wheels that a board needs, fetched by this machine's pip.

`pip download` alone is not enough: it evaluates the markers of requirements, such as
`python_version < "3.12"`, for the machine where it runs. So the requirements are resolved here with
the board's markers, and pip fetches one wheel for each.
"""

from __future__ import annotations

import email
import importlib.util
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import MissingExtraError, NetworkError
from .board_target import BoardTarget

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_ROUNDS = 20


def require() -> None:
    """Check that the resolver's packages are installed, before a board is queried.

    Raises:
        MissingExtraError: they are not.
    """
    if not all(importlib.util.find_spec(name) for name in ("packaging", "pip")):
        raise MissingExtraError("The resolver of wheels for boards (packaging, pip)", "deploy")


def fetch(
    folder: Path,
    requirements: Iterable[str],
    target: BoardTarget,
    *,
    there: tuple[str, ...] = (),
    wheels: Path | None = None,
) -> None:
    """Fill an empty folder with wheels of all requirements and of their dependencies.

    Args:
        there: names of packages that the target has, in any version.
        wheels: a folder that is the only source of wheels.

    Raises:
        NetworkError: pip finds no wheel that fits the target.
    """
    from packaging.requirements import Requirement

    wanted: dict[str, Requirement] = {}
    for text in requirements:
        _want(wanted, Requirement(text))
    chosen: dict[str, Path] = {}
    for _ in range(_ROUNDS):
        missing = [
            str(_plain(one)) for name, one in wanted.items() if name not in (*chosen, *there)
        ]
        if not missing:
            return
        _download(folder, missing, target, wheels)
        chosen = _by_name(folder)
        for name, path in list(chosen.items()):
            for further in _required_by(path, wanted[name].extras, target):
                _want(wanted, further)
        for name, path in list(chosen.items()):
            if not wanted[name].specifier.contains(_version(path), prereleases=True):
                path.unlink()
                del chosen[name]
    raise NetworkError(f"the requirements of the device part contradict each other: {missing}")


def selected(requirements: Iterable[str], extras: Iterable[str], target: BoardTarget) -> list[str]:
    """Requirements of edge-experts that apply on the target, with its own extras expanded."""
    from packaging.requirements import Requirement

    parsed = [Requirement(text) for text in requirements]
    wanted = set(extras)
    found: set[str] = set()
    for _ in range(len(parsed)):  # extras name others: [serve] is edge-experts[cli] and more
        for one in parsed:
            if _holds(one, wanted, target):
                if _name(one) == "edge-experts":
                    wanted |= one.extras
                else:
                    found.add(str(_plain(one)))
    return sorted(found)


def _want(wanted: dict[str, Requirement], new: Requirement) -> None:
    known = wanted.setdefault(_name(new), new)
    known.specifier &= new.specifier
    known.extras |= new.extras


def _required_by(wheel: Path, extras: set[str], target: BoardTarget) -> list[Requirement]:
    from packaging.requirements import Requirement

    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    parsed = [Requirement(text) for text in metadata.get_all("Requires-Dist", [])]
    return [one for one in parsed if _holds(one, extras, target)]


def _holds(one: Requirement, extras: Iterable[str], target: BoardTarget) -> bool:
    if one.marker is None:
        return True
    return any(one.marker.evaluate({**target.markers(), "extra": extra}) for extra in ("", *extras))


def _download(folder: Path, missing: list[str], target: BoardTarget, wheels: Path | None) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    command += [str(folder), "--only-binary", ":all:", "--implementation", "cp"]
    command += ["--python-version", target.version]
    for platform in target.platforms():
        command += ["--platform", platform]
    if wheels is not None:
        command += ["--no-index", "--find-links", str(wheels.absolute())]
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if wheels is not None:  # only the given folder
        env = {name: value for name, value in env.items() if name != "PIP_FIND_LINKS"}
        env["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(
        [*command, "--", *missing],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
        env=env,
    )
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        said = (errors or done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        where = "on this machine's package index" if wheels is None else f"in {wheels}"
        raise NetworkError(
            f"no wheels {where} for {target} ({said.removeprefix('ERROR: ')}): go where there is "
            "a network, or bring them along with --wheels FOLDER"
        )


def _by_name(folder: Path) -> dict[str, Path]:
    from packaging.utils import parse_wheel_filename

    return {str(parse_wheel_filename(path.name)[0]): path for path in folder.glob("*.whl")}


def _version(wheel: Path) -> str:
    from packaging.utils import parse_wheel_filename

    return str(parse_wheel_filename(wheel.name)[1])


def _name(one: Requirement) -> str:
    from packaging.utils import canonicalize_name

    return str(canonicalize_name(one.name))


def _plain(one: Requirement) -> Requirement:
    """The requirement without its marker, which was evaluated already."""
    from packaging.requirements import Requirement

    extras = f"[{','.join(sorted(one.extras))}]" if one.extras else ""
    return Requirement(f"{one.name}{extras}{one.specifier}")
