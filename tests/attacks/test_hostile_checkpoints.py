"""Hostile checkpoints: headers, indexes and configurations are used or refused, memory bounded."""

from __future__ import annotations

import contextlib
import json
import random
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.checkpoints import (
    model_config,
    report,
    safetensors_file,
    tensor_index,
)
from edge_experts.converters.checkpoints.file_plan import BundlePlan, plan_files
from edge_experts.converters.checkpoints.model_config import read_config
from edge_experts.converters.checkpoints.safetensors_file import read_header
from edge_experts.converters.checkpoints.stored_numbers import read_numbers
from edge_experts.converters.checkpoints.tensor_index import INDEX, WHOLE, read_tensors
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import CheckpointError
from edge_experts.format.limits import LIMITS
from tests import checkpoints

from .checkpoint_mutations import mutations
from .test_hostile_arrays import bounded

ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def _refused(folder: Path, content: bytes, told: str) -> None:
    path = folder / WHOLE
    path.write_bytes(content)
    with bounded(2_000_000), pytest.raises(CheckpointError, match=told) as refused:
        read_header(path)
    assert str(path) in str(refused.value)
    assert refused.value.exit_code == 2


def test_a_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / WHOLE
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    path.write_bytes(checkpoints.safetensors(a=array, empty=np.zeros((0, 4)), one=np.array(7.0)))
    found = read_header(path)
    assert {name: one.shape for name, one in found.items()} == {
        "a": (2, 3),
        "empty": (0, 4),
        "one": (),
    }
    assert read_numbers(found["a"], "a", 2, 3).tolist() == [2, 3, 4]
    assert read_numbers(found["one"], "one", 0, 1).tolist() == [7]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "ends within its header"),
        (b"\1\0\0", "ends within its header"),
        ((2**63).to_bytes(8, "little") + b"{}", "ends within its header"),
        ((3).to_bytes(8, "little") + b"{}", "ends within its header"),
        (checkpoints.header([]), "not a JSON object"),
        (checkpoints.header(b" {}"), "not a JSON object"),
        (checkpoints.header(b"{"), "cannot be read"),
        (checkpoints.header(b'{"a": NaN}'), "cannot be read"),
        (checkpoints.header(b'{"a": 1, "a": 1}'), "twice"),
        (checkpoints.header(b"{\xff}"), "cannot be read"),
        (checkpoints.header(b'{"a":' + b"[" * 100_000), "cannot be read"),
        (checkpoints.header({"a": 1}), "must have dtype, shape and data_offsets"),
        (checkpoints.header({"a": {**ONE, "more": 1}}) + bytes(8), "must have dtype"),
        (checkpoints.header({"a": {**ONE, "dtype": "Q4"}}) + bytes(8), "dtype 'Q4' is unknown"),
        (checkpoints.header({"a": {**ONE, "dtype": [1]}}) + bytes(8), "is unknown"),
        (checkpoints.header({"a": {**ONE, "shape": [-2]}}) + bytes(8), "is invalid"),
        (checkpoints.header({"a": {**ONE, "shape": [2.0]}}) + bytes(8), "is invalid"),
        (checkpoints.header({"a": {**ONE, "shape": [True]}}) + bytes(8), "is invalid"),
        (checkpoints.header({"a": {**ONE, "shape": [1] * 9}}) + bytes(8), "is invalid"),
        (checkpoints.header({"a": {**ONE, "shape": [2**40] * 8}}) + bytes(8), "is not 8 bytes"),
        (checkpoints.header({"a": {**ONE, "shape": [3]}}) + bytes(8), "is not 8 bytes"),
        (checkpoints.header({"a": {**ONE, "data_offsets": [8, 0]}}) + bytes(8), "are invalid"),
        (checkpoints.header({"a": {**ONE, "data_offsets": [0]}}) + bytes(8), "are invalid"),
        (checkpoints.header({"a": {**ONE, "data_offsets": [1, 9]}}) + bytes(9), "leave a gap"),
        (checkpoints.header({"a": ONE, "b": ONE}) + bytes(16), "overlap"),
        (checkpoints.header({"a": ONE}) + bytes(7), "8 bytes, and the file 7"),
        (checkpoints.header({"a": ONE}) + bytes(9), "8 bytes, and the file 9"),
    ],
)
def test_a_damaged_header_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    _refused(tmp_path, content, told)


@contextlib.contextmanager
def _limited(monkeypatch: pytest.MonkeyPatch, module: Any, **limits: int) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(module, "LIMITS", replace(LIMITS, **limits))
        yield


