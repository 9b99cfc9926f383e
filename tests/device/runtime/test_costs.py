"""What models take in memory: equal ones about the same, whichever is opened first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime, subprocesses
from edge_experts.errors import UsageError
from edge_experts.updates.install import _costs
from tests.tiny import INPUTS, tiny_bundle


def test_the_first_of_equal_experts_costs_no_more(many: Path) -> None:
    found = subprocesses.call(_costs, many)
    experts = [cost for path, cost in found.items() if path.startswith("experts/")]
    # One that is opened first also brings the code of its operators, of 50 kB and more.
    assert experts[0] <= max(experts[1:]) + 2 * 4096


@pytest.mark.parametrize("budget", ["8MB", " 8 mb", "7.63MiB", 8_000_000, np.int64(8_000_000)])
def test_a_budget_is_bytes_or_a_text(tmp_path: Path, budget: Any) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    with ExpertRuntime(bundle, memory_budget=budget) as runtime:
        assert runtime.predict(INPUTS[0]).label == "up"


@pytest.mark.parametrize("budget", ["8 apples", "", "-1MB", 8.5, [8], "1e3"])
def test_another_budget_is_named(tmp_path: Path, budget: Any) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    with pytest.raises(UsageError, match=r"^memory_budget must be .*8MB"):
        ExpertRuntime(bundle, memory_budget=budget)
