"""The short form of `python -m tests.faults.killing`."""

from __future__ import annotations

from tests.faults.killing import kill


def test_killed_installs_leave_the_old_or_the_new_bundle() -> None:
    found = kill(20)
    assert found.total() == 20
    assert len(found) > 2
