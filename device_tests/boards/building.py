"""Folder of a board, built from Debian's packages and the real wheels, and kept in the cache.

    FOLDER/root          the system: an extracted Debian, read-only once it is built
    FOLDER/root/opt/site the wheels, unpacked, for the suite; a user's environment does not see it
    FOLDER/wheels        the same wheels, for installs without a network
    FOLDER/emulator      QEMU's user-mode emulator, static
    FOLDER/enter         runs a command in it; `enter` alone explains itself

Mirrors, proxies and certificates are those of apt and pip on this machine.
"""

from __future__ import annotations

import dataclasses
import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from edge_experts.errors import MachineError
from edge_experts.format.atomic import cache_folder, remove

from .kinds import Board

_HERE = Path(__file__).parent
# QEMU of bookworm crashes in LiteRT's kernels.
_EMULATORS = ("trixie", "qemu-user")
_UNREAD = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/lib/apt")


def built(board: Board) -> Path:
    """Return the board's folder; build it if it is not in the cache.

    The key is the board's definition and the scripts that build it. Later corrections of Debian's
    packages are not in the key; another `EDGE_EXPERTS_CACHE` builds anew.

    Raises:
        MachineError: a program is missing or failed; the message has its last lines.
    """
    made_from = (dataclasses.asdict(board), _HERE / "building.py", _HERE / "enter")
    return cached(board.name, made_from, lambda folder: _build(board, folder))


def cached(name: str, made_from: object, make: Callable[[Path], None]) -> Path:
    """Return a folder of the cache; `make` fills it unless one with the same key exists.

    Args:
        made_from: the key: plain values, and paths, which represent the contents of these files.
    """
    content = json.dumps(made_from, default=lambda path: _digest(path.read_bytes()))
    key = _digest(content.encode())[:12]
    folder = cache_folder() / "boards" / f"{name}-{key}"
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two tests may build the same board
        if folder.exists():
            return folder
        unfinished = folder.with_suffix(".unfinished")
        if unfinished.exists():
            remove(unfinished)
        unfinished.mkdir()
        print(f"Building {folder}", file=sys.stderr)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def host_architecture() -> str:
    """Return this machine's architecture in Debian's terms."""
    return run("dpkg", "--print-architecture").strip()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packages(folder: Path, suite: str, architecture: str, names: tuple[str, ...]) -> None:
    """Extract Debian's packages and their dependencies, without running their scripts."""
    hooks, archive = "/usr/share/mmdebstrap/hooks/maybe-merged-usr", folder.with_suffix(".tar")
    run(
        *("mmdebstrap", "--quiet", "--variant=extract", f"--hook-dir={hooks}"),
        *(f"--architectures={architecture}", f"--include={','.join(names)}", suite),
        *(str(archive), *_mirror()),
    )
    # By way of an archive: its files belong to the user who unpacks it, who need not be root.
    folder.mkdir()
    run("tar", "-xf", str(archive), "-C", str(folder), "--exclude=./dev/*")
    archive.unlink()
    for unread in _UNREAD:
        shutil.rmtree(folder / unread, ignore_errors=True)


def run(*command: str, check: bool = True) -> str:
    """Run a command and return its stdout.

    Raises:
        MachineError: the command is missing, or failed and `check` is given.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except FileNotFoundError:
        raise MachineError(f"{command[0]} is missing; .ci/run says how to install it") from None
    if done.returncode and check:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise MachineError(f"{' '.join(command[:3])} ... failed ({done.returncode}):\n{last}")
    return done.stdout


def _mirror() -> list[str]:
    """Return the Debian mirror of this machine's apt; empty on other systems than Debian.

    mmdebstrap then chooses one.
    """
    found = run("apt-get", "indextargets", "--format", "$(REPO_URI) $(ORIGIN) $(RELEASE)")
    own = [line.split() for line in found.splitlines() if line.split()[1:2] == ["Debian"]]
    plain = [uri for uri, _, release in own if "-" not in release]
    return plain[:1]


def emulator(name: str) -> Path:
    """Build a static emulator: "qemu-aarch64" or "qemu-arm"."""
    folder = cached("emulators", _EMULATORS, _emulators)
    return folder / name


def _emulators(folder: Path) -> None:
    suite, package = _EMULATORS
    packages(folder / "root", suite, host_architecture(), (package,))
    for name in ("qemu-aarch64", "qemu-arm"):
        shutil.move(folder / "root/usr/bin" / name, folder / name)
    remove(folder / "root")


def _build(board: Board, folder: Path) -> None:
    root = folder / "root"
    packages(root, board.suite, board.processor.debian, board.packages)
    for place in ("mnt", "opt/site", "run"):
        (root / place).mkdir(parents=True, exist_ok=True)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (root / "etc/group").write_text("root:x:0:\n")
    # The file that the scripts of ca-certificates would have made, which pip reads.
    authorities = sorted((root / "usr/share/ca-certificates/mozilla").glob("*.crt"))
    bundle = b"".join(path.read_bytes() for path in authorities)
    (root / "etc/ssl/certs/ca-certificates.crt").write_bytes(bundle)
    for library in board.libraries:
        (root / library).parent.parent.joinpath(Path(library).name).symlink_to(f"/{library}")
    shutil.copy(emulator(board.processor.emulator), folder / "emulator")
    shutil.copy(_HERE / "enter", folder / "enter")
    (folder / "architecture").write_text(board.processor.debian + "\n")
    (folder / "cpu").write_text(board.processor.cpu + "\n")
    _wheels(board, folder / "wheels")
    for wheel in (folder / "wheels").glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(root / "opt/site")
    _compile(board, folder)


def _wheels(board: Board, folder: Path) -> None:
    download(board, folder, *board.wheels)
    if board.bare_wheels:
        download(board, folder, "--no-deps", *board.bare_wheels)


def download(board: Board, folder: Path, *wanted: str) -> None:
    """Download the wheels that pip selects for the board, by this machine's pip.

    Args:
        wanted: requirements, and options of pip.
    """
    pip = (sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:")
    tags = [f"manylinux_2_{minor}" for minor in range(17, board.glibc + 1)] + ["manylinux2014"]
    platforms = [f"--platform={tag}_{board.processor.wheels}" for tag in tags]
    abis = [f"--abi=cp{board.python.replace('.', '')}", "--abi=abi3", "--abi=none"]
    fits = ["--implementation=cp", f"--python-version={board.python}", *abis, *platforms]
    run(*pip, *fits, f"--dest={folder}", *wanted)


def _compile(board: Board, folder: Path) -> None:
    """Compile byte code, which the read-only board cannot store on first use."""
    root = folder / "root"
    python, seen = [str(folder / "enter"), "--bind", f"{root}:root", "python3"], "/mnt/root"
    if board.python == f"{sys.version_info.major}.{sys.version_info.minor}":
        python, seen = [sys.executable], str(root)  # ten times as fast, and the same byte code
    folders = (f"usr/lib/python{board.python}", "usr/lib/python3", "opt/site")
    there = [f"{seen}/{name}" for name in folders if (root / name).is_dir()]
    # Files for other Python versions do not compile, and are left as they are.
    run(*python, "-m", "compileall", "-qq", "-j2", "-s", seen, "-p", "/", *there, check=False)
