"""Small GGUF files, written by the `gguf` package."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from edge_experts.converters.checkpoints.checkpoint import FolderCheckpoint
from edge_experts.converters.checkpoints.stored_numbers import read_numbers

# Folders of tests/data/checkpoints, and the architecture of their GGUF files.
FOLDERS = {
    "llama-tied": "llama",
    "mixtral": "llama",
    "granite": "granitemoe",
    "granite-untied": "granitemoe",
    "olmoe": "olmoe",
    "qwen2-moe": "qwen2moe",
    "qwen3-moe": "qwen3moe",
}
KEYS = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention__head_count": "num_attention_heads",
    "attention__head_count_kv": "num_key_value_heads",
    "attention__key_length": "head_dim",
    "attention__layer_norm_rms_epsilon": "rms_norm_eps",
    "context_length": "max_position_embeddings",
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "embedding_scale": "embedding_multiplier",
    "attention__scale": "attention_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}


def written(path: Path, architecture: str, tensors: dict[str, Any], **metadata: Any) -> Path:
    """Write a file by the `gguf` package; tensors are arrays or (array, its type)."""
    import gguf

    writer = gguf.GGUFWriter(path, architecture)
    for key, value in metadata.items():
        name = key.replace("__", ".")
        if isinstance(value, bool):
            writer.add_bool(name, value)
        elif isinstance(value, int):
            writer.add_uint32(name, value)
        elif isinstance(value, float):
            writer.add_float32(name, value)
        elif isinstance(value, str):
            writer.add_string(name, value)
        else:
            writer.add_array(name, value)
    for name, tensor in tensors.items():
        values, kind = tensor if isinstance(tensor, tuple) else (tensor, None)
        if kind is None:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def as_gguf(folder: Path, architecture: str, path: Path, template: str | None = None) -> Path:
    """Convert a folder as llama.cpp's convert_hf_to_gguf.py does, with a chat template."""
    from gguf import get_tensor_name_map
    from gguf.constants import MODEL_ARCH_NAMES

    content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    content.setdefault("num_experts", content.get("num_local_experts"))
    rotary = content.get("rope_theta") or content["rope_parameters"]["rope_theta"]
    metadata = {
        f"{architecture}__{key}": content[name]
        for key, name in KEYS.items()
        if content.get(name) is not None
    }
    for key in ("scale", "eps", "epsilon"):
        for name in [name for name in metadata if name.endswith(key)]:
            metadata[name] = float(metadata[name])
    heads = content["num_attention_heads"], content["num_key_value_heads"]
    width = content.get("head_dim") or content["hidden_size"] // heads[0]
    numbers_of = {name: number for number, name in MODEL_ARCH_NAMES.items()}
    names = get_tensor_name_map(numbers_of[architecture], content["num_hidden_layers"])
    tensors: dict[str, np.ndarray] = {}
    stacks: dict[str, dict[int, np.ndarray]] = {}
    for name, tensor in FolderCheckpoint(folder).tensors.items():
        values = read_numbers(tensor, name, 0, tensor.numbers).reshape(tensor.shape)
        if ".input_linear." in name:  # of Granite: gate and up
            layer = name.split(".")[2]
            for part, half in zip(("gate", "up"), np.split(values, 2, axis=1), strict=True):
                tensors[f"blk.{layer}.ffn_{part}_exps.weight"] = half
            continue
        if architecture in ("llama", "granitemoe") and (".q_proj." in name or ".k_proj." in name):
            rows = values.reshape(-1, 2, width // 2, *values.shape[1:])
            values = rows.swapaxes(1, 2).reshape(values.shape)
        expert = re.search(r"\.experts\.(\d+)\.", name)
        merged = re.sub(r"\.experts\.\d+\.", ".experts.", name)
        ours = names.get_name(merged, (".weight", ".bias"))
        assert ours is not None, name
        if expert:
            stacks.setdefault(ours, {})[int(expert[1])] = values
        else:
            tensors[ours] = values[0] if ours.endswith("inp_shexp.weight") else values
    for ours, experts in stacks.items():
        tensors[ours] = np.stack([experts[number] for number in range(len(experts))])
    metadata |= {
        f"{architecture}__rope__freq_base": float(rotary),
        f"{architecture}__rope__dimension_count": width,
        **_tokenizer(folder.parent / "tokenizer.json"),
    }
    if template is not None:
        metadata["tokenizer__chat_template"] = template
    return written(path, architecture, tensors, **metadata)


def _tokenizer(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    ids, special = content["model"]["vocab"], {one["id"] for one in content["added_tokens"]}
    return {
        "tokenizer__ggml__model": "gpt2",
        "tokenizer__ggml__pre": "gpt-2",
        "tokenizer__ggml__tokens": sorted(ids, key=ids.get),
        "tokenizer__ggml__token_type": [3 if one in special else 1 for one in range(len(ids))],
        "tokenizer__ggml__merges": [" ".join(pair) for pair in content["model"]["merges"]],
        "tokenizer__ggml__bos_token_id": 0,
        "tokenizer__ggml__eos_token_id": 1,
        "general__license": "apache-2.0",
    }
