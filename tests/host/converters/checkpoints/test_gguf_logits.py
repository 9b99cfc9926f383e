"""GGUF files: every type of weights as the package gguf reads them, logits as transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.checkpoints.checkpoint import open_checkpoint
from edge_experts.converters.checkpoints.gguf_header import BLOCK_TYPES, read_header
from edge_experts.converters.checkpoints.safetensors_file import StoredTensor
from edge_experts.converters.checkpoints.stored_numbers import read_numbers

from edge_experts.runtime import ExpertRuntime

FOLDER = Path(__file__).parents[3] / "data" / "gguf"
SMALL = FOLDER / "small.gguf"
KINDS = {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q8_0"}


def test_the_numbers_are_those_of_the_gguf_package() -> None:
    header = read_header(SMALL)
    assert {BLOCK_TYPES[tensor.kind].name for tensor in header.tensors.values()} == KINDS
    with np.load(FOLDER / "reference.npz") as reference:
        for name, one in header.tensors.items():
            tensor = StoredTensor(SMALL, BLOCK_TYPES[one.kind].name, one.shape, one.offset)
            found = read_numbers(tensor, name, 0, tensor.numbers).reshape(tensor.shape)
            assert np.array_equal(found, reference[name]), name


def test_parts_of_rows_are_those_of_the_whole() -> None:
    """Also of queries and keys, whose rows are in another order in the file."""
    from edge_experts.converters.checkpoints.file_plan import plan_files

    source = open_checkpoint(SMALL)
    rows = plan_files(source.config, source.tensors).files["dense/attention_in_000.tflite"]
    weight = rows.parameters["weight"]
    whole = weight.read()
    for first, end in ((0, 1), (3, 21), (30, 33), (63, 64)):
        assert np.array_equal(weight.read(first, end), whole[first:end])


def test_the_tokenizer_is_the_checkpoints() -> None:
    pytest.importorskip("tokenizers")
    tokenizers = pytest.importorskip("tokenizers")
    library = tokenizers.Tokenizer.from_file(str(FOLDER.parent / "checkpoints" / "tokenizer.json"))
    features = open_checkpoint(SMALL).features()
    for text in ("the sun is at 12:30", "größer 日本 😀\n\n  end", ""):
        assert features.tokens(text) == library.encode(text, add_special_tokens=False).ids
    assert features.ends == (1,)


def test_a_file_becomes_a_bundle_with_the_logits_of_transformers(cli: Any, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    bundle = tmp_path / "a.bundle"
    done = cli("convert", SMALL, "--out", bundle, "--quantization", "float32", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["base_model"] == "small"
    assert "| licence | apache-2.0 |" in (bundle / "MODEL_CARD.md").read_text()
    with np.load(FOLDER / "reference.npz") as reference, ExpertRuntime(bundle) as runtime:
        task: Any = runtime.task
        found = task.logits(reference["tokens"].tolist(), runtime.access)
        wanted = reference["logits"]
        off = np.abs(found[reference["positions"]] - wanted).max() / np.abs(wanted).max()
    assert off < 1e-4


def test_a_file_is_inspected(cli: Any) -> None:
    done = cli("inspect", SMALL, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["family"], told["layers"], told["licence"]) == ("llama", 2, "apache-2.0")
    assert told["stored_bytes"] < SMALL.stat().st_size
