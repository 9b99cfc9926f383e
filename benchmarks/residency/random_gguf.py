"""The random checkpoint as a GGUF file for llama.cpp: the same weights in the same number of bits.

Names and the order of rotary rows are those of llama.cpp's convert_hf_to_gguf.py. As in this
project's int4, only the experts have 4 bits.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from edge_experts.converters.checkpoints.checkpoint import FolderCheckpoint
from edge_experts.converters.checkpoints.stored_numbers import read_numbers

from edge_experts.errors import UsageError

_ARCHITECTURE = "granitemoe"
_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "block_sparse_moe.router.layer": "ffn_gate_inp",
    "block_sparse_moe.output_linear": "ffn_down_exps",
}
_COUNTS = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "context_length": "max_position_embeddings",
    "expert_count": "num_local_experts",
    "expert_used_count": "num_experts_per_tok",
}
_NUMBERS = {
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "embedding_scale": "embedding_multiplier",
    "attention.scale": "attention_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}
_BITS = {"int8": "Q8_0", "int4": "Q4_0"}


def write(folder: Path, out: Path, quantization: str) -> None:
    """Write the checkpoint of `folder` as `out`.

    Raises:
        UsageError: the `gguf` package is missing, or there is no such quantization.
    """
    try:
        import gguf
    except ImportError:
        raise UsageError("a GGUF file needs the gguf package: pip install gguf") from None
    if quantization not in _BITS:
        raise UsageError(f"--gguf: must be int8 or int4, got {quantization}")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    building = out.with_name(f"{out.name}.part")
    writer = gguf.GGUFWriter(building, _ARCHITECTURE, use_temp_file=True)
    _write_metadata(writer, config)
    kinds = gguf.GGMLQuantizationType
    for name, values in _tensors(folder, config):
        if values.ndim == 1 or "ffn_gate_inp" in name:
            writer.add_tensor(name, values)
            continue
        kind = kinds[_BITS[quantization] if "_exps" in name else "Q8_0"]
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    building.replace(out)


def _write_metadata(writer: Any, config: dict[str, Any]) -> None:
    for key, name in _COUNTS.items():
        writer.add_uint32(f"{_ARCHITECTURE}.{key}", config[name])
    for key, name in _NUMBERS.items():
        writer.add_float32(f"{_ARCHITECTURE}.{key}", config[name])
    writer.add_float32(f"{_ARCHITECTURE}.rope.freq_base", 10000.0)
    writer.add_uint32(
        f"{_ARCHITECTURE}.rope.dimension_count",
        config["hidden_size"] // config["num_attention_heads"],
    )
    count = config["vocab_size"]
    writer.add_string("tokenizer.ggml.model", "gpt2")
    writer.add_string("tokenizer.ggml.pre", "gpt-2")
    writer.add_array("tokenizer.ggml.tokens", [f"<{number}>" for number in range(count)])
    writer.add_array("tokenizer.ggml.token_type", [1] * count)
    writer.add_array("tokenizer.ggml.merges", ["< 0"])
    writer.add_uint32("tokenizer.ggml.eos_token_id", config["eos_token_id"])


def _tensors(folder: Path, config: dict[str, Any]) -> Any:
    width = config["hidden_size"] // config["num_attention_heads"]
    for name, tensor in FolderCheckpoint(folder).tensors.items():
        values = read_numbers(tensor, name, 0, tensor.numbers).reshape(tensor.shape)
        if name == "model.embed_tokens.weight":
            yield "token_embd.weight", values
        elif name == "model.norm.weight":
            yield "output_norm.weight", values
        else:
            _, _, layer, part = name.removesuffix(".weight").split(".", 3)
            if part.endswith("input_linear"):
                for half, rows in zip(("gate", "up"), np.split(values, 2, axis=1), strict=True):
                    yield f"blk.{layer}.ffn_{half}_exps.weight", np.ascontiguousarray(rows)
                continue
            if part.endswith(("q_proj", "k_proj")):
                rows = values.reshape(-1, 2, width // 2, values.shape[1])
                values = rows.swapaxes(1, 2).reshape(values.shape)
            yield f"blk.{layer}.{_NAMES[part]}.weight", values
