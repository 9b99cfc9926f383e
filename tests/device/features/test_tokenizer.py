"""Tokenizers of checkpoints: the ids and the texts of the `tokenizers` library."""

from __future__ import annotations

import codecs
import json
import random
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts import features
from edge_experts.errors import ManifestError, MissingExtraError, UsageError
from edge_experts.features import TokenizerFeatures
from edge_experts.features.checkpoint_tokenizer import read
from edge_experts.runtime.tasks.language_model.text_stream import TextStream

from ... import small_tokenizers
from ...small_tokenizers import MAKERS

SPACED = " \n\t\u2581the in\u00e4\r\0\u3000 <s>|im_end日本😀"
# The beginning of a text is marked as that of a word.
MARKED = {"llama_2": " ", "metaspace": " "}
TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text(st.sampled_from(SPACED))


@cache
def opened(name: str) -> TokenizerFeatures:
    with TemporaryDirectory() as folder:
        return read(small_tokenizers.write(Path(folder), name))


def streamed(vocabulary: TokenizerFeatures, tokens: list[int]) -> str:
    """Decode token by token, whole characters only, as a continuation does."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    parts = [decoder.decode(vocabulary.bytes_of([token])) for token in tokens]
    return "".join([*parts, decoder.decode(b"", True)])


@pytest.mark.parametrize("name", MAKERS)
@given(text=TEXTS)
def test_ids_and_texts_are_those_of_the_library(name: str, text: str) -> None:
    library, own = MAKERS[name](), opened(name)
    ids = own.tokens(text)
    assert [*own.start, *ids] == library.encode(text).ids
    whole = library.decode(ids, skip_special_tokens=True)
    assert own.text(ids) == whole
    assert streamed(own, ids).removeprefix(MARKED.get(name, "")) == whole


@pytest.mark.parametrize("name", ["gpt_2", "llama_3"])
def test_any_tokens_have_the_text_of_the_library(name: str) -> None:
    library, own, draw = MAKERS[name](), opened(name), random.Random(0)
    for _ in range(2000):
        ids = [draw.randrange(own.size) for _ in range(draw.randrange(12))]
        whole = library.decode(ids, skip_special_tokens=True)
        assert own.text(ids) == streamed(own, ids) == whole


@pytest.mark.parametrize("name", ["llama_2", "metaspace"])
def test_any_tokens_have_the_text_of_the_library_but_for_broken_characters(name: str) -> None:
    """The library replaces each byte of a run that is not UTF-8, Python the faulty parts."""
    library, own, draw = MAKERS[name](), opened(name), random.Random(0)
    for _ in range(2000):
        ids = [draw.randrange(own.size) for _ in range(draw.randrange(12))]
        whole = library.decode(ids, skip_special_tokens=True)
        if "\ufffd" not in whole:
            assert own.text(ids) == whole
        assert streamed(own, ids).removeprefix(MARKED[name]) == own.text(ids)


@pytest.mark.parametrize("name", MAKERS)
@given(text=TEXTS, stop=st.text(st.sampled_from("the \u00e4日\n"), min_size=1))
def test_a_streamed_text_ends_before_a_stop_string(name: str, text: str, stop: str) -> None:
    own = opened(name)
    ids = own.tokens(text)
    stream = TextStream([stop], own.stripped)
    parts = []
    for token in ids:
        parts.append(stream.push(own.bytes_of([token])))
        if stream.stopped:
            break
    else:
        parts.append(stream.push(b"", last=True))
    whole = own.text(ids)
    assert "".join(parts) == stream.text == whole.split(stop)[0]
    assert stream.stopped == (stop in whole)


def test_texts_keep_their_spaces_when_they_are_continued() -> None:
    own = opened("llama_2")
    assert own.bytes_of(own.tokens("the files")) == b" the files"
    assert own.text(own.tokens("the files")) == "the files"


@pytest.mark.parametrize("name", MAKERS)
def test_features_are_restored_from_settings_and_arrays(name: str) -> None:
    own = opened(name)
    again = features.restore(own.kind, json.loads(json.dumps(own.settings)), own.arrays)
    assert isinstance(again, TokenizerFeatures)
    assert (again.start, again.ends, again.template) == (own.start, own.ends, own.template)
    assert again.tokens("the größer 日本") == own.tokens("the größer 日本")


def test_the_tokens_around_a_text(tmp_path: Path) -> None:
    token = MAKERS["llama_3"]().token_to_id
    assert opened("llama_3").start == (token("<|begin_of_text|>"),)
    assert opened("llama_3").ends == (token("<|eot_id|>"),)
    assert opened("llama_2").start == opened("metaspace").start == (1,)
    assert opened("gpt_2").start == ()
    end = token("<|end_of_text|>")
    generation = {"eos_token_id": [end, token("<|eot_id|>")]}
    folder = small_tokenizers.write(tmp_path, "llama_3", generation_config=generation)
    assert read(folder).ends == (token("<|eot_id|>"), end)


def test_special_tokens_in_a_text_are_found() -> None:
    own = opened("gpt_2")
    marks = [MAKERS["gpt_2"]().token_to_id(mark) for mark in ("<|im_start|>", "<|im_end|>")]
    assert [one for one in own.tokens("<|im_start|>user<|im_end|>") if one in marks] == marks
    assert own.text(own.tokens("<|im_start|>user<|im_end|>")) == "user"


def test_an_embedding_may_have_more_rows_than_tokens() -> None:
    own = opened("gpt_2")
    assert own.fits(own.size)
    assert own.fits(own.size + 40)
    assert not own.fits(own.size - 1)
    assert own.bytes_of([own.size + 5]) == b""


def test_a_chat_template_comes_from_the_file_or_the_settings(tmp_path: Path) -> None:
    assert opened("gpt_2").template == small_tokenizers.CHATML
    assert opened("llama_2").template is None
    folder = small_tokenizers.write(tmp_path, "gpt_2")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert read(folder).template == "{{ messages }}"
    named = [{"name": "rag", "template": "a"}, {"name": "default", "template": "b"}]
    folder = small_tokenizers.write(
        tmp_path / "named", "llama_2", special_tokens_map={"eos_token": "</s>"}
    )
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert read(folder).template == "b"


def _changed(folder: Path, **changes: Any) -> Path:
    path = small_tokenizers.write(folder, "llama_2") / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


REPLACE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
SLOW = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"type": "WordPiece"}}, "model 'WordPiece' is not supported"),
        ({"normalizer": {"type": "Precompiled"}}, "normalizer 'Precompiled' is not supported"),
        ({"pre_tokenizer": {"type": "BertPreTokenizer"}}, "'BertPreTokenizer' is not supported"),
        ({"pre_tokenizer": SLOW}, "may take exponential time"),
        ({"decoder": {"type": "WordPiece"}}, "decoder 'WordPiece'"),
        ({"decoder": None}, "decoder must be an object"),
        ({"added_tokens": [{"id": 2**30, "content": "a"}]}, "an id must be 0 to"),
        ({"added_tokens": [{"id": 3, "content": "not there"}]}, "two tokens have one id"),
        (
            {"normalizer": {"type": "Sequence", "normalizers": [REPLACE] * 9}},
            "could make a text 19,683 times as long",
        ),
        ({"normalizer": {"type": "Sequence", "normalizers": [REPLACE] * 99}}, "at most 16 steps"),
    ],
)
def test_a_tokenizer_that_is_not_supported_is_refused(
    tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(UsageError, match=rf"tokenizer.json: .*{problem}|{problem}"):
        read(_changed(tmp_path, **changes))


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"tokenizer.json: missing; .*save_pretrained"):
        read(tmp_path)
    folder = small_tokenizers.write(tmp_path, "llama_2")
    (folder / "generation_config.json").write_text("{")
    with pytest.raises(UsageError, match=r"generation_config.json: not JSON"):
        read(folder)
    (folder / "generation_config.json").unlink()
    (folder / "tokenizer_config.json").write_text("{}")
    with pytest.raises(UsageError, match="no token ends a text; state eos_token_id"):
        read(folder)


def test_a_padding_is_dropped_at_reading_and_refused_afterwards(tmp_path: Path) -> None:
    huge = {"strategy": {"Fixed": 2**40}, "direction": "Right", "pad_id": 0, "pad_token": "<s>"}
    padding = {**huge, "pad_type_id": 0, "pad_to_multiple_of": None}
    own = read(_changed(tmp_path, padding=padding))
    assert len(own.tokens("a")) < 4
    content = json.loads(own.arrays["tokenizer"].tobytes()) | {"padding": padding}

    arrays = {"tokenizer": np.frombuffer(json.dumps(content).encode(), np.uint8)}
    with pytest.raises(ManifestError, match="padding must be null"):
        features.restore("tokenizer", own.settings, arrays)


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="must be a text, got int"):
        opened("gpt_2").tokens(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="without surrogates"):
        opened("gpt_2").tokens("\ud800")


def test_without_the_library_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    own = opened("gpt_2")
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"edge-experts\[tokenizers\]"):
        features.restore(own.kind, own.settings, own.arrays)
