"""Threads that read ahead: a request goes on once they read, and not before."""

from __future__ import annotations

import threading

import pytest

from edge_experts.errors import DigestError
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.memory.quarantine import Quarantine
from edge_experts.runtime.memory.read_ahead import ReadAhead, tell_reading
from edge_experts.runtime.memory.residency import Residency
from edge_experts.runtime.memory.room import Room

from ..loads import tiny

_PATIENCE = 60  # seconds, after which a test fails instead of waiting for ever


class _Storage:
    """Experts whose reads begin and end when a test says so."""

    def __init__(self) -> None:
        self.may_begin, self.may_end = threading.Event(), threading.Event()
        self.lock, self.reading = threading.Lock(), 0

    def load(self, index: int) -> Model:
        assert self.may_begin.wait(_PATIENCE)
        with self.lock:
            self.reading += 1
        tell_reading()
        tell_reading()  # a second read of the same expert is no other expert's
        assert self.may_end.wait(_PATIENCE)
        return tiny(index)


@pytest.mark.parametrize("wanted", [[0], [0, 1], [0, 1, 2], [3, 2, 1, 0]])
def test_a_request_goes_on_when_all_reads_have_begun(wanted: list[int]) -> None:
    storage = _Storage()
    experts = Residency(storage.load, Room([10] * 4))
    ahead = ReadAhead(experts)
    request = threading.Thread(target=ahead.expect, args=(wanted,), daemon=True)
    request.start()
    request.join(0.2)  # long enough for a request that does not wait
    assert request.is_alive()
    storage.may_begin.set()
    request.join(_PATIENCE)
    assert not request.is_alive()  # no read has ended yet
    assert storage.reading == len(wanted)
    assert not any(experts._slots[one].ready for one in wanted)
    storage.may_end.set()
    ahead.stop()
    assert sorted(experts.resident) == sorted(wanted)


def test_an_expert_that_is_not_even_read_holds_up_nobody() -> None:
    def missing(index: int) -> Model:
        raise DigestError(f"{index}: missing")

    experts = Residency(missing, Room([10] * 4), quarantine=Quarantine(60))
    ahead = ReadAhead(experts)
    request = threading.Thread(target=ahead.expect, args=([0, 1, 2, 3],), daemon=True)
    request.start()
    request.join(_PATIENCE)
    assert not request.is_alive()
    ahead.stop()
    assert experts.resident == ()


def test_nobody_waits_for_a_read_of_another_thread() -> None:
    tell_reading()  # a request that loads an expert by itself: nothing to tell
    experts = Residency(tiny, Room([10] * 4))
    ahead = ReadAhead(experts)
    ahead.expect([])
    experts.free(experts.hold(0))
    ahead.expect([0])  # it is there
    ahead.stop()
    assert experts.counts.loads == 1
