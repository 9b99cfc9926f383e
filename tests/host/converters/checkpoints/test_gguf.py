"""GGUF files: header, weights, configuration and tokenizer."""

from __future__ import annotations

import contextlib
import io
import json
import struct
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.checkpoints import gguf_header
from edge_experts.converters.checkpoints.checkpoint import open_checkpoint
from edge_experts.converters.checkpoints.families import FAMILIES
from edge_experts.converters.checkpoints.file_plan import plan_files
from edge_experts.converters.checkpoints.gguf_checkpoint import GgufCheckpoint
from edge_experts.converters.checkpoints.gguf_config import config_of
from edge_experts.converters.checkpoints.gguf_header import BLOCK_TYPES, read_header
from edge_experts.converters.checkpoints.gguf_tensors import OF_LAYER, tensors_of
from edge_experts.converters.checkpoints.gguf_tokenizer import tokenizer_files
from edge_experts.converters.checkpoints.tensor_rows import Part
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts.errors import CheckpointError
from edge_experts.format.limits import LIMITS
from edge_experts.runtime import ExpertRuntime
from tests import checkpoints
from tests.gguf_files import FOLDERS, as_gguf, written

UNITS, WIDE, HEADS, KEY_HEADS, EXPERTS = 64, 256, 4, 2, 3
TEXTS = Path("README.md").read_text(encoding="utf-8").splitlines()


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tensors = {
        "token_embd.weight": numbers(7, UNITS),
        "output_norm.weight": numbers(UNITS),
        "blk.0.attn_q.weight": numbers(UNITS, UNITS),
        "blk.0.ffn_gate_exps.weight": numbers(EXPERTS, WIDE, UNITS),
        "blk.0.ffn_up_exps.weight": numbers(EXPERTS, WIDE, UNITS) + 1,
        "blk.0.ffn_down_exps.weight": numbers(EXPERTS, UNITS, WIDE),
    }
    return written(
        tmp_path_factory.mktemp("gguf") / "small.gguf",
        "granitemoe",
        tensors,
        granitemoe__block_count=1,
        granitemoe__context_length=64,
        granitemoe__feed_forward_length=WIDE,
        granitemoe__embedding_length=UNITS,
        granitemoe__attention__head_count=HEADS,
        granitemoe__attention__head_count_kv=KEY_HEADS,
        granitemoe__expert_count=EXPERTS,
        granitemoe__expert_used_count=2,
        granitemoe__residual_scale=0.25,
        tokenizer__ggml__tokens=["a", "b", "c", "d", "e", "f", "g"],
    )


