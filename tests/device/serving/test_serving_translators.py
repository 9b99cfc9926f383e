"""Translators behind HTTP, asked by an existing client of the protocol."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import numpy as np
import pytest

from benchmarks.serving.load import hold_at_limit, running
from edge_experts import ExpertRuntime
from edge_experts.benchmarking.measure.growth import room_for_one
from edge_experts.features import TokenFeatures
from edge_experts.serving.tensors import examples_of, inputs_of

from ..many import spoil

EXAMPLES = [("open the file", "de"), ("close old page", "fr"), ("print", "de"), ("print", "fr")]


@pytest.fixture(scope="module")
def port(translator_bundle: Path) -> Iterator[int]:
    budget = str(room_for_one(translator_bundle))
    with running(translator_bundle, "--max-examples", "5", "--memory-budget", budget) as (_, port):
        yield port


def _bytes(name: str, *values: str) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES", "shape": [len(values)], "data": list(values)}


def _infer(port: int, *inputs: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
    body = json.dumps({"inputs": inputs, **more}).encode()
    where = f"http://127.0.0.1:{port}/v2/models/toy/infer"
    try:
        with urllib.request.urlopen(where, body, timeout=60) as response:
            return response.status, json.load(response)
    except HTTPError as error:
        return error.code, json.load(error)


def test_an_existing_client_gets_the_runtimes_texts(port: int, translator_bundle: Path) -> None:
    from tritonclient import http as oip

    client = oip.InferenceServerClient(f"127.0.0.1:{port}")
    described = client.get_model_metadata("toy")
    assert [(one["name"], one["datatype"]) for one in described["inputs"]] == [
        ("text", "BYTES"),
        ("to", "BYTES"),
    ]
    assert described["outputs"][0] == {"name": "text", "datatype": "BYTES", "shape": [-1]}
    tensors = []
    for place, name in enumerate(("text", "to")):
        tensor = oip.InferInput(name, [len(EXAMPLES)], "BYTES")
        values = np.array([example[place] for example in EXAMPLES], object)
        tensor.set_data_from_numpy(values, binary_data=False)
        tensors.append(tensor)
    result = client.infer("toy", tensors)
    with ExpertRuntime(translator_bundle) as runtime:
        alone = list(runtime.predict_many(EXAMPLES))
    assert result.as_numpy("text").tolist() == [answer.text for answer in alone]
    assert result.as_numpy("label").tolist() == [to for _, to in EXAMPLES]
    assert result.as_numpy("expert").tolist() == [answer.expert for answer in alone]
    expected = np.array([answer.scores for answer in alone])
    np.testing.assert_allclose(result.as_numpy("scores"), expected, atol=1e-6)


def test_a_text_of_several_sentences_is_one_answer(port: int, translator_bundle: Path) -> None:
    text = "Open the file. Close old page! " + "new table " * 35
    asked = {"outputs": [{"name": "text"}]}
    status, content = _infer(port, _bytes("text", text, "print"), _bytes("to", "de", "fr"), **asked)
    assert status == 200
    (output,) = content["outputs"]
    with ExpertRuntime(translator_bundle) as runtime:
        sentences = runtime.features.sentences(text)  # type: ignore[attr-defined]
        assert len(sentences) == 4, "a sentence that is too long is cut"
        each = [runtime.predict((sentence, "de")).text for sentence in sentences]
        assert output["data"] == [" ".join(each), runtime.predict(("print", "fr")).text]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([_bytes("text", "print")], "missing: to"),
        ([_bytes("text", "print"), _bytes("to", "tlh")], "cannot translate to 'tlh', only to de"),
        ([_bytes("text", ""), _bytes("to", "de")], "the text is empty"),
        ([_bytes("text", "\x07\u200b"), _bytes("to", "de")], "the text is empty"),
        ([_bytes("text", "a", "b"), _bytes("to", "de")], "same first axis"),
        ([_bytes("text", *"abcdef"), _bytes("to", *["de"] * 6)], "at most 5 examples"),
        ([_bytes("text", "a. b. c. d. e. f."), _bytes("to", "de")], "at most 5 sentences"),
        ([_bytes("text", "a " * 60_000), _bytes("to", "de")], "at most 100,000 characters"),
        ([{**_bytes("text", "a"), "datatype": "FP32"}, _bytes("to", "de")], "must be BYTES"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    port: int, inputs: list[dict[str, Any]], message: str
) -> None:
    status, content = _infer(port, *inputs)
    assert status == 400
    assert message in content["error"]


def test_a_damaged_language_is_the_servers_fault_and_others_go_on(toy: Path) -> None:
    spoil(toy, 1)
    with running(toy) as (_, port):
        status, content = _infer(port, _bytes("text", "print"), _bytes("to", "fr"))
        assert status == 500
        assert content["error"].startswith("fr: ")
        assert _infer(port, _bytes("text", "print"), _bytes("to", "de"))[0] == 200


def test_held_at_its_limit(translator_bundle: Path) -> None:
    load = hold_at_limit(translator_bundle, seconds=8, clients=12)
    assert (load.wrong, load.broken) == (0, 0)
    assert load.codes.keys() <= {200, 503}
    assert load.codes[200] > 0


def test_networks_on_token_ids_are_served_too() -> None:
    features = TokenFeatures((3,), below=10)
    assert inputs_of(features) == [
        {
            "name": "x",
            "datatype": "INT32",
            "shape": [-1, 3],
            "parameters": {"dtype": "int32", "range": [0, 9]},
        }
    ]
    tensor = {"name": "x", "datatype": "INT32", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}
    for example, row in zip(
        examples_of(features, [tensor], 2), [[1, 2, 3], [4, 5, 6]], strict=True
    ):
        assert features.encode(example)["x"].tolist() == [row]
