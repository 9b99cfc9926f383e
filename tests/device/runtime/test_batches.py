"""Many inputs at once: the same answers, and each expert loaded once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import UsageError
from edge_experts.features import encode_all
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.interpreter import Expert

from ..many import INPUTS, of_expert, spoil

KINDS: dict[str, dict[str, Any]] = {
    "one": {},
    "several": {"top_k": 3},
    "second": {"second_below": 0.5},
    "sum": {"combine": "sum", "router": None},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_the_answers_of_single_inputs(many: Path, kind: str) -> None:
    manifest = replace(read_manifest(many), **KINDS[kind])
    (many / MANIFEST).write_text(manifest.to_json())
    inputs = INPUTS[:60]
    with ExpertRuntime(many) as runtime:
        alone = [runtime.predict(example) for example in inputs]
    loads: list[int] = []
    with ExpertRuntime(many, max_experts=1) as runtime:
        real = runtime._experts._load

        def load(index: int) -> Expert:
            loads.append(index)
            return real(index)

        runtime._experts._load = load
        batch = runtime.predict_batch(iter(inputs))
        assert len(loads) == len(set(loads)) == len({e for a in alone for e in a.experts})
        arrays = runtime.predict_arrays(encode_all(runtime.features, inputs))
    for row, (one, expected) in enumerate(zip(batch, alone, strict=True)):
        assert (one.label, one.expert, one.experts) == (
            expected.label,
            expected.expert,
            expected.experts,
        )
        assert np.array_equal(one.scores, expected.scores)
        assert min(one.timings) >= 0
        assert manifest.labels[arrays.labels[row]] == expected.label
        assert arrays.scores[row] == pytest.approx(expected.scores, abs=1e-6)
        assert arrays.experts[row] == expected.expert
    assert not arrays.degraded.any()


def test_what_is_in_memory_is_asked_first(many_experts: Path) -> None:
    with ExpertRuntime(many_experts, max_experts=1) as runtime:
        last = runtime.predict(INPUTS[30]).expert
        answers = runtime.predict_batch(INPUTS[:60])
        first = next(answer for answer in answers if answer.expert == last)
        assert first.timings.load_us < max(answer.timings.load_us for answer in answers)


def test_nothing_gives_nothing(many_experts: Path) -> None:
    with ExpertRuntime(many_experts) as runtime:
        assert runtime.predict_batch([]) == []
        found = runtime.predict_arrays({"x": np.zeros((0, 16), np.float32)})
    assert found.scores.shape == (0, 4)
    assert [len(column) for column in found] == [0, 0, 0, 0]


def test_a_batch_is_degraded_where_an_input_is(many: Path) -> None:
    harmed = of_expert(many, 7)
    spoil(many, 7)
    inputs = [harmed, *INPUTS[:20], harmed]
    with ExpertRuntime(many) as runtime:
        alone = [runtime.predict(example) for example in inputs]
    with ExpertRuntime(many) as runtime:
        batch = runtime.predict_batch(inputs)
        columns = runtime.predict_arrays(encode_all(runtime.features, inputs))
    assert [one.degraded for one in batch] == [one.degraded for one in alone]
    assert [one.expert for one in batch] == [one.expert for one in alone]
    assert columns.degraded.tolist() == [one.degraded for one in alone]
    assert batch[0].degraded
    assert batch[-1].reason == batch[0].reason


def test_arrays_must_fit_each_other(many_experts: Path) -> None:
    with ExpertRuntime(many_experts) as runtime:
        with pytest.raises(UsageError, match="the same number of rows"):
            runtime.predict_arrays({"x": np.zeros((2, 16)), "y": np.zeros((3, 1))})
        runtime.close()
        with pytest.raises(UsageError, match="closed"):
            runtime.predict_arrays({"x": np.zeros((2, 16), np.float32)})
