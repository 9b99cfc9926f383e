"""Values over HTTP."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import running
from edge_experts import ExpertRuntime
from edge_experts.errors import UsageError
from edge_experts.serving.tensors import outputs_from, outputs_of
from tests.tiny import INPUTS, PICKED, tiny_regression

INPUT = {"name": "x", "datatype": "FP32", "shape": list(INPUTS.shape), "data": INPUTS.tolist()}


def test_values_are_a_tensor_of_all_outputs(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "tiny.bundle", mean=[0.1, -2], scale=[0.3, 5])
    with ExpertRuntime(bundle) as runtime:
        answers = runtime.predict_batch(INPUTS)
        assert outputs_of(runtime.task) == [
            {"name": "values", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "expert", "datatype": "INT32", "shape": [-1]},
            {"name": "degraded", "datatype": "BOOL", "shape": [-1]},
        ]
        values, expert, degraded = outputs_from(answers, runtime.task, None)
        with pytest.raises(UsageError, match="outputs: must be of values, expert, degraded"):
            outputs_from(answers, runtime.task, [{"name": "label"}])
        task = runtime.task
        found = [list(getattr(answer, "values").values()) for answer in answers]  # noqa: B009
    assert values["shape"] == [4, 2]
    assert np.float32(values["data"]).reshape(4, 2).tolist() == found
    assert max(len(str(one)) for one in values["data"]) < 14, "longer than a float32"
    assert expert["data"] == PICKED.tolist()
    assert degraded["data"] == [False] * 4
    assert task.tensor("values", []) == []


def test_a_server_answers_with_values(tmp_path: Path) -> None:
    bundle = tiny_regression(tmp_path / "tiny.bundle", mean=[0.1, 0], scale=[0.3, 3e38])
    with running(bundle) as (_, port):

        def ask(method: str, path: str, body: Any = None) -> Any:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request(method, path, None if body is None else json.dumps(body))
            content = connection.getresponse().read().decode()
            connection.close()
            return content

        asked = {"inputs": [INPUT], "outputs": [{"name": "values"}]}
        told = json.loads(ask("POST", "/v2/models/tiny/infer", asked))
        (values,) = told["outputs"]
        metrics = ask("GET", "/metrics")
    with ExpertRuntime(bundle) as runtime:
        wanted = runtime.task.tensor("values", runtime.predict_batch(INPUTS))
    assert values["data"] == wanted
    assert None in wanted, "a value beyond float32 is null"
    assert 'edge_experts_answers_total{expert="0"} 2.0' in metrics
