"""The server, asked by an existing client of its protocol, and by clients that behave badly."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import hold_at_limit, running
from edge_experts import ExpertRuntime
from edge_experts.errors import UsageError
from edge_experts.features import ArrayFeatures, TableFeatures, TextFeatures
from edge_experts.format.manifest import expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.memory.process_memory import resident_bytes
from edge_experts.serving.tensors import examples_of

from ...conftest import Cli
from ...tiny import INPUTS, tiny_bundle

TEXT = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a film to remember"]}


@pytest.fixture(scope="module")
def port(sentiment_bundle: Path) -> Iterator[int]:
    with running(sentiment_bundle, "--max-body", "100KB", "--max-examples", "40") as (_, port):
        yield port


def ask(port: int, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request(method, path, raw, headers)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    kind = response.headers["content-type"]
    return response.status, json.loads(content) if "json" in kind else content.decode()


def model_path(bundle: Path) -> str:
    return f"/v2/models/{read_manifest(bundle).name}"


def test_an_existing_client_gets_the_runtimes_answers(port: int, sentiment_bundle: Path) -> None:
    from tritonclient import http as oip

    manifest, texts = read_manifest(sentiment_bundle), list(golden.read(sentiment_bundle).inputs)
    client = oip.InferenceServerClient(f"127.0.0.1:{port}")
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(manifest.name, "1")
    described = client.get_model_metadata(manifest.name)
    (tensor,) = described["inputs"]
    assert tensor.pop("parameters")["unicode"]
    assert tensor == {"name": "text", "datatype": "BYTES", "shape": [-1]}
    assert described["versions"] == ["1"]

    tensor = oip.InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(np.array(texts, object), binary_data=False)
    result = client.infer(manifest.name, [tensor], request_id="seven")
    with ExpertRuntime(sentiment_bundle) as runtime:
        alone = list(runtime.predict_many(texts))
    assert result.as_numpy("label").tolist() == [answer.label for answer in alone]
    assert result.as_numpy("expert").tolist() == [answer.expert for answer in alone]
    expected = np.array([answer.scores for answer in alone])
    np.testing.assert_allclose(result.as_numpy("scores"), expected, atol=1e-6)
    assert result.get_response()["id"] == "seven"


def test_only_the_outputs_that_are_asked_for(port: int, sentiment_bundle: Path) -> None:
    body = {"inputs": [TEXT], "outputs": [{"name": "abstained"}, {"name": "label"}]}
    status, content = ask(port, "POST", f"{model_path(sentiment_bundle)}/infer", body)
    assert status == 200
    assert [one["name"] for one in content["outputs"]] == ["abstained", "label"]
    assert content["outputs"][0]["data"] == [False]


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (400, b"", "not JSON"),
        (400, b"[" * 50_000, "not JSON"),
        (400, b"\xff\xfe", "not JSON"),
        (400, [], "must be a JSON object"),
        (400, {}, "inputs must be a list"),
        (400, {"inputs": [3]}, "inputs must be a list of objects"),
        (400, {"inputs": []}, "missing: text"),
        (400, {"inputs": [TEXT, {**TEXT, "name": "more"}]}, "unknown: more"),
        (400, {"inputs": [{**TEXT, "datatype": "FP32"}]}, "datatype must be BYTES"),
        (400, {"inputs": [{**TEXT, "shape": [2]}]}, "must be 2 texts"),
        (400, {"inputs": [{**TEXT, "shape": [1, 7]}]}, "shape must be"),
        (400, {"inputs": [{**TEXT, "shape": [-1]}]}, "whole numbers"),
        (400, {"inputs": [{**TEXT, "data": [3]}]}, "must be 1 texts"),
        (400, {"inputs": [{**TEXT, "data": None}]}, "binary data is not supported"),
        (400, {"inputs": [{**TEXT, "shape": [41], "data": ["x"] * 41}]}, "at most 40"),
        (400, {"inputs": [TEXT], "outputs": [{"name": "logits"}]}, "must be of label"),
        (413, {"inputs": [{**TEXT, "data": ["x" * 100_000]}]}, "at most 100,000 bytes"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    port: int, sentiment_bundle: Path, status: int, body: Any, message: str
) -> None:
    found, content = ask(port, "POST", f"{model_path(sentiment_bundle)}/infer", body)
    assert (found, list(content)) == (status, ["error"])
    assert message in content["error"]


def test_what_is_not_there(port: int, sentiment_bundle: Path) -> None:
    model = model_path(sentiment_bundle)
    assert ask(port, "GET", "/v2/models/other")[0] == 404
    assert ask(port, "GET", f"{model}/versions/7/ready")[0] == 404
    assert ask(port, "GET", "/v1")[0] == 404
    assert ask(port, "GET", f"{model}/infer")[0] == 405
    binary = {"Inference-Header-Content-Length": "10"}
    assert ask(port, "POST", f"{model}/infer", {"inputs": [TEXT]}, **binary)[0] == 400


def test_a_body_without_a_length_is_cut_off_too(port: int, sentiment_bundle: Path) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    parts = (b"x" * 10_000 for _ in range(11))
    connection.request("POST", f"{model_path(sentiment_bundle)}/infer", parts, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_metrics_are_what_prometheus_reads(port: int, sentiment_bundle: Path) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    assert ask(port, "POST", f"{model_path(sentiment_bundle)}/infer", {"inputs": [TEXT]})[0] == 200
    status, text = ask(port, "GET", "/metrics")
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    answered = sum(
        one.value for one in families["edge_experts_answers"].samples if "total" in one.name
    )
    assert answered >= 1
    codes = {one.labels.get("code") for one in families["edge_experts_requests"].samples}
    assert "200" in codes
    assert families["edge_experts_waiting"].samples[0].value == 0


def test_metrics_tell_of_what_is_in_memory(tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    kept = ("loads_total", "evictions_total", "resident", "resident_bytes", "quarantined")

    def metrics(port: int) -> dict[str, float]:
        lines = ask(port, "GET", "/metrics")[1].splitlines()
        values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(values[f"edge_experts_{name}"]) for name in kept}

    def infer(port: int, numbers: np.ndarray) -> None:
        tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": numbers.tolist()}
        assert ask(port, "POST", f"{model_path(bundle)}/infer", {"inputs": [tensor]})[0] == 200

    with running(bundle, "--memory-budget", "2KB") as (_, port):  # each of its models counts 1 kB
        assert metrics(port) == dict(zip(kept, (0, 0, 0, 1000, 0), strict=True))
        for row in (0, 0, 1, 0):  # experts 0, 0, 1 and 0
            infer(port, INPUTS[row])
        assert metrics(port) == dict(zip(kept, (3, 2, 1, 2000, 0), strict=True))
        (bundle / expert_path(1)).unlink()
        infer(port, INPUTS[1])
        assert metrics(port)["quarantined"] == 1


def test_held_at_its_limit(sentiment_bundle: Path) -> None:
    load = hold_at_limit(sentiment_bundle, seconds=6, clients=24)
    load.check()
    assert load.codes[503] > 0, "24 clients are more than a queue of 8"


def test_what_is_being_answered_is_finished(sentiment_bundle: Path) -> None:
    """A signal in the middle of a large request: it is answered, and the server ends."""
    texts = ["a long film about nothing at all " * 100] * 1000
    body = {"inputs": [{**TEXT, "shape": [len(texts)], "data": texts}]}
    got: list[tuple[int, Any]] = []
    with running(sentiment_bundle) as (process, port):
        path = f"{model_path(sentiment_bundle)}/infer"
        client = threading.Thread(target=lambda: got.append(ask(port, "POST", path, body)))
        client.start()
        while "edge_experts_waiting 1" not in ask(port, "GET", "/metrics")[1]:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        client.join()
        assert process.wait(30) == -signal.SIGTERM
    assert got[0][0] == 200
    assert len(got[0][1]["outputs"][0]["data"]) == len(texts)


def test_idle_connections_do_not_keep_others_out(port: int, sentiment_bundle: Path) -> None:
    idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
    try:
        assert ask(port, "GET", "/v2/health/ready") == (200, {"ready": True})
    finally:
        for connection in idle:
            connection.close()


def test_an_address_that_is_taken(port: int, sentiment_bundle: Path, cli: Cli) -> None:
    done = cli("serve", sentiment_bundle, "--port", port)
    assert done.returncode == 6
    assert f"--port {port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_damaged_expert_is_the_servers_fault(bundle: Path) -> None:
    first, *others = read_manifest(bundle).experts
    for entry in others:
        (bundle / entry.path).write_bytes(b"no expert")
    texts = list(golden.read(bundle).inputs)
    body = {"inputs": [{**TEXT, "shape": [len(texts)], "data": texts}]}
    with running(bundle) as (process, port):
        status, content = ask(port, "POST", f"{model_path(bundle)}/infer", body)
        outputs = {one["name"]: one["data"] for one in content["outputs"]}
        assert status == 200
        assert set(outputs["expert"]) == {0}
        assert any(outputs["degraded"]), "the golden examples are of all experts"
    (bundle / first.path).write_bytes(b"no expert")
    with running(bundle) as (process, port):
        status, content = ask(port, "POST", f"{model_path(bundle)}/infer", {"inputs": [TEXT]})
        assert status == 500
        assert "experts/" in content["error"]
        assert ask(port, "GET", "/v2/health/live")[0] == 200
        assert resident_bytes(process.pid) > 0


def test_tensors_of_other_kinds() -> None:
    array = ArrayFeatures((2, 2), np.zeros(()), np.ones(()))
    x = {"name": "x", "datatype": "INT64", "shape": [2, 2, 2], "data": list(range(8))}
    made = examples_of(array, [x], 2)
    np.testing.assert_array_equal(made, np.arange(8).reshape(2, 2, 2))
    nested = {**x, "data": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]}
    np.testing.assert_array_equal(examples_of(array, [nested], 2), made)
    for bad in ({"data": [0] * 7}, {"data": ["x"] * 8}, {"data": [[0], [1, 2]]}, {"shape": [8]}):
        with pytest.raises(UsageError, match="input x"):
            examples_of(array, [{**x, **bad}], 2)

    columns: list[dict[str, Any]] = [
        {"name": "height"},
        {"name": "colour", "values": ["blue", "red"]},
    ]
    table = TableFeatures.restore(
        {"columns": columns}, {"mean": np.zeros(1), "deviation": np.ones(1)}
    )
    height = {"name": "height", "datatype": "FP64", "shape": [2], "data": [1.5, None]}
    colour = {"name": "colour", "datatype": "BYTES", "shape": [2, 1], "data": [["red"], ["blue"]]}
    rows = examples_of(table, [colour, height], 2)
    assert [row["colour"] for row in rows] == ["red", "blue"]
    encoded = [table.encode(row)["x"].tolist() for row in rows]
    assert encoded == [[[1.5, 0, 1]], [[0, 1, 0]]], "a gap is the mean"
    with pytest.raises(UsageError, match="same first axis"):
        examples_of(table, [colour, {**height, "shape": [1], "data": [1]}], 2)

    text = TextFeatures.fit(["a b", "c d"], np.array([0, 1]))
    assert examples_of(text, [{**TEXT, "shape": [1, 1], "data": [["word"]]}], 1) == ["word"]
