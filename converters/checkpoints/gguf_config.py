"""Configuration of a GGUF file's network, with the keys of a Hugging Face `config.json`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError

from .gguf_header import GgufHeader

# Keys below "ARCHITECTURE." that all families have.
_COMMON = {
    "embedding_length": "hidden_size",
    "block_count": "num_hidden_layers",
    "feed_forward_length": "intermediate_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.layer_norm_rms_epsilon": "rms_norm_eps",
    "context_length": "max_position_embeddings",
    "rope.freq_base": "rope_theta",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "expert_count": "num_experts",
    "expert_used_count": "num_experts_per_tok",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "embedding_scale": "embedding_multiplier",
    "attention.scale": "attention_multiplier",
    "residual_scale": "residual_multiplier",
    "logit_scale": "logits_scaling",
}
# model_type by architecture, and what llama.cpp computes without an entry in the file.
_ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "qwen2moe": ("qwen2_moe", {"norm_topk_prob": False, "qkv_bias": True}),
    "qwen3moe": ("qwen3_moe", {"norm_topk_prob": True}),
    "olmoe": ("olmoe", {"norm_topk_prob": False}),
    "granitemoe": ("granitemoe", {}),
}


def config_of(path: Path, header: GgufHeader) -> dict[str, Any]:
    """Return the configuration.

    Raises:
        CheckpointError: the architecture is not supported, or a size is missing.
    """
    metadata = header.metadata
    architecture = metadata.get("general.architecture")
    known = _ARCHITECTURES.get(str(architecture))
    if known is None:
        raise CheckpointError(
            f"{path}: architecture {architecture!r:.40} is not supported; supported in GGUF files "
            f"are {', '.join(_ARCHITECTURES)}"
        )
    model_type, settled = known
    found: dict[str, Any] = {
        name: metadata[f"{architecture}.{key}"]
        for key, name in _COMMON.items()
        if f"{architecture}.{key}" in metadata
    }
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, list):
        raise CheckpointError(f"{path}: has no vocabulary (tokenizer.ggml.tokens)")
    embedding = header.tensors.get("token_embd.weight")
    found |= {
        "model_type": model_type,
        "hidden_act": "silu",
        "vocab_size": embedding.shape[0] if embedding else len(tokens),
        "tie_word_embeddings": "output.weight" not in header.tensors,
        "attention_bias": "blk.0.attn_q.bias" in header.tensors,
        "rope_scaling": _rope_scaling(header, str(architecture)),
        **settled,
    }
    rotated, width = metadata.get(f"{architecture}.rope.dimension_count"), found.get("head_dim")
    if rotated is not None and width is not None and rotated != width:
        found["partial_rotary_factor"] = rotated / width
    if found.get("num_experts") and model_type == "llama":
        found["model_type"] = "mixtral"
    if found["model_type"] in ("mixtral", "granitemoe"):
        found["num_local_experts"] = found.get("num_experts")
    return found | _ids(metadata)


def _rope_scaling(header: GgufHeader, architecture: str) -> dict[str, Any] | None:
    kind = header.metadata.get(f"{architecture}.rope.scaling.type", "none")
    if "rope_freqs.weight" in header.tensors:
        kind = "llama3"  # factors of the frequencies stand in a tensor
    return None if kind == "none" else {"rope_type": kind}


def _ids(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}_token_id": metadata[f"tokenizer.ggml.{name}_token_id"]
        for name in ("bos", "eos")
        if f"tokenizer.ggml.{name}_token_id" in metadata
    }