def test_the_bytes_and_tensors_of_a_header(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / WHOLE
    content = checkpoints.safetensors(a=np.zeros(2), b=np.zeros(2))
    path.write_bytes(content)
    length = int.from_bytes(content[:8], "little")
    for limits in ({"tensor_header_bytes": length}, {"checkpoint_tensors": 2}):
        ((name, most),) = limits.items()
        with _limited(monkeypatch, safetensors_file, **{name: most}):
            assert len(read_header(path)) == 2
        with (
            _limited(monkeypatch, safetensors_file, **{name: most - 1}),
            pytest.raises(CheckpointError, match="more than"),
        ):
            read_header(path)


def test_a_claimed_header_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / WHOLE
    with path.open("wb") as file:
        file.write((2**40).to_bytes(8, "little"))
        file.truncate(2**41)  # sparse
    with bounded(1_000_000), pytest.raises(CheckpointError, match="its header has more than"):
        read_header(path)


def _sharded(folder: Path, names: Any) -> Path:
    copied = checkpoints.copied("llama-sharded", folder / "sharded")
    (copied / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": names}))
    return copied


def _names() -> dict[str, str]:
    raw = (checkpoints.FOLDER / "llama-sharded" / INDEX).read_text()
    names: dict[str, str] = json.loads(raw)["weight_map"]
    return names


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda names: [], "must have a weight_map"),
        (lambda names: {}, "must have a weight_map"),
        (lambda names: {**names, "more": "model-00001-of-00003.safetensors"}, "does not have"),
        (lambda names: dict(list(names.items())[2:]), "which .* does not list"),
        (lambda names: {**names, "x": "/etc/passwd"}, "not a safetensors file in this folder"),
        (lambda names: {**names, "x": "../a.safetensors"}, "not a safetensors file in this"),
        (lambda names: {**names, "x": 7}, "not a safetensors file in this folder"),
        (lambda names: {**names, "x": "none.safetensors"}, "none.safetensors: missing"),
    ],
)
def test_an_index_that_differs_from_its_files_is_refused(
    tmp_path: Path, change: Callable[[dict[str, str]], Any], told: str
) -> None:
    with pytest.raises(CheckpointError, match=told):
        read_tensors(_sharded(tmp_path, change(_names())))


def test_the_files_and_tensors_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, names = _sharded(tmp_path, _names()), _names()
    for name, most in (
        ("checkpoint_files", len(set(names.values()))),
        ("checkpoint_tensors", len(names)),
        ("tensor_header_bytes", (folder / INDEX).stat().st_size),
    ):
        with _limited(monkeypatch, tensor_index, **{name: most}):
            assert len(read_tensors(folder)) == len(names)
        with (
            _limited(monkeypatch, tensor_index, **{name: most - 1}),
            pytest.raises(CheckpointError),
        ):
            read_tensors(folder)


def test_the_bytes_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = checkpoints.copied("granite", tmp_path / "granite")
    size = (folder / "config.json").stat().st_size
    with _limited(monkeypatch, model_config, config_bytes=size):
        read_config(folder)
    with (
        _limited(monkeypatch, model_config, config_bytes=size - 1),
        pytest.raises(CheckpointError, match="larger than"),
    ):
        read_config(folder)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    folder = checkpoints.copied("granite", tmp_path / "granite")
    (folder / WHOLE).unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n(S'exit'\ntR.")
    with pytest.raises(CheckpointError, match="pickle files, which can run code"):
        report(folder)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        (
            "granite",
            {"model_type": "gpt_oss"},
            "'gpt_oss' is not supported: it needs attention sinks",
        ),
        ("granite", {"model_type": "deepseek_v3"}, "multi-head latent attention"),
        ("granite", {"model_type": "novel"}, "its layers are not known; supported are llama"),
        ("granite", {"model_type": ["llama"]}, "is not supported"),
        ("llama-tied", {"rope_scaling": {"rope_type": "llama3"}}, "of the type 'llama3' are not"),
        ("llama-tied", {"rope_scaling": {"type": "linear", "factor": 2}}, "'linear' are not"),
        ("llama-tied", {"rope_parameters": {"rope_type": "yarn"}}, "'yarn' are not supported"),
        ("llama-tied", {"rope_parameters": [1]}, "rope_parameters must be an object"),
        ("llama-tied", {"partial_rotary_factor": 0.5}, "partial_rotary_factor is not supported"),
        ("llama-tied", {"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported"),
        ("llama-tied", {"mlp_bias": True}, "mlp_bias is not supported"),
        ("llama-tied", {"quantization_config": {"bits": 4}}, "quantized weights are not read"),
        ("llama-tied", {"hidden_size": 0}, "hidden_size must be 1 to"),
        ("llama-tied", {"hidden_size": 2**40}, "hidden_size must be 1 to"),
        ("llama-tied", {"num_hidden_layers": 10**6}, "num_hidden_layers must be at most"),
        ("llama-tied", {"num_key_value_heads": 3}, "must be a multiple of num_key_value_heads"),
        ("llama-tied", {"head_dim": 7}, "and the width of a head, 7, even"),
        ("llama-tied", {"rms_norm_eps": -1}, "rms_norm_eps must be a positive number"),
        ("llama-tied", {"tie_word_embeddings": "yes"}, "tie_word_embeddings must be true or false"),
        ("olmoe", {"clip_qkv": 8.0}, "clip_qkv is not supported"),
        ("mixtral", {"num_local_experts": 2**19}, "more than 8,192 files"),
        ("mixtral", {"num_experts_per_tok": 5}, "5 must be at most the experts, 4"),
        ("mixtral", {"layer_types": ["chunked_attention"]}, "layer_types must be of"),
        ("qwen2-moe", {"decoder_sparse_step": 9}, "no layer has experts"),
        ("qwen2-moe", {"mlp_only_layers": "all"}, "mlp_only_layers must be numbers"),
        ("granite", {"position_embedding_type": "nope"}, "position_embedding_type must be rope"),
    ],
)
def test_settings_that_are_not_supported_are_refused_by_name(
    tmp_path: Path, name: str, changes: dict[str, Any], told: str
) -> None:
    folder = checkpoints.reconfigured(checkpoints.copied(name, tmp_path / name), **changes)
    with pytest.raises(CheckpointError, match=told) as refused:
        report(folder)
    assert "config.json" in str(refused.value)


