"""The board computes what the host does: from its own features to the answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_experts.benchmarking.expected import Agreement, compare
from edge_experts.format.manifest_parser import read_manifest

_FLOAT = 2e-5  # tolerance of real numbers, which every processor sums in another order
_DECIDED_BY_A_STEP = 100  # at most one example in this number is a tie of two labels


@pytest.fixture(scope="module")
def agreement(published: Path, expected: Path) -> Agreement:
    found = compare(published, expected)
    print(found)
    return found


def test_features_are_the_hosts_to_the_bit(agreement: Agreement) -> None:
    assert agreement.features == 0, agreement


def test_reference_kernels_answer_as_the_hosts(published: Path, agreement: Agreement) -> None:
    if read_manifest(published).provenance.get("quantization") == "int8":
        assert agreement.reference == 0, agreement
    else:
        assert agreement.largest_output <= _FLOAT, agreement


def test_the_kernels_in_use_give_the_same_labels(agreement: Agreement) -> None:
    assert agreement.other_labels <= agreement.examples // _DECIDED_BY_A_STEP, agreement
