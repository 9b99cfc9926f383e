"""OpenAI's completions, asked by OpenAI's own client and by plain HTTP, in a server's process."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.serving.load import running
from edge_experts import ExpertRuntime
from edge_experts.runtime.tasks.language_model.continuation import Prompt
from edge_experts.runtime.tasks.language_model.sampling import Sampling
from edge_experts.serving.completion_request import completion_request

from ...documents.pages import python
from .completing import alone, ask, asked

PROMPTS = ("red cat", "small dogs bark", "\u00e9\u4e2d\U0001f600", "")


@pytest.fixture(scope="module")
def port(language_bundle: Path) -> Iterator[int]:
    with running(language_bundle, "--max-tokens", "100", "--context", "64") as (_, port):
        yield port


@pytest.fixture(scope="module")
def runtime(language_bundle: Path) -> Iterator[ExpertRuntime]:
    with ExpertRuntime(language_bundle) as runtime:
        yield runtime


@pytest.mark.parametrize("text", PROMPTS)
def test_a_completion_is_the_runtimes_answer(port: int, runtime: ExpertRuntime, text: str) -> None:
    wanted = alone(runtime, Prompt(text, 12))
    status, content = ask(port, asked(prompt=text, max_tokens=12))
    assert status == 200
    assert content["object"] == "text_completion"
    assert content["model"] == "chain"
    assert content["choices"] == [
        {"text": wanted.text, "index": 0, "logprobs": None, "finish_reason": "length"}
    ]
    prompt, written = wanted.prompt_tokens, wanted.tokens
    assert content["usage"] == {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }


@pytest.mark.parametrize("text", PROMPTS)
def test_a_stream_has_the_same_text(port: int, runtime: ExpertRuntime, text: str) -> None:
    wanted = alone(runtime, Prompt(text, 12))
    body = asked(prompt=text, max_tokens=12, stream=True, stream_options={"include_usage": True})
    status, events = ask(port, body)
    assert status == 200
    assert events.pop() == "[DONE]"
    *parts, last, usage = map(json.loads, events)
    assert len(parts) > 1
    assert "".join(part["choices"][0]["text"] for part in parts) == wanted.text
    assert {part["choices"][0]["finish_reason"] for part in parts} == {None}
    assert last["choices"][0] == {
        "text": "",
        "index": 0,
        "logprobs": None,
        "finish_reason": "length",
    }
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] == wanted.tokens
    assert len({part["id"] for part in [*parts, last, usage]}) == 1


def test_openais_client(port: int, runtime: ExpertRuntime) -> None:
    openai = pytest.importorskip("openai", reason="the extra dev has it")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
        assert [model.id for model in client.models.list()] == ["chain"]
        assert client.models.retrieve("chain").owned_by == "edge-experts"
        whole = alone(runtime, Prompt("red cat", 12)).text
        stop = whole[5:8]
        wanted = alone(runtime, Prompt("red cat", 12, (stop,)))
        assert wanted.text == whole[: whole.index(stop)]
        given = {"model": "chain", "prompt": "red cat", "max_tokens": 12, "temperature": 0}
        made = client.completions.create(**given, stop=stop)
        assert made.choices[0].text == wanted.text
        assert made.choices[0].finish_reason == "stop"
        assert made.usage.total_tokens == wanted.prompt_tokens + wanted.tokens

        wanted = alone(runtime, Prompt("red cat", 12, (), Sampling(1.0, 0.9, seed=3)))
        given |= {"temperature": 1.0, "top_p": 0.9, "seed": 3}
        stream = client.completions.create(
            **given, stream=True, stream_options={"include_usage": True}
        )
        parts = list(stream)
        assert "".join(choice.text for part in parts for choice in part.choices) == wanted.text
        assert parts[-1].usage.completion_tokens == wanted.tokens

        with pytest.raises(openai.BadRequestError) as bad:
            client.completions.create(**given, echo=True)
        assert bad.value.param == "echo"
        with pytest.raises(openai.NotFoundError) as missing:
            client.completions.create(**{**given, "model": "gpt-3"})
        assert missing.value.code == "model_not_found"


def test_the_documents_example(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openai", reason="the extra dev has it")
    code = python("<!-- openai -->").replace('"help"', '"chain"').replace(":8080", f":{port}")
    exec(compile(code, "docs/http.md", "exec"), {})
    assert "CompletionUsage(completion_tokens=" in capsys.readouterr().out


def test_defaults_are_openais(port: int) -> None:
    plain = {"model": "chain", "prompt": ["and small"]}
    prompts = completion_request({**plain, "prompt": ["and", "and"]}, None, 2).prompts
    assert prompts[0].max_tokens == 16
    assert (prompts[0].sampling.temperature, prompts[0].sampling.top_p) == (1, 1)
    assert prompts[0].sampling.seed != prompts[1].sampling.seed
    assert completion_request(plain, 5, 1).prompts[0].max_tokens == 5
    assert ask(port, {"prompt": "red"})[1]["model"] == "chain", "the only model"
    seeded = [ask(port, {**plain, "seed": 7, "user": "me"})[1]["choices"] for _ in range(2)]
    assert seeded[0] == seeded[1]


def test_neutral_values_are_accepted(port: int) -> None:
    neutral = dict.fromkeys(
        ("logprobs", "suffix", "stop", "user", "seed", "stream", "stream_options", "max_tokens")
    )
    ones = {"n": 1, "best_of": 1, "echo": False, "logit_bias": {}, "presence_penalty": 0}
    neutral |= {**ones, "frequency_penalty": 0.0}
    assert ask(port, asked(**neutral))[0] == 200
    assert ask(port, asked(repetition_penalty=1.3, max_tokens=0))[1]["choices"][0]["text"] == ""


def test_the_context_and_a_stop_that_never_comes_end_a_text(port: int) -> None:
    status, content = ask(port, asked(prompt="red cat", max_tokens=100, stop=["never", "x" * 900]))
    assert status == 200
    assert content["choices"][0]["finish_reason"] == "length"
    assert content["usage"]["total_tokens"] == 65, "the last token needs no place in the context"


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"model": 3}, "model", "name of the model"),
        ({"prompt": None}, "prompt", "must be a text"),
        ({"prompt": []}, "prompt", "must be a text"),
        ({"prompt": ["a", None]}, "prompt", "list of texts"),
        ({"prompt": ["a"] * 65}, "prompt", "at most 64 texts here, got 65"),
        ({"prompt": [1, 2]}, "prompt", "lists of tokens"),
        ({"prompt": "word " * 100_000}, "prompt", "tokens, and the context takes 64"),
        ({"prompt": "x" * 1_000_001}, "prompt", "at most 1,000,000 characters"),
        ({"max_tokens": -1}, "max_tokens", "max_tokens must be 0 to"),
        ({"max_tokens": 101}, "max_tokens", "at most 100 here"),
        ({"max_tokens": 10**30}, "max_tokens", "max_tokens must be 0 to"),
        ({"max_tokens": 1.5}, "max_tokens", "got 1.5"),
        ({"max_tokens": True}, "max_tokens", "got True"),
        ({"temperature": -0.1}, "temperature", "from 0 to 100"),
        ({"temperature": "1"}, "temperature", "from 0 to 100"),
        ({"top_p": 0}, "top_p", "above 0 to 1"),
        ({"seed": -1}, "seed", "from 0"),
        ({"seed": 0.5}, "seed", "from 0"),
        ({"stop": ""}, "stop", "none of them empty"),
        ({"stop": ["a"] * 17}, "stop", "at most 16"),
        ({"stop": ["a", 3]}, "stop", "texts"),
        ({"stop": {"a": 1}}, "stop", "list of texts"),
        ({"stop": "x" * 1001}, "stop", "1,000 characters"),
        ({"n": 2}, "n", "must be 1, got 2"),
        ({"n": True}, "n", "must be 1"),
        ({"best_of": 3}, "best_of", "must be 1"),
        ({"echo": True}, "echo", "must be false"),
        ({"logprobs": 0}, "logprobs", "must be null"),
        ({"presence_penalty": 0.5}, "presence_penalty", "must be 0"),
        ({"frequency_penalty": -1}, "frequency_penalty", "must be 0"),
        ({"suffix": "end"}, "suffix", "must be null"),
        ({"logit_bias": {"50256": -100}}, "logit_bias", "must be {}"),
        ({"user": 3}, "user", "a text"),
        ({"stream": "yes"}, "stream", "true or false"),
        ({"stream_options": {}}, "stream_options", "for stream=true"),
        ({"stream": True, "stream_options": {"x": 1}}, "stream_options", "include_usage"),
        ({"messages": []}, "messages", "unknown field 'messages'"),
        ({"\ud800\x07": 1}, "\\ud800\x07", "unknown field"),
    ],
)
def test_a_bad_field_is_named(port: int, fields: Any, param: str, message: str) -> None:
    status, content = ask(port, asked(**fields))
    assert status == 400
    error = content["error"]
    assert sorted(error) == ["code", "message", "param", "type"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert message in error["message"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "not JSON"),
        (b"[1]", 400, "JSON object"),
        (b'{"temperature": NaN}', 400, "NaN is not a JSON number"),
        (b'{"model": "chain", "prompt": "a", "temperature": 1e999}', 400, "from 0 to 100"),
        (b'{"max_tokens": ' + b"9" * 9000 + b"}", 400, "not JSON"),
        (b'{"prompt": "a", "prompt": "b"}', 400, "stands twice"),
        (b'{"model": "other\\ud800", "prompt": "a"}', 404, "this server has 'chain'"),
        (b"\x1f\x8b", 415, "uncompressed"),
        (b"x" * 8_000_001, 413, "at most 8,000,000 bytes"),
    ],
)
def test_a_bad_body(port: int, body: bytes, status: int, message: str) -> None:
    found, content = ask(port, body)
    assert found == status
    assert message in content["error"]["message"]


@pytest.mark.parametrize("text", ["\x00\x07\x1b[2J", "\r\n\n\t", "\ud800 lone", "\u202e"])
def test_control_characters_are_text(port: int, text: str) -> None:
    assert ask(port, asked(prompt=text, stream=True))[0] == 200
    assert ask(port, asked(prompt=text))[0] == 200


def test_other_paths_and_methods(port: int) -> None:
    status, content = ask(port, {}, "/v1/embeddings")
    assert status == 404
    assert "POST /v1/completions" in content["error"]["message"]
    status, content = ask(port, None, "/v1/completions")
    assert status == 405
    assert "use POST" in content["error"]["message"]
    assert ask(port, None, "/v1/models/other")[1]["error"]["code"] == "model_not_found"
    assert ask(port, None, "/v2/health/ready") == (200, {"ready": True})


def test_no_page_of_another_site_is_allowed_to_read(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps(asked(max_tokens=1))
    connection.request("POST", "/v1/completions", body, {"Origin": "https://example.org"})
    headers = connection.getresponse().headers
    connection.close()
    assert not [name for name in headers if name.lower().startswith("access-control")]
