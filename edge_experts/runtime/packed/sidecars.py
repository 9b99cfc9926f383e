"""Files of packed weights in an install root: packed/, beside the bundles, with an index.

They are derived data, valid for one processor and one version of the interpreter. They are made on
the board itself, are part of no bundle, and are trusted for nothing: every read is compared with
the index, and every loaded expert with an answer that the original file gave.
"""

from __future__ import annotations

import fcntl
import functools
import importlib
import json
import os
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ...errors import DigestError, MachineError
from ...format import disk
from ...format.atomic import write_whole
from ...format.bounded_read import open_regular, read_at_most
from ...format.limits import LIMITS
from ...format.manifest import canonical_digest, crc32, sha256

LITERT = "ai_edge_litert"
FOLDER, INDEX, SUFFIX = "packed", "index.json", ".xnnpack"
_BLOCK = 4096  # bytes; a multiple of the blocks of storage
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
# Lines of /proc/cpuinfo that name a processor: x86, then ARM, then RISC-V.
_NAMES = {
    *("vendor_id", "cpu family", "model", "stepping", "flags"),
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "CPU revision", "Features"),
    *("isa", "uarch"),
}


@dataclass(frozen=True)
class Sidecar:
    """Packed weights of one expert.

    Attributes:
        bytes, sha256, crc32: of the file.
        template: SHA-256 of the .tflite file under which the weights compute this expert.
        answer: CRC-32 of the expert's output for `proof_rows` of one row.
        resident_bytes: memory of a slot with it.
    """

    bytes: int
    sha256: str
    crc32: str
    template: str
    answer: str
    resident_bytes: int


class Index(NamedTuple):
    """Sidecars by the SHA-256 of their .tflite files.

    Attributes:
        started_bytes: memory that the first of them takes once in a process.
        reason: why there are none; empty if there are.
        times: time of an expert in a slot, divided by that in an interpreter, by `scheme.setting`.
    """

    files: Mapping[str, Sidecar]
    started_bytes: int
    reason: str
    times: Mapping[str, float] = MappingProxyType({})


def path_of(root: Path, digest: str) -> Path:
    """Return the path of the sidecar of a .tflite file with this SHA-256."""
    return root / FOLDER / f"{digest}{SUFFIX}"


def read(root: Path) -> Index:
    """Read the index of an install root; anything doubtful is as good as nothing."""
    try:
        raw = read_at_most(root / FOLDER / INDEX, LIMITS.manifest_bytes)
        if raw is None:
            return _none("no packed experts are here; `edge-experts install --packed` makes them")
        content = json.loads(raw)
        if content["digest"] != canonical_digest(content):
            return _none("the index of packed experts is damaged; install the bundle again")
        here = machine()
        for name, value in here.items():
            if content["machine"][name] != value:
                return _none(f"the packed experts are for another {name}; install the bundle again")
        files = {digest: Sidecar(**entry) for digest, entry in content["files"].items()}
        times = {str(name): float(ratio) for name, ratio in content.get("times", {}).items()}
        return Index(files, int(content["started_bytes"]), "", times)
    except (MachineError, ImportError, *_UNREADABLE):
        return _none("the index of packed experts is damaged; install the bundle again")


def record(root: Path, index: Index) -> None:
    """Write the index, whole, after the files that it names."""
    content: dict[str, Any] = {
        "schema_version": "1.0",
        "machine": machine(),
        "started_bytes": index.started_bytes,
        "times": dict(index.times),
        "files": {digest: asdict(one) for digest, one in index.files.items()},
    }
    content["digest"] = canonical_digest(content)
    write_whole(root / FOLDER / INDEX, json.dumps(content, indent=1) + "\n")


def keep_only(root: Path, digests: Iterable[str]) -> None:
    """Remove everything in the folder but the index and the sidecars of these .tflite files."""
    kept = {INDEX, *(f"{digest}{SUFFIX}" for digest in digests)}
    for path in (root / FOLDER).iterdir():
        if path.name not in kept:
            disk.unlink(path)


def is_whole(root: Path, digest: str, sidecar: Sidecar) -> bool:
    """Test a sidecar by its SHA-256."""
    try:
        content = read_at_most(path_of(root, digest), sidecar.bytes)
    except MachineError:
        return False
    return content is not None and sha256(content) == sidecar.sha256


def read_into(
    root: Path, digest: str, sidecar: Sidecar, view: memoryview, *, direct: bool = False
) -> None:
    """Read a sidecar straight into memory, in one read where possible, and check it there.

    Args:
        view: memory from the first byte of a page on.
        direct: past the page cache, where the file system has such reads.

    Raises:
        DigestError: it is missing or damaged; the memory may have been changed.
        MachineError, OSError: the storage fails.
    """
    path = path_of(root, digest)
    file = open_regular(path)
    if file is None:
        raise DigestError(f"{path}: missing")
    with file:
        filled = 0
        if os.fstat(file.fileno()).st_size == sidecar.bytes == len(view):
            if direct:
                filled = _read_blocks(file.fileno(), view)
            while read := os.preadv(file.fileno(), [view[filled:]], filled):
                filled += read
    if filled != sidecar.bytes or crc32(view) != sidecar.crc32:
        raise DigestError(f"{path}: damaged (its checksum differs from the index)")


def _read_blocks(file: int, view: memoryview) -> int:
    """Read the whole blocks of a file past the page cache; returns their bytes, 0 if it cannot."""
    whole, filled = len(view) // _BLOCK * _BLOCK, 0
    usual = fcntl.fcntl(file, fcntl.F_GETFL)
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, usual | os.O_DIRECT)
        while filled < whole and (read := os.preadv(file, [view[filled:whole]], filled)):
            filled += read
    except OSError:  # the storage fails, which the next read says, or it has no such reads
        filled = 0
    fcntl.fcntl(file, fcntl.F_SETFL, usual)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)  # of the last block no more than it
    return filled


@functools.cache
def machine() -> dict[str, str]:
    """Describe what packed weights are valid for: the interpreter, its version, the processor."""
    # Not `description()`: this must not choose the interpreter of the process.
    version = getattr(importlib.import_module(LITERT), "__version__", "unknown")
    return {
        "interpreter": LITERT,
        "version": version,
        "machine": platform.machine(),
        "processor": _processor(),
    }


def _processor() -> str:
    """Return a digest of what /proc/cpuinfo says of the processors, without their clocks."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    found = {line for line in lines if line.split(":")[0].strip() in _NAMES}
    return sha256("\n".join(sorted(found) or [platform.processor()]).encode())[:16]


def _none(reason: str) -> Index:
    return Index({}, 0, reason)