def rows(path: Path, name: str) -> np.ndarray:
    """Read a matrix as the planner does."""
    found = GgufCheckpoint(path).tensors[name]
    columns = found.shape[-1]
    whole = Part(name, found, found.numbers // columns, columns)
    values: np.ndarray = whole.read(0, whole.rows)
    return values


def test_weights_have_the_names_of_a_hugging_face_folder(small: Path) -> None:
    np.testing.assert_array_equal(rows(small, "model.embed_tokens.weight"), numbers(7, UNITS))
    np.testing.assert_array_equal(
        rows(small, "model.layers.0.mlp.experts.2.down_proj.weight"),
        numbers(EXPERTS, UNITS, WIDE)[2],
    )
    found = GgufCheckpoint(small).tensors
    assert found["model.layers.0.mlp.experts.0.up_proj.weight"].shape == (WIDE, UNITS)
    assert "lm_head.weight" not in found


@pytest.mark.parametrize(("first", "end"), [(0, UNITS), (5, 6), (3, 40), (16, 32)])
def test_the_rows_of_queries_are_put_back_in_order(small: Path, first: int, end: int) -> None:
    ours = rows(small, "model.layers.0.self_attn.q_proj.weight")
    # llama.cpp's own order, from convert_hf_to_gguf.py
    theirs = ours.reshape(HEADS, 2, UNITS // HEADS // 2, UNITS).swapaxes(1, 2).reshape(UNITS, UNITS)
    np.testing.assert_array_equal(theirs, numbers(UNITS, UNITS))
    tensor = GgufCheckpoint(small).tensors["model.layers.0.self_attn.q_proj.weight"]
    part = Part("q", tensor, UNITS, UNITS)
    np.testing.assert_array_equal(part.read(first, end - first), ours[first:end])


def test_tensors_without_a_place_are_refused_by_name(tmp_path: Path) -> None:
    tensors = {"blk.0.attn_sinks.weight": numbers(2, 2)}
    header = read_header(written(tmp_path / "a.gguf", "llama", tensors))
    with pytest.raises(CheckpointError, match=r"has blk\.0\.attn_sinks\.weight, which no Llama"):
        tensors_of(tmp_path / "a.gguf", header, "llama", FAMILIES["llama"], (1, 1))


def test_names_are_those_of_the_gguf_package() -> None:
    from gguf import get_tensor_name_map
    from gguf.constants import MODEL_ARCH_NAMES

    numbers_of = {name: number for number, name in MODEL_ARCH_NAMES.items()}
    for architecture in ("llama", "qwen2moe", "qwen3moe", "olmoe", "granitemoe"):
        theirs = get_tensor_name_map(numbers_of[architecture], 2)
        for ours, name in OF_LAYER.items():
            found = theirs.get_name(f"model.layers.1.{name}.weight", (".weight",))
            assert found in (None, f"blk.1.{ours}.weight")


def test_the_configuration_has_the_keys_of_hugging_face(small: Path) -> None:
    config = config_of(small, read_header(small))
    assert config["model_type"] == "granitemoe"
    assert config["num_local_experts"] == EXPERTS
    assert config["num_experts_per_tok"] == 2
    assert config["residual_multiplier"] == 0.25
    assert config["vocab_size"] == 7
    assert config["tie_word_embeddings"] is True


def test_other_architectures_are_refused_by_name(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gguf", "gemma2", {"x": numbers(2, 2)})
    with pytest.raises(CheckpointError, match="architecture 'gemma2' is not supported; supported"):
        config_of(path, read_header(path))


@pytest.mark.parametrize("name", ["F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"])
def test_quantized_weights_equal_those_of_the_gguf_package(name: str, tmp_path: Path) -> None:
    import gguf

    kind = gguf.GGMLQuantizationType[name]
    values = numbers(EXPERTS, WIDE, UNITS)
    path = written(tmp_path / "a.gguf", "qwen3moe", {"blk.0.ffn_up_exps.weight": (values, kind)})
    want = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
    found = tensors_of(path, read_header(path), "qwen3moe", FAMILIES["qwen3_moe"], (1, 1))
    tensor = found["model.layers.0.mlp.experts.1.up_proj.weight"]
    np.testing.assert_array_equal(Part("x", tensor, WIDE, UNITS).read(3, 9), want[1, 3:12])


def test_block_types_are_those_of_the_gguf_package() -> None:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    for kind, block in BLOCK_TYPES.items():
        theirs = GGMLQuantizationType(kind)
        assert (theirs.name, GGML_QUANT_SIZES[theirs]) == (block.name, (block.numbers, block.bytes))
        zeros = np.zeros((2, 3 * block.bytes), np.uint8)
        assert dequantize(zeros, theirs).shape == (2, 3 * block.numbers)


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_are_refused_by_name(
    small: Path, tmp_path: Path, data: st.DataObject
) -> None:
    raw = bytearray(small.read_bytes())
    header = min(one.offset for one in read_header(small).tensors.values())
    path = tmp_path / "damaged.gguf"
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, header - 1))
        raw[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
    path.write_bytes(raw)
    found = None
    with contextlib.suppress(CheckpointError):
        found = read_header(path)
        config_of(path, found)
    for tensor in found.tensors.values() if found else ():
        assert tensor.offset + tensor.size <= len(raw)


def test_counts_that_the_file_cannot_have_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gguf"
    many = 2**62
    for body in (
        struct.pack("<QQ", many, 0),
        struct.pack("<QQ", 1, many),
        struct.pack("<QQQ", 0, 1, many),  # a key of 4 EB
        struct.pack("<QQQ1sIIQ", 0, 1, 1, b"k", 9, 8, many),  # an array of texts
        struct.pack("<QQQ1sIIQ", 0, 1, 1, b"k", 9, 10, 3_999_999),  # 32 MB of numbers
        struct.pack("<QQQ1s", 0, 1, 1, b"k") + struct.pack("<IIQ", 9, 9, 1) * 1000,
    ):
        path.write_bytes(b"GGUF" + struct.pack("<I", 3) + body)
        with pytest.raises(CheckpointError, match=r"bomb\.gguf"):
            read_header(path)


@pytest.mark.parametrize(("limit", "value"), [("gguf_values", 3 + 7), ("gguf_text_bytes", 28)])
def test_limits_hold_at_their_value_and_not_below(
    limit: str, value: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = ["a", "b", "c", "d", "e", "f", "g"]
    tensors = {"token_embd.weight": numbers(7, 2)}
    path = written(
        tmp_path / "a.gguf", "llama", tensors, llama__block_count=1, tokenizer__ggml__tokens=tokens
    )
    longest = max(map(len, ["general.architecture", "tokenizer.ggml.tokens"]))
    value = value if limit == "gguf_values" else longest
    for allowed in (value, value - 1):
        monkeypatch.setattr(gguf_header, "LIMITS", replace(LIMITS, **{limit: allowed}))
        if allowed == value:
            assert read_header(path).metadata["tokenizer.ggml.tokens"] == tokens
        else:
            with pytest.raises(CheckpointError, match=f"{allowed}"):
                read_header(path)


def sentence_piece(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Train a SentencePiece model, and return it with its entries in a GGUF file."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS),
        model_writer=model,
        model_type="bpe",
        vocab_size=600,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        minloglevel=2,
    )
    found = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    pieces = range(found.vocab_size())
    types = [
        2 if found.is_unknown(i) else 3 if found.is_control(i) else 6 if found.is_byte(i) else 1
        for i in pieces
    ]
    return found, {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": [found.id_to_piece(i) for i in pieces],
        "tokenizer.ggml.scores": [found.get_score(i) for i in pieces],
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.bos_token_id": found.bos_id(),
        "tokenizer.ggml.eos_token_id": found.eos_id(),
        "tokenizer.ggml.unknown_token_id": found.unk_id(),
    }


def test_a_sentencepiece_tokenizer_gives_its_tokens(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    theirs, metadata = sentence_piece(tmp_path)
    files = tokenizer_files(tmp_path, metadata)
    ours = Tokenizer.from_str(files["tokenizer.json"].decode())
    assert json.loads(files["tokenizer_config.json"])["bos_token"] == "<s>"
    for text in [*TEXTS[:80], "日本 é 🙂", "two  spaces", " leading", "a\tb\nc", "x" * 300]:
        if text:
            assert ours.encode(text).ids == [theirs.bos_id(), *theirs.encode(text)], text


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=40))
@pytest.mark.parametrize("pre", ["smollm", "llama-bpe", "qwen2", "gpt-2"])
def test_byte_level_tokenizers_keep_every_text(pre: str, text: str) -> None:
    import unicodedata

    from tokenizers import Tokenizer, pre_tokenizers

    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    metadata = {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": ["<end>", *tokens, "th", "Ġth"],
        "tokenizer.ggml.token_type": [3] + [1] * (len(tokens) + 2),
        "tokenizer.ggml.merges": ["t h", "Ġ th"],
        "tokenizer.ggml.eos_token_id": 0,
    }
    text = text.replace("<end>", "")
    files = tokenizer_files(Path("a.gguf"), metadata)
    found = Tokenizer.from_str(files["tokenizer.json"].decode())
    want = unicodedata.normalize("NFC", text) if pre == "qwen2" else text
    if pre != "qwen2" or unicodedata.is_normalized("NFC", text):
        assert found.decode(found.encode(text).ids) == want


def test_unknown_tokenizers_are_refused_by_name(tmp_path: Path) -> None:
    base = {"tokenizer.ggml.tokens": ["a"], "tokenizer.ggml.token_type": [1]}
    for metadata, message in (
        ({}, "tokenizer.ggml.tokens must be a list of texts"),
        (base | {"tokenizer.ggml.model": "t5"}, "tokenizer 't5' is not supported"),
        (
            base | {"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "viking"},
            "pre-tokenizer 'viking' is not supported",
        ),
        (base | {"tokenizer.ggml.model": "llama"}, "scores must have a number for each token"),
    ):
        with pytest.raises(CheckpointError, match=message):
            tokenizer_files(tmp_path / "a.gguf", metadata)


@pytest.mark.parametrize("name", FOLDERS)
def test_a_gguf_file_gives_the_files_of_its_folder(name: str, tmp_path: Path) -> None:
    folder = Path("tests/data/checkpoints", name)
    path = as_gguf(folder, FOLDERS[name], tmp_path / "a.gguf")
    ours, theirs = (open_checkpoint(one) for one in (path, folder))
    wanted = theirs.config
    for field in fields(wanted):
        if field.name in ("name", "family", "tied"):
            continue
        found, want = getattr(ours.config, field.name), getattr(wanted, field.name)
        same = found == pytest.approx(want, 1e-6) if type(want) is float else found == want
        assert same, field.name
    plans = [plan_files(one.config, one.tensors) for one in (ours, theirs)]
    assert list(plans[0].files) == list(plans[1].files)
    np.testing.assert_array_equal(*(plan.embedding.read() for plan in plans))
    for place, file in plans[1].files.items():
        for parameter, rows_of in file.parameters.items():
            here = plans[0].files[place].parameters[parameter].read()
            want = rows_of.read()  # multipliers are float32 in a file
            np.testing.assert_allclose(here, want, 1e-6, err_msg=f"{place} {parameter}")


def test_a_gguf_file_becomes_the_bundle_of_its_folder(tmp_path: Path) -> None:
    from edge_experts.converters.checkpoints import convert_checkpoint

    source = checkpoints.copied("llama-tied", tmp_path / "llama")
    path = as_gguf(checkpoints.FOLDER / "llama-tied", "llama", tmp_path / "llama.gguf")
    made = [
        convert_checkpoint(one, tmp_path / f"{number}.bundle", quantization="float32")
        for number, one in enumerate((source, path))
    ]
    ours, theirs = (one.manifest for one in made)
    assert ours.name == theirs.name == "llama"
    assert [one.sha256 for one in ours.models] == [one.sha256 for one in theirs.models]
    assert theirs.provenance["licence"] == "apache-2.0"
    with (
        ExpertRuntime(tmp_path / "0.bundle") as first,
        ExpertRuntime(tmp_path / "1.bundle") as same,
    ):
        for text in ("the sun", "a\tb 12", "é 日本"):
            assert same.features.encode(text)["tokens"].tolist() == (
                first.features.encode(text)["tokens"].tolist()
            )
        assert same.predict("the sun").text == first.predict("the sun").text
