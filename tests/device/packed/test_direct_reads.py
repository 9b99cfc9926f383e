"""Packed experts are read past the page cache where it has no room for them."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from edge_experts.benchmarking.measure import page_cache
from edge_experts.errors import DigestError
from edge_experts.format import disk
from edge_experts.format.manifest import crc32
from edge_experts.runtime.memory import cache_room
from edge_experts.runtime.packed import sidecars
from edge_experts.runtime.packed.memory_file import MemoryFile
from edge_experts.runtime.packed.reads import Reads

from .conftest import run
from .scenarios import logits, opened, plain, pool_of

_FCNTL = fcntl.fcntl
_TRIES = 5  # pages that the kernel has in use for a moment stay in the cache


def test_the_same_bits_and_nothing_in_the_cache(root: Path) -> None:
    paths = sorted((root / sidecars.FOLDER).glob(f"*{sidecars.SUFFIX}"))
    if not all(page_cache.can_evict(path) for path in paths):
        pytest.skip("this file system keeps its files in memory")
    run(_reads_past_the_cache, root, paths)


def test_files_of_any_size(tmp_path: Path) -> None:
    run(_sizes_past_the_cache, tmp_path)


@pytest.mark.parametrize(
    ("room", "past"), [(None, False), (0, True), (24, True), (25, False), (10**12, False)]
)
def test_the_cache_is_used_if_it_holds_a_quarter(room: int | None, past: bool) -> None:
    with patch.object(cache_room, "read", return_value=room) as looked:
        reads = Reads(100)
        assert [reads.go_past_the_cache() for _ in range(64)] == [past] * 64
        assert looked.call_count == 1
        looked.return_value = 0
        assert reads.go_past_the_cache()  # it looks again from time to time


def _reads_past_the_cache(root: Path, paths: list[Path]) -> None:
    """The same bits where the page cache has no room; the cache then has no sidecar."""
    wanted = plain(root)
    for room, is_cached in ((0, False), (10**12, True), (None, True)):
        for path in paths * _TRIES:
            page_cache.evict(path)
        with (
            patch.object(cache_room, "read", return_value=room),
            opened(root, "slots", max_experts=3) as runtime,
        ):
            assert logits(runtime) == wanted
            assert not pool_of(runtime).rebuilt
        assert all(_is_cached(path) == is_cached for path in paths), (room, paths)


def _is_cached(path: Path) -> bool:
    """Test the first block: a read that may not wait fails if it comes from storage."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
        return os.preadv(file, [bytearray(4096)], 0, os.RWF_NOWAIT) > 0
    except BlockingIOError:
        return False
    finally:
        os.close(file)


def _sizes_past_the_cache(folder: Path) -> None:
    """Files of all kinds of sizes, read past the cache and, where that is refused, through it."""
    disk.mkdir(folder / sidecars.FOLDER)
    random = np.random.default_rng(0)
    for size in (1, 4095, 4096, 4097, 3 * 4096, 200_001):
        content = random.bytes(size)
        one = sidecars.Sidecar(size, "", crc32(content), "", "", 0)
        sidecars.path_of(folder, "x").write_bytes(content)
        for control in (fcntl.fcntl, _no_direct_reads):
            memory = MemoryFile(size)
            with patch.object(fcntl, "fcntl", control):
                sidecars.read_into(folder, "x", one, memory.view, direct=True)
            assert bytes(memory.view) == content
        sidecars.path_of(folder, "x").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(DigestError, match="damaged"):
            sidecars.read_into(folder, "x", one, memory.view, direct=True)


def _no_direct_reads(file: int, command: int, flags: int = 0) -> int:
    if flags & os.O_DIRECT:
        raise OSError(errno.EINVAL, "this file system has none")
    return _FCNTL(file, command, flags)