def test_a_sliding_window_limits_the_context(tmp_path: Path) -> None:
    """Within the window, attention to it is attention to all."""
    folder = checkpoints.copied("mixtral", tmp_path / "mixtral")
    assert read_config(folder).context == 128
    assert read_config(checkpoints.reconfigured(folder, sliding_window=40)).context == 40
    off = checkpoints.reconfigured(folder, sliding_window=40, use_sliding_window=False)
    assert read_config(off).context == 128


def _planned(folder: Path) -> BundlePlan:
    return plan_files(read_config(folder), read_tensors(folder))


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("granite", {"num_hidden_layers": 1}, "model.layers.1.* which no Granite-MoE network uses"),
        ("granite", {"num_hidden_layers": 3}, "no tensor model.layers.2"),
        ("granite", {"intermediate_size": 16}, "must have the shape .4, 32, 32."),
        ("granite", {"vocab_size": 300}, "must have the shape .300, 32."),
        ("qwen3-moe", {"model_type": "olmoe"}, "q_norm.weight must have the shape"),
        ("llama-tied", {"tie_word_embeddings": False}, "no tensor lm_head.weight"),
    ],
)
def test_tensors_that_do_not_fit_the_configuration_are_refused(
    tmp_path: Path, name: str, changes: dict[str, Any], told: str
) -> None:
    folder = checkpoints.reconfigured(checkpoints.copied(name, tmp_path / name), **changes)
    with pytest.raises(CheckpointError, match=told):
        _planned(folder)


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("F32", np.nan, "numbers that are not finite"),
        ("F16", np.inf, "numbers that are not finite"),
        ("F64", 1.0, "numbers of the type F64; the converter reads F32, F16, BF16"),
        ("I64", 1, "numbers of the type I64"),
    ],
)
def test_numbers_that_cannot_be_weights_are_refused(
    tmp_path: Path, kind: str, value: float, told: str
) -> None:
    path = tmp_path / WHOLE
    path.write_bytes(checkpoints.safetensors(kind, a=np.array([1, value])))
    with pytest.raises(CheckpointError, match=told):
        read_numbers(read_header(path)["a"], "a", 0, 2)


def test_a_file_that_becomes_shorter_is_refused(tmp_path: Path) -> None:
    path = tmp_path / WHOLE
    path.write_bytes(checkpoints.safetensors(a=np.zeros(100)))
    tensor = read_header(path)["a"]
    with path.open("r+b") as file:
        file.truncate(200)
    with pytest.raises(CheckpointError, match="became shorter"):
        read_numbers(tensor, "a", 0, 100)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Callable[[random.Random], None]]:
    return mutations(tmp_path_factory.mktemp("mutations"))


@settings(max_examples=600)
@given(
    name=st.sampled_from(["header", "file", "index", "config", "gguf"]), seed=st.integers(0, 2**32)
)
def test_mutations_end_in_the_documented_error_or_none(
    parts: dict[str, Callable[[random.Random], None]], name: str, seed: int
) -> None:
    with contextlib.suppress(CheckpointError):
        parts[name](random.Random(seed))


@settings(max_examples=300)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    tracemalloc.start()
    try:
        with contextlib.suppress(CheckpointError):
            safetensors_file.parse_header(content, Path("a"), 100)
        with contextlib.suppress(CheckpointError):
            model_config.parse_config(content, Path("a/config.json"))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
