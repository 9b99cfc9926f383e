"""Compatibility of a board with wheels: tags, markers, and supported systems."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import BoardError

_MACHINES = {"aarch64": "aarch64", "armv7l": "armv7l", "armv8l": "armv7l", "x86_64": "x86_64"}
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}  # PEP 600's other names
_OLDEST = 5  # minor version of glibc 2


@dataclass(frozen=True)
class BoardTarget:
    """Properties that decide which wheels fit: version of Python, machine, version of glibc."""

    python: tuple[int, int]
    machine: str
    glibc: tuple[int, int]

    @classmethod
    def of(cls, facts: dict[str, Any], host: str) -> BoardTarget:
        """Target of the board that `on_board.ask` described.

        Raises:
            BoardError: no TFLite interpreter has wheels for it.
        """
        machine = _MACHINES.get(facts["machine"])
        if machine == "aarch64" and facts["bits"] == 32:
            machine = "armv7l"  # Raspberry Pi OS runs a 32-bit system on a 64-bit kernel
        if machine is None or (machine == "x86_64" and facts["bits"] == 32):
            raise BoardError(
                f"{host}: {facts['machine']} with {facts['bits']} bits: there is no TFLite "
                f"interpreter for it; there is for {', '.join(sorted(set(_MACHINES.values())))}"
            )
        if facts["implementation"] != "cpython" or facts["glibc"] is None:
            raise BoardError(
                f"{host}: {facts['implementation']}, and glibc {facts['glibc'] or 'not there'}: "
                "TFLite interpreters are made for CPython and glibc, such as Debian's or "
                "Raspberry Pi OS's"
            )
        major, minor = facts["python"]
        return cls((major, minor), machine, tuple(facts["glibc"]))

    @property
    def version(self) -> str:
        return ".".join(map(str, self.python))

    def __str__(self) -> str:
        return f"Python {self.version} on {self.machine}, glibc {'.'.join(map(str, self.glibc))}"

    def platforms(self) -> list[str]:
        """Platform tags of compatible wheels, the newest first (PEP 600)."""
        tags = []
        for minor in range(self.glibc[1], _OLDEST - 1, -1):
            tags.append(f"manylinux_2_{minor}_{self.machine}")
            if minor in _LEGACY:
                tags.append(f"{_LEGACY[minor]}_{self.machine}")
        return [*tags, f"linux_{self.machine}"]

    def markers(self) -> dict[str, str]:
        """Values of the environment markers of requirements (PEP 508)."""
        return {
            "implementation_name": "cpython",
            "implementation_version": f"{self.version}.0",
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": f"{self.version}.0",
            "python_version": self.version,
            "sys_platform": "linux",
        }
