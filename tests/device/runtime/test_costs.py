"""What models take in memory: equal ones about the same, whichever is opened first."""

from __future__ import annotations

from pathlib import Path

from edge_experts import subprocesses
from edge_experts.updates.install import _costs


def test_the_first_of_equal_experts_costs_no_more(many: Path) -> None:
    found = subprocesses.call(_costs, many)
    experts = [cost for path, cost in found.items() if path.startswith("experts/")]
    # One that is opened first also brings the code of its operators, of 50 kB and more.
    assert experts[0] <= max(experts[1:]) + 2 * 4096
