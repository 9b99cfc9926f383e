"""OpenAI's chat completions, asked by OpenAI's own client and by plain HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.serving.load import running
from edge_experts import ExpertRuntime
from edge_experts.features.chat_template import Message
from edge_experts.format.limits import LIMITS
from edge_experts.runtime.tasks.language_model.continuation import Prompt
from edge_experts.serving.chat_request import chat_request
from edge_experts.serving.completion_request import FieldError
from tests.language import CONTEXT, sentence

from ...documents.pages import python
from .completing import alone, ask

PATH = "/v1/chat/completions"
TURNS = [
    {"role": "system", "content": sentence(0, 3)},
    {"role": "user", "content": sentence(3, 2)},
    {"role": "assistant", "content": " " + sentence(5, 2)},
    {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "bark"}]},
]
MESSAGES = (
    Message("system", sentence(0, 3)),
    Message("user", sentence(3, 2)),
    Message("assistant", " " + sentence(5, 2)),
    Message("user", " bark"),
)


@pytest.fixture(scope="module")
def port(chat_bundle: Path) -> Iterator[int]:
    with running(chat_bundle, "--max-tokens", "100") as (_, port):
        yield port


@pytest.fixture(scope="module")
def runtime(chat_bundle: Path) -> Iterator[ExpertRuntime]:
    with ExpertRuntime(chat_bundle) as runtime:
        yield runtime


def asked(**fields: Any) -> dict[str, Any]:
    return {"model": "chain", "messages": TURNS, "temperature": 0, "max_tokens": 12, **fields}


def test_an_answer_is_the_runtimes(port: int, runtime: ExpertRuntime) -> None:
    wanted = alone(runtime, Prompt("", 12, messages=MESSAGES))
    status, content = ask(port, asked(), PATH)
    assert status == 200
    assert content["object"] == "chat.completion"
    assert content["id"].startswith("chatcmpl-")
    assert content["choices"] == [
        {
            "index": 0,
            "logprobs": None,
            "message": {"role": "assistant", "content": wanted.text, "refusal": None},
            "finish_reason": "length",
        }
    ]
    assert wanted.text
    assert content["usage"]["prompt_tokens"] == wanted.prompt_tokens
    assert content["usage"]["completion_tokens"] == 12


def test_a_stream_has_the_same_text(port: int, runtime: ExpertRuntime) -> None:
    wanted = alone(runtime, Prompt("", 12, messages=MESSAGES))
    body = asked(stream=True, stream_options={"include_usage": True})
    status, events = ask(port, body, PATH)
    assert status == 200
    assert events.pop() == "[DONE]"
    first, *parts, last, usage = map(json.loads, events)
    assert first["object"] == "chat.completion.chunk"
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert len(parts) > 1
    assert "".join(part["choices"][0]["delta"]["content"] for part in parts) == wanted.text
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["finish_reason"] == "length"
    assert usage["usage"]["completion_tokens"] == wanted.tokens
    assert len({one["id"] for one in (first, *parts, last, usage)}) == 1


def test_openais_client(port: int, runtime: ExpertRuntime) -> None:
    openai = pytest.importorskip("openai", reason="the extra dev has it")
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as client:
        whole = alone(runtime, Prompt("", 12, messages=MESSAGES)).text
        stop = whole[5:8]
        given = {"model": "chain", "messages": TURNS, "temperature": 0}
        made = client.chat.completions.create(**given, max_completion_tokens=12, stop=stop)
        assert made.choices[0].message.content == whole[: whole.index(stop)]
        assert made.choices[0].finish_reason == "stop"

        # A client sends back the message that it got.
        turns = [*TURNS, made.choices[0].message, {"role": "user", "content": " red"}]
        again = client.chat.completions.create(**{**given, "messages": turns}, max_tokens=3)
        assert again.usage.completion_tokens == 3

        stream = client.chat.completions.create(**given, max_tokens=12, stream=True)
        text = "".join(part.choices[0].delta.content or "" for part in stream)
        assert text == whole

        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(**given, n=2)
        assert bad.value.param == "n"
        tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(**given, tools=[tool])
        assert bad.value.param == "tools"
        long = [{"role": "user", "content": sentence(0, CONTEXT)}]
        with pytest.raises(openai.BadRequestError) as bad:
            client.chat.completions.create(model="chain", messages=long)
        assert (bad.value.param, bad.value.code) == ("messages", "context_length_exceeded")


def test_an_answer_goes_on_to_the_end_of_the_context(chat_bundle: Path) -> None:
    with running(chat_bundle) as (_, port):
        body = asked(max_tokens=None, messages=[{"role": "user", "content": sentence(0, 40)}])
        status, content = ask(port, body, PATH)
    assert status == 200
    assert content["usage"]["total_tokens"] <= CONTEXT + 1
    reason = content["choices"][0]["finish_reason"]
    assert (content["usage"]["total_tokens"] == CONTEXT + 1) == (reason == "length")


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({"messages": None}, "messages", "a list of at least one message"),
        ({"messages": []}, "messages", "a list of at least one message"),
        ({"messages": ["a"]}, "messages[0]", "an object with role and content"),
        ({"messages": [{"content": "a"}]}, "messages[0].role", "role must be one of"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0].role", "tools are not"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "must be a text"),
        (
            {"messages": [{"role": "user", "content": "a", "name": "b"}]},
            "messages[0].name",
            "'name' is not supported",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content[0]",
            "images, sounds and files are not supported",
        ),
        ({"max_tokens": 101}, "max_tokens", "at most 100 here"),
        ({"max_tokens": None, "max_completion_tokens": -1}, "max_completion_tokens", "must be 0"),
        ({"max_completion_tokens": 5}, "max_tokens", "not both"),
        ({"response_format": {"type": "json_object"}}, "response_format", "not supported"),
        ({"logprobs": True}, "logprobs", "not supported"),
        ({"tool_choice": "required"}, "tool_choice", "not supported"),
        ({"prompt": "a"}, "prompt", "unknown field"),
        ({"temperature": "hot"}, "temperature", "must be a number"),
        ({"model": "other"}, "model", "no model 'other'"),
    ],
)
def test_fields_that_are_not_supported_are_named(
    port: int, fields: dict[str, Any], param: str, message: str
) -> None:
    status, content = ask(port, asked(**fields), PATH)
    assert status == (404 if param == "model" else 400)
    assert content["error"]["param"] == param
    assert message in content["error"]["message"]
    assert content["error"]["type"] == "invalid_request_error"


def test_defaults_and_neutral_values() -> None:
    plain = {"model": "chain", "messages": TURNS}
    (prompt,) = chat_request(plain, None).prompts
    assert prompt.max_tokens == LIMITS.written_tokens
    assert prompt.sampling.temperature == 1
    assert prompt.messages == MESSAGES
    neutral = {"n": 1, "tools": [], "response_format": {"type": "text"}, "user": "me"}
    assert chat_request({**plain, **neutral, "top_logprobs": None}, 9).prompts[0].max_tokens == 9
    developer = [{"role": "developer", "content": "a"}]
    assert chat_request({**plain, "messages": developer}, None).prompts[0].messages == (
        Message("system", "a"),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["role", "content", "type", "text", "x"]), inner)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["messages", "max_tokens", "stop", "tools", "n"]), JSON))
def test_any_request_is_taken_or_refused_by_name(fields: dict[str, Any]) -> None:
    try:
        made = chat_request({"model": "chain", **fields}, 100)
    except FieldError as error:
        assert error.field  # noqa: PT017
    else:
        assert made.prompts[0].messages


def test_a_model_without_a_template_refuses(language_bundle: Path) -> None:
    with running(language_bundle) as (_, port):
        status, content = ask(port, asked(), PATH)
        assert status == 400
        assert "no chat template: it continues texts" in content["error"]["message"]
        assert content["error"]["param"] == "messages"
        assert ask(port, asked(), "/v1/chat")[0] == 404
        assert ask(port, None, PATH)[0] == 405


def test_a_template_that_refuses_is_an_error_of_the_request(
    chat_bundle: Path, language_bundle: Path, tmp_path: Path
) -> None:
    from ... import chatting

    template = "{{ raise_exception('roles must alternate') }}"
    folder = chatting.bundle(language_bundle, tmp_path / "refusing.bundle", template)
    with running(folder) as (_, port):
        for stream in (False, True):
            status, content = ask(port, asked(stream=stream), PATH)
            assert status == 400
            assert "refuses the conversation: roles must alternate" in content["error"]["message"]
            assert content["error"]["code"] is None


def test_texts_are_in_no_log(chat_bundle: Path) -> None:
    with running(chat_bundle) as (process, port):
        assert process.stderr is not None
        for body in (asked(), asked(stream=True), asked(n=3)):
            ask(port, body, PATH)
        process.terminate()
        said = process.stderr.readlines()
    assert not [line for line in said if "red" in line or "cat" in line]


def test_the_documents_example(port: int, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openai", reason="the extra dev has it")
    code = python("<!-- openai-chat -->").replace('"granite"', '"chain"')
    exec(compile(code.replace(":8080", f":{port}"), "docs/chat.md", "exec"), {})
    assert capsys.readouterr().out.strip()
