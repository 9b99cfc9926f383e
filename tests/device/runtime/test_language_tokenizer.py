"""Language models with a checkpoint's tokenizer: the same texts as with their own vocabulary."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import BundleError, ContextError, UsageError
from edge_experts.features.chat_template import Message
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.tasks.language_model.continuation import Continued, Prompt
from edge_experts.runtime.tasks.language_model.text_stream import TextStream
from tests.language import CONTEXT, sentence

from ...documents.pages import python

PROMPTS = ["7: " + sentence(0, 6), "12: " + sentence(2, 3), "", "größer"]


def _continued(runtime: ExpertRuntime, prompt: str | Prompt) -> Continued:
    answer = runtime.predict(prompt)
    assert isinstance(answer, Continued)
    return answer


def test_texts_are_continued_as_with_the_models_own_vocabulary(
    language_bundle: Path, chat_bundle: Path
) -> None:
    with ExpertRuntime(language_bundle) as own, ExpertRuntime(chat_bundle) as other:
        assert golden.check(other)
        for text in PROMPTS:
            wanted, found = _continued(own, Prompt(text, 40)), _continued(other, Prompt(text, 40))
            assert found.text == wanted.text
            assert found.token_ids == wanted.token_ids
            assert found.finish_reason == wanted.finish_reason


def test_a_stop_string_may_span_tokens(chat_bundle: Path) -> None:
    with ExpertRuntime(chat_bundle) as runtime:
        whole = _continued(runtime, Prompt(PROMPTS[0], 40)).text
        assert "small dogs" in whole
        answer = _continued(runtime, Prompt(PROMPTS[0], 40, ("mall do",)))
        assert answer.text == whole[: whole.index("mall do")]
        assert answer.finish_reason == "stop"
        stream = runtime.stream(Prompt(PROMPTS[0], 40, ("mall do",)))
        assert "".join(stream) == answer.text


def test_a_conversation_is_answered_and_its_turns_stay_in_the_cache(chat_bundle: Path) -> None:
    asked = Message("user", sentence(0, 6))
    with ExpertRuntime(chat_bundle) as runtime:
        first = _continued(runtime, Prompt("", 12, messages=(asked,)))
        assert first.text == _continued(runtime, Prompt(PROMPTS[0], 12)).text
        again = Message("user", " " + sentence(1, 2))
        turns = (asked, Message("assistant", first.text), again)
        second = _continued(runtime, Prompt("", 12, messages=turns))
        fresh = _continued(runtime, Prompt("", 12, messages=(Message("user", "red"),)))
        assert _continued(runtime, Prompt("", 12, messages=turns)).token_ids == second.token_ids
    assert fresh.reused_tokens < 5
    assert second.reused_tokens >= first.prompt_tokens + first.tokens - 2
    assert second.prompt_tokens > second.reused_tokens


def test_a_conversation_that_is_too_long_has_an_error_of_its_own(chat_bundle: Path) -> None:
    long = Message("user", sentence(0, CONTEXT))
    with (
        ExpertRuntime(chat_bundle) as runtime,
        pytest.raises(ContextError, match=f"the context takes {CONTEXT}"),
    ):
        runtime.stream(Prompt("", messages=(long,)))


def test_a_model_without_a_template_refuses_a_conversation(language_bundle: Path) -> None:
    with (
        ExpertRuntime(language_bundle) as runtime,
        pytest.raises(UsageError, match="has no chat template"),
    ):
        runtime.stream(Prompt("", messages=(Message("user", "a"),)))


def test_an_empty_prompt_needs_a_token_that_begins_a_text(
    chat_bundle: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(chat_bundle, tmp_path / "no-start.bundle"))
    manifest = read_manifest(folder)
    spec = replace(manifest.features, config={**manifest.features.config, "start": []})
    (folder / MANIFEST).write_text(replace(manifest, features=spec).to_json(), "utf-8")
    with ExpertRuntime(folder) as runtime:
        with pytest.raises(UsageError, match="the prompt is empty, and this model has no token"):
            runtime.stream("")
        assert _continued(runtime, Prompt("red cat", 4)).prompt_tokens == len(
            runtime.features.encode("red cat")["tokens"][0]
        )


def test_a_tokenizer_with_more_tokens_than_the_embedding_is_refused(
    chat_bundle: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(chat_bundle, tmp_path / "small.bundle"))
    manifest = read_manifest(folder)
    assert manifest.task_spec is not None
    pieces = manifest.task_spec.config["pieces"]
    spec = replace(manifest.task_spec, config={**manifest.task_spec.config, "pieces": pieces - 1})
    (folder / MANIFEST).write_text(replace(manifest, task_spec=spec).to_json(), "utf-8")
    with pytest.raises(BundleError, match=f"'tokenizer' with {pieces - 1} tokens"):
        ExpertRuntime(folder)


def test_the_space_before_an_answer_is_not_part_of_it() -> None:
    stream = TextStream((), " ")
    assert [stream.push(part) for part in (b"", b" ", b"", b" a", b" b")] == [
        "",
        "",
        "",
        " a",
        " b",
    ]
    plain = TextStream((), " ")
    assert plain.push(b"a b") == "a b"


def test_the_documents_program(
    chat_bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(chat_bundle.parent)
    code = python("<!-- chat-python -->").replace("granite.bundle", chat_bundle.name)
    exec(compile(code, "docs/chat.md", "exec"), {})
    assert capsys.readouterr().out
