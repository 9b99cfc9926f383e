"""Kinds of boards: the packages of their systems, and the wheels that users get there."""

from __future__ import annotations

from dataclasses import dataclass

from edge_experts.errors import UsageError

# The device part's and the commands' requirements, as in pyproject.toml (a test installs the
# project from only these), and those of the suite for boards.
_COMMANDS = ("typer>=0.20,<0.29", "tqdm>=4.66")
_SUITE = ("pytest>=8.3",)

# Packages of a fresh Raspberry Pi OS that the project uses. `extract`ed packages run no maintainer
# scripts, so that no ARM program runs before the board is complete.
_SYSTEM = (
    *("bash", "coreutils", "dash", "findutils", "grep", "gzip", "hostname", "procps", "sed", "tar"),
    *("python3", "python3-venv", "libgomp1", "libstdc++6", "zlib1g"),
    *("openssh-sftp-server", "rsync"),  # the other end of scp and rsync
)


@dataclass(frozen=True)
class Processor:
    """Architecture in the terms of Debian, wheels and QEMU, and a board that represents it."""

    debian: str
    wheels: str
    emulator: str
    cpu: str


_ARM64 = Processor("arm64", "aarch64", "qemu-aarch64", "cortex-a72")  # of a Raspberry Pi 4
_ARMHF = Processor("armhf", "armv7l", "qemu-arm", "cortex-a7")  # of a Raspberry Pi 2


@dataclass(frozen=True)
class Board:
    """An emulated board.

    Attributes:
        suite: of Debian, on which Raspberry Pi OS is based.
        python: its version there.
        glibc: the minor version of its C library, 2.x, which decides the compatible wheels.
        packages: of Debian.
        wheels: requirements that pip resolves for the board; `wheels/` has them, for installs
            without a network.
        bare_wheels: wheels without their requirements, which Debian provides.
        libraries: links that its alternatives would have made in the folder above.
    """

    name: str
    processor: Processor
    suite: str
    python: str
    glibc: int
    packages: tuple[str, ...]
    wheels: tuple[str, ...]
    bare_wheels: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def interpreter(self) -> str:
        """Package that runs models there, as `EDGE_EXPERTS_INTERPRETER` names it."""
        litert = any("litert" in wheel for wheel in (*self.wheels, *self.bare_wheels))
        return "ai_edge_litert" if litert else "tflite_runtime"


_PLAIN = (*_COMMANDS, *_SUITE)
_BOARDS = (
    Board(
        name="arm64-bookworm",
        processor=_ARM64,
        suite="bookworm",
        python="3.11",
        glibc=36,
        packages=_SYSTEM,
        wheels=("tflite-runtime==2.14.0", "numpy>=1.26,<2", *_PLAIN),
    ),
    Board(
        name="armhf-bookworm",
        processor=_ARMHF,
        suite="bookworm",
        python="3.11",
        glibc=36,
        # PyPI has no numpy for 32-bit ARM.
        packages=(*_SYSTEM, "python3-numpy", "libatomic1"),
        wheels=_PLAIN,
        bare_wheels=("tflite-runtime==2.14.0",),
        libraries=(
            "usr/lib/arm-linux-gnueabihf/blas/libblas.so.3",
            "usr/lib/arm-linux-gnueabihf/lapack/liblapack.so.3",
        ),
    ),
    Board(
        name="arm64-trixie",
        processor=_ARM64,
        suite="trixie",
        python="3.13",
        glibc=41,
        packages=_SYSTEM,
        wheels=("ai-edge-litert>=2.0,<3", "numpy>=1.26", *_PLAIN),
    ),
)
BOARDS = {board.name: board for board in _BOARDS}


def board(name: str) -> Board:
    """Return the board of that name.

    Raises:
        UsageError: it does not exist.
    """
    if name not in BOARDS:
        raise UsageError(f"board {name!r} does not exist; it must be one of {', '.join(BOARDS)}")
    return BOARDS[name]
