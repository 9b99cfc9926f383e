"""Matrix of Keras layers: complete by introspection, and a sample of it as CI runs it."""

from __future__ import annotations

from typing import Any

import pytest

# One of each kind: recurrent with states, operators, masked, custom, and one refused.
SAMPLE = ("states of LSTM", "add", "mask, mean", "custom model", "Hashing")


def test_every_public_layer_class_has_a_case(keras: Any) -> None:
    from benchmarks.layers.layer_cases import ONLY_TF_KERAS, TABLE, layer_classes

    assert set(layer_classes()) == set(TABLE)
    assert set(TABLE) >= ONLY_TF_KERAS


def test_names_of_cases_are_unique() -> None:
    from benchmarks.layers.matrix import every_case

    names = [case.name for case in every_case()]
    assert len(names) == len(set(names))


def test_a_report_counts_what_is_refused_of_what_converts_elsewhere() -> None:
    from benchmarks.layers import matrix
    from edge_experts.errors import ThresholdError

    found = [
        {"case": case, "way": way, "outcome": outcome, "reason": "why", "int8": "", "seconds": 1}
        for case, way, outcome in (
            ("a", "plain", "works"),
            ("b", "plain", "refused"),
            ("a", "--model", "falls back"),
            ("b", "--model", "refused"),
            ("a", "weights only", "refused"),
        )
    ]
    content = matrix.report(found)
    assert content["refused_share"] == 0
    assert [row["way"] for row in content["ways"]] == ["--model", "weights only"]
    assert matrix.notes(content)[0] == "falls back: a (--model): why"
    matrix.refuse_failures(content)
    late = {**found[2], "outcome": "late"}
    with pytest.raises(ThresholdError, match="1 cases ended"):
        matrix.refuse_failures(matrix.report([*found, late]))
    with pytest.raises(ThresholdError, match=r"50\.0% refused"):
        matrix.refuse_failures(matrix.report([*found, {**found[3], "case": "a"}]))


@pytest.mark.long
def test_a_sample_of_the_matrix() -> None:
    from benchmarks.layers import matrix

    cases = [case for case in matrix.every_case() if case.name in SAMPLE]
    content = matrix.report(
        matrix.measure(cases, ("--model", "--router-model", ".keras"), processes=1)
    )
    matrix.refuse_failures(content)
    outcomes = {(each["case"], each["way"]): each["outcome"] for each in content["others"]}
    assert {case for case, _ in outcomes} == {"Hashing", "mask, mean"}
    assert outcomes["Hashing", "--model"] == "refused"
    assert outcomes["mask, mean", "--model"] == "falls back"
