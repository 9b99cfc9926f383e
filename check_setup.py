"""Tells before the first download whether edge-experts can be installed here, and its size.

README's set-up commands run it first. It needs Python 3.6 and nothing else, so that an older Python
than edge-experts needs can say so.
"""

import platform
import shutil
import sys

OLDEST, NEWEST = (3, 11), (3, 13)
OLDEST_GLIBC = (2, 28)  # of the oldest system that all packages are built for
FETCHED, INSTALLED = 0.8, 3.2  # GB, on x86-64 Linux with Python 3.11 to 3.13
TESTED = ("Linux", "x86_64")
EXPECTED = (TESTED, ("Linux", "aarch64"), ("Darwin", "arm64"))  # TensorFlow has packages for these


def problem(
    version: "tuple[int, int]",
    system: str,
    machine: str,
    bits: int,
    libc: "tuple[str, str]",
    free: int,
) -> str:
    """Why it cannot be installed, in one sentence, and what to do; an empty text if it can.

    Args:
        version: of Python, (major, minor).
        system, machine: as `platform` names them.
        bits: 32 or 64, of Python.
        libc: name and version of the C library, ("glibc", "2.36").
        free: bytes on the disk of this folder.
    """
    if not OLDEST <= version <= NEWEST:
        found, *rest = (f"{one[0]}.{one[1]}" for one in (version, OLDEST, NEWEST))
        return (
            f"edge-experts needs Python {rest[0]} to {rest[1]}, and this is {found}: name another "
            f"in the command, as in python{rest[1]} check_setup.py && python{rest[1]} -m venv .venv"
        )
    if system == "Windows":
        return "edge-experts does not run on Windows itself: use WSL 2, which is Linux"
    if (system, machine) not in EXPECTED or bits != 64:
        return (
            f"TensorFlow has no packages for {system} on {machine} with {bits} bits: train on "
            "64-bit Linux (x86-64 or ARM) or a Mac with Apple silicon; a board that only runs "
            "bundles needs the device part alone (docs/boards.md)"
        )
    if system == "Linux" and (libc[0] != "glibc" or _numbers(libc[1]) < OLDEST_GLIBC):
        oldest = ".".join(map(str, OLDEST_GLIBC))
        name = " ".join(filter(None, libc)) or "another C library"
        return (
            f"TensorFlow's packages need glibc {oldest} or later, and this system has {name}: use "
            "Debian 11, Ubuntu 20.04 or later, or a container of one"
        )
    if free < INSTALLED * 1e9:
        return (
            f"edge-experts takes {INSTALLED} GB on the disk, and {free / 1e9:.1f} GB are free "
            "here: make room, or use a folder on another disk"
        )
    return ""


def _numbers(version: str) -> "tuple[int, ...]":
    """(2, 36) of "2.36"."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def main() -> None:
    """Say what will be fetched; end with exit code 1 where it would be in vain."""
    system, machine = platform.system(), platform.machine()
    bits = 64 if sys.maxsize > 2**32 else 32
    version, libc = (sys.version_info[0], sys.version_info[1]), platform.libc_ver()
    found = problem(version, system, machine, bits, libc, shutil.disk_usage(".").free)
    if found:
        sys.exit(f"{found}.")
    untested = "" if (system, machine) == TESTED else f"; on {system} {machine} this is not tested"
    print(
        f"Python {version[0]}.{version[1]}: pip will fetch about {FETCHED} GB, which take up "
        f"to {INSTALLED} GB on the disk{untested}.",
        flush=True,
    )


if __name__ == "__main__":
    main()
