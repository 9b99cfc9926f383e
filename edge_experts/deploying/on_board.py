"""Script that runs on the board, sent to its Python over ssh. Uses the standard library only.

    python3 - ask ROOT            describe the board and its deployment; changes nothing
    python3 - build ROOT ENTRY    build a virtual environment from ROOT/wheels, test it, activate it
    python3 - state ROOT GIVEN    describe an installed bundle, and the server that answers with it

Each command ends with a line of JSON on stdout, or with a message on stderr and an exit code.
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

ENTRY = "edge-experts.json"  # in a complete environment: its content
ANSWER = "edge-experts: "  # prefix of the line of JSON; a login may print other lines
_LINK, _LOCK = "environment", "lock"
_PATIENCE, _LONGEST = 5.0, 1_000_000  # of metrics: seconds to wait, and bytes
_OURS = {_LINK, f".{_LINK}", "environments", "wheels", "bundles", "staging", _LOCK, "lost+found"}


def ask(root: Path) -> dict[str, Any]:
    """Describe the board, and what it has of an earlier deployment."""
    nearest = root
    while not nearest.exists():
        nearest = nearest.parent
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    return {
        "root": str(root),
        "user": _user(),
        "python": list(sys.version_info[:2]),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "machine": platform.machine(),
        "bits": 8 * struct.calcsize("P"),
        "glibc": _glibc(),
        "rsync": shutil.which("rsync"),
        "numpy": _numpy(),
        "pillow": importlib.util.find_spec("PIL") is not None,
        "venv": importlib.util.find_spec("venv") is not None,
        "nearest": str(nearest),
        "is_folder": nearest.is_dir(),
        "writable": os.access(nearest, os.W_OK | os.X_OK),
        "free_bytes": shutil.disk_usage(nearest).free,
        "foreign": sorted(name for name in names - _OURS if not _is_unit(name)),
        "environment": _entry(root / _LINK),
        "units": sorted(name for name in names if _is_unit(name)),
        "trusting": sorted({key.parents[1].name for key in root.glob("bundles/*/trusted/*.pub")}),
        "versions": {
            folder.parent.name: sorted(path.name for path in folder.iterdir())
            for folder in root.glob("bundles/*/versions")
        },
    }


def build(root: Path, entry: dict[str, Any]) -> dict[str, Any]:
    """Build the environment that `entry` describes, and switch to it once it has run a model.

    Args:
        entry: "digest", whose start is the environment's name; "pip" and "wheels", names in
            ROOT/wheels; "numpy", the version of the system's if that is used, or None.
    """
    environments = root / "environments"
    environments.mkdir(parents=True, exist_ok=True)
    with (root / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write(f"another deploy is at work in {root}; wait for it to end\n")
            sys.exit(6)
        for path in environments.iterdir():
            if _entry(path) is None:  # left by an interrupted build
                shutil.rmtree(path)
        folder = environments / entry["digest"][:12]
        if _entry(folder) is None:
            try:
                _fill(folder, root / "wheels", entry)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        before = (root / _LINK).resolve()
        _switch(root, folder)
        for path in environments.iterdir():
            if path not in (folder, before):  # a program may still run from the previous one
                shutil.rmtree(path)
    return {"environment": str(folder)}


def _fill(folder: Path, wheels: Path, entry: dict[str, Any]) -> None:
    import venv

    # pip is run from its wheel: ensurepip is in a Debian package that many boards lack, the module
    # venv is on all of them.
    system = entry["numpy"] is not None
    venv.create(folder, with_pip=False, symlinks=True, system_site_packages=system)
    python = str(folder / "bin" / "python")
    options = [
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--no-cache-dir",
        "--disable-pip-version-check",
    ]
    files = [str(wheels / name) for name in entry["wheels"]]
    _run([python, str(wheels / entry["pip"] / "pip"), "install", "--quiet", *options, *files])
    # Compile on all cores; pip uses one.
    _run([python, "-m", "compileall", "-qq", "-j0", "-x", "/tests?/", str(folder / "lib")])
    _run([str(folder / "bin" / "edge-experts"), "doctor", "--json"])
    os.sync()  # the entry marks a complete environment, so it is written last
    (folder / f".{ENTRY}").write_text(json.dumps(entry))
    (folder / f".{ENTRY}").rename(folder / ENTRY)
    os.sync()


def state(root: Path, given: dict[str, Any]) -> dict[str, Any]:
    """Describe an installed bundle.

    Args:
        given: "name" of the bundle's folder, and "port" of a server on this board.

    Returns:
        "current", the version that answers, or None; "environment"; "metrics", the text of the
        server's metrics, or None where none answers.
    """
    try:
        current = (root / "bundles" / given["name"] / "current").readlink().name
    except OSError:
        current = None
    address = f"http://127.0.0.1:{given['port']}/metrics"
    # A proxy of the board's environment must not be asked for its own server.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(address, timeout=_PATIENCE) as answer:
            metrics = answer.read(_LONGEST).decode(errors="replace")
    except (OSError, ValueError, http.client.HTTPException):
        metrics = None
    return {"current": current, "environment": _entry(root / _LINK), "metrics": metrics}


def _run(command: list[str]) -> None:
    # The workstation decides the content: settings of the board for pip or Python are ignored.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env.pop("PYTHONPATH", None)
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
        env={**env, "PIP_CONFIG_FILE": os.devnull, "PIP_ROOT_USER_ACTION": "ignore"},
    )
    if done.returncode:
        sys.stderr.write(f"{' '.join(command[:3])} ended with {done.returncode}: ")
        sys.stderr.write(f"{done.stdout.strip()[-2000:]}\n")
        sys.exit(4 if "doctor" in command else 6)


def _switch(root: Path, folder: Path) -> None:
    new = root / f".{_LINK}"
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    new.symlink_to(folder.relative_to(root))
    new.rename(root / _LINK)


def _entry(folder: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads((folder / ENTRY).read_text())
    except (OSError, ValueError):
        return None
    return found


def _is_unit(name: str) -> bool:
    return name.startswith("edge-experts-") and ".service" in name


def _glibc() -> list[int] | None:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        major, minor = version.split(".")[:2]
        return [int(major), int(minor)] if name == "glibc" else None
    except (OSError, ValueError):  # musl, and others
        return None


def _numpy() -> str | None:
    try:
        return importlib.metadata.version("numpy")
    except importlib.metadata.PackageNotFoundError:
        return None


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def main(arguments: list[str]) -> None:
    """Run one command; a relative `root` is relative to the home folder."""
    command, root, *rest = arguments
    place = Path.home() / Path(root).expanduser()
    try:
        if command == "ask":
            found = ask(place)
        else:
            found = {"build": build, "state": state}[command](place, json.loads(rest[0]))
    except OSError as error:
        sys.stderr.write(f"{error.filename or place}: {error.strerror or error}\n")
        sys.exit(6)
    print(ANSWER + json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
