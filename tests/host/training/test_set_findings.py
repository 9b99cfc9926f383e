"""Findings of multi-label models, beside a search over all choices."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets.targets import label_sets

LABELS = ("red", "round")


@pytest.fixture
def findings(keras: Any) -> Any:
    from edge_experts.training.report import set_findings

    return set_findings


@pytest.mark.parametrize("seed", range(20))
def test_the_oracle_is_the_best_of_all_choices(findings: Any, seed: int) -> None:
    random = np.random.default_rng(seed)
    answered = random.random((3, 5, 4)) < random.uniform(0.1, 0.6)
    wanted = random.random((5, 4)) < 0.3
    best = max(
        label_sets.micro(answered[list(choice), range(5)], wanted)
        for choice in itertools.product(range(3), repeat=5)
    )
    assert findings.oracle(answered, wanted) == pytest.approx(best)


def test_findings_have_scores_of_the_router_and_its_experts(findings: Any) -> None:
    wanted = np.array([[1, 0], [0, 1], [1, 1], [0, 0]], bool)
    answered = np.stack([wanted, ~wanted, ~wanted])
    gate = np.array([[0.8, 0.1, 0.1], [0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
    found = findings.SetFindings(gate, answered, wanted, wanted, LABELS)
    told = found.to_json()
    assert told["picked_f1"] == pytest.approx(2 * 2 / (2 + 4), abs=1e-5)
    assert (told["oracle_f1"], told["best_expert_f1"]) == (1.0, 1.0)
    assert told["expert_f1"] == [1.0, 0.0, None]
    assert told["same_labels_always_f1_micro"] == pytest.approx(2 / 3, abs=1e-5)
    assert "micro-F1 on its own" in found.as_text({"router": "learned", "balance": 0.05})
    surety = found.surety()
    assert surety is not None
    assert surety.tolist() == [0.8, 0.7, 0.5, 0.9]


def test_a_dense_network_has_a_baseline_only(findings: Any) -> None:
    wanted = np.array([[1, 0], [0, 1]], bool)
    found = findings.SetFindings(None, wanted[None], wanted, wanted, LABELS)
    assert set(found.to_json()) == {"same_labels_always_f1_micro"}
    assert found.as_text({}).startswith("The best set of labels for all examples alike")
    assert found.surety() is None
