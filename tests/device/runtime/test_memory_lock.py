"""Memory of dense parts that may not be swapped out, or the reason why it may."""

from __future__ import annotations

import ctypes
import mmap
import os
import resource
from pathlib import Path

import pytest

from edge_experts import ExpertRuntime, subprocesses
from edge_experts.runtime.memory import memory_lock
from tests.conftest import Cli
from tests.tiny import tiny_bundle

_EXAMPLE = Path(__file__).parents[3] / "examples" / "help.bundle"
_PAGES = 64
_PR_SET_DUMPABLE = 4  # sys/prctl.h
_NOBODY = 65534


def _locked_bytes() -> int:
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["VmLck"].split()[0]) * 1024


def _written(pages: int) -> mmap.mmap:
    """Map twice as many pages, and write to the first half of them."""
    size = pages * mmap.PAGESIZE
    memory = mmap.mmap(-1, 2 * size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory[:size] = b"x" * size
    return memory


def _locks_what_is_written() -> tuple[memory_lock.Locked, int, int]:
    before, start = memory_lock.mapped(), _locked_bytes()
    memory = _written(_PAGES)
    found = memory_lock.lock_new(before)
    during = _locked_bytes() - start
    memory.close()
    return found, during, _locked_bytes() - start


def test_new_pages_are_locked_until_they_are_freed() -> None:
    found, during, after = subprocesses.call(_locks_what_is_written)
    if found.problem:  # the user may lock less
        pytest.skip(found.problem)
    size = _PAGES * mmap.PAGESIZE
    assert found.bytes == found.of == during
    assert size <= found.bytes < 2 * size, "pages without content stay so"
    assert after <= during - size


def _without_the_right(limit: int) -> memory_lock.Locked:
    """Lock memory as a user who may lock `limit` bytes."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit, limit))
    if os.geteuid() == 0:
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)  # /proc/self is readable again
    before = memory_lock.mapped()
    kept = [_written(_PAGES), _written(4 * _PAGES)]
    found = memory_lock.lock_new(before)
    del kept
    return found


@pytest.mark.parametrize("limit", [0, 2 * _PAGES * mmap.PAGESIZE])
def test_a_limit_is_a_reason_and_no_error(limit: int) -> None:
    found = subprocesses.call(_without_the_right, limit)
    assert found.of >= 5 * _PAGES * mmap.PAGESIZE
    assert found.bytes <= limit
    assert bool(found.bytes) == bool(limit), "as much is locked as is allowed"
    assert f"`ulimit -l` allows {limit:,} bytes" in found.problem
    assert f"{found.bytes:,} of {found.of:,} bytes" in found.told()


def test_a_system_without_lists_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_lock, "_MAPS", tmp_path / "absent")
    assert memory_lock.mapped() == []
    assert memory_lock.lock_new([]).problem == "this system does not list its memory"


def test_nothing_to_lock_has_a_reason() -> None:
    assert memory_lock.Locked().told() == "no dense part is large enough to be locked in memory"


def _of_bundle(bundle: Path) -> memory_lock.Locked | None:
    with ExpertRuntime(bundle) as runtime:
        return runtime.locked


def test_doctor_says_how_much_is_locked(cli: Cli) -> None:
    done = cli("doctor", _EXAMPLE)
    assert "bytes of dense parts are locked in memory" in done.stdout, done.stderr


def test_dense_parts_are_locked_and_others_are_not(tmp_path: Path) -> None:
    found = subprocesses.call(_of_bundle, _EXAMPLE)
    assert found is not None
    assert found.of > 1_000_000
    assert (found.bytes == found.of) == (not found.problem)
    assert _of_bundle(tiny_bundle(tmp_path / "tiny.bundle")) is None
