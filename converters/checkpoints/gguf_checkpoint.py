"""GGUF files as checkpoints: their configuration, tensors and tokenizer in the form of families.

Of the architectures, `llama` is read. Its file has the rows of queries and keys in another order,
for rotations of neighbours instead of halves.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError

from .gguf_file import GgufHeader, read_gguf
from .model_config import ModelConfig, parse_config
from .safetensors_file import StoredTensor

_ARCHITECTURE = "llama"
_NAMES = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
_LAYER_NAMES = {
    "attn_norm.weight": "input_layernorm.weight",
    "ffn_norm.weight": "post_attention_layernorm.weight",
    "attn_q.weight": "self_attn.q_proj.weight",
    "attn_k.weight": "self_attn.k_proj.weight",
    "attn_v.weight": "self_attn.v_proj.weight",
    "attn_output.weight": "self_attn.o_proj.weight",
    "ffn_gate.weight": "mlp.gate_proj.weight",
    "ffn_up.weight": "mlp.up_proj.weight",
    "ffn_down.weight": "mlp.down_proj.weight",
}
_INTERLEAVED = ("q_proj.weight", "k_proj.weight")
_CONTROL, _USER = 3, 4  # types of tokens
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
# Divisions of a text before its pairs are merged, by tokenizer.ggml.pre.
_PRE_TOKENIZERS: dict[str, Any] = {
    "smollm": {"type": "Sequence", "pretokenizers": [_DIGITS, {**_BYTE_LEVEL, "use_regex": True}]},
    "gpt-2": {**_BYTE_LEVEL, "use_regex": True},
}


class GgufCheckpoint:
    """A GGUF file.

    Raises:
        CheckpointError: it is damaged, or of an architecture that is not supported.
    """

    def __init__(self, path: Path):
        self._path, self._header = path, read_gguf(path)
        self.config = _config(self._header, path)

    @property
    def tensors(self) -> dict[str, StoredTensor]:
        """Tensors by the names of safetensors."""
        found = {}
        for name, tensor in self._header.tensors.items():
            wanted = _name_of(name)
            if wanted is None:
                raise CheckpointError(
                    f"{self._path}: has {name:.80}, which is not known; its answers would be wrong "
                    "without it"
                )
            if wanted.endswith(_INTERLEAVED):
                tensor = replace(tensor, interleaved=self.config.width)
            found[wanted] = tensor
        return found

    @property
    def licence(self) -> str | None:
        """Name of the licence that the file states."""
        stated = self._header.metadata.get("general.license")
        return stated if isinstance(stated, str) else None

    def features(self) -> Any:
        """Read the tokenizer.

        Raises:
            CheckpointError: its kind is not supported.
        """
        from edge_experts.features import checkpoint_tokenizer

        with tempfile.TemporaryDirectory() as folder:
            for name, content in _tokenizer_files(self._header.metadata, self._path).items():
                Path(folder, name).write_text(json.dumps(content), encoding="utf-8")
            return checkpoint_tokenizer.read(Path(folder))


def _name_of(name: str) -> str | None:
    if name in _NAMES:
        return _NAMES[name]
    parts = name.split(".", 2)
    if len(parts) == 3 and parts[0] == "blk" and parts[1].isdecimal() and parts[2] in _LAYER_NAMES:
        return f"model.layers.{int(parts[1])}.{_LAYER_NAMES[parts[2]]}"
    return None


def _config(header: GgufHeader, path: Path) -> ModelConfig:
    """Build the configuration as config.json has it, and check it as such."""
    found = header.metadata
    architecture = found.get("general.architecture")
    if architecture != _ARCHITECTURE or found.get(f"{_ARCHITECTURE}.expert_count"):
        raise CheckpointError(
            f"{path}: the architecture {architecture!r:.40} is not read from GGUF, only "
            f"{_ARCHITECTURE} without experts; take the checkpoint's safetensors"
        )

    def of(name: str) -> Any:
        return found.get(f"{_ARCHITECTURE}.{name}")

    scaling = of("rope.scaling.type")
    if scaling not in (None, "none"):
        raise CheckpointError(f"{path}: scaled rotary positions ({scaling!r:.40}) are unsupported")
    embedding = header.tensors.get("token_embd.weight")
    settings = {
        "model_type": _ARCHITECTURE,
        "hidden_size": of("embedding_length"),
        "intermediate_size": of("feed_forward_length"),
        "num_hidden_layers": of("block_count"),
        "num_attention_heads": of("attention.head_count"),
        "num_key_value_heads": of("attention.head_count_kv"),
        "head_dim": of("attention.key_length"),
        "max_position_embeddings": of("context_length"),
        "rms_norm_eps": of("attention.layer_norm_rms_epsilon"),
        "rope_theta": of("rope.freq_base"),
        "vocab_size": None if embedding is None else embedding.shape[0],
    }
    stated = {name: value for name, value in settings.items() if value is not None}
    # Infinity and NaN are refused as JSON.
    config = parse_config(json.dumps(stated).encode(), path / "metadata")
    if of("rope.dimension_count") not in (None, config.width):
        raise CheckpointError(f"{path}: all of a head must be rotated, rope.dimension_count")
    return replace(config, name=path.stem)


def _tokenizer_files(found: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Write the tokenizer's files as `transformers` would."""
    kind, division = found.get("tokenizer.ggml.model"), found.get("tokenizer.ggml.pre")
    tokens, merges = found.get("tokenizer.ggml.tokens"), found.get("tokenizer.ggml.merges")
    types = found.get("tokenizer.ggml.token_type")
    fits = all(isinstance(one, list) for one in (tokens, merges, types))
    if kind != "gpt2" or division not in _PRE_TOKENIZERS or not fits:
        raise CheckpointError(
            f"{path}: its tokenizer, {kind!r:.40} {division!r:.40}, is not read from GGUF, which "
            f"must be gpt2 and one of {tuple(_PRE_TOKENIZERS)}; take the checkpoint's safetensors"
        )
    assert isinstance(tokens, list)
    assert isinstance(types, list)
    if len(types) != len(tokens) or not all(isinstance(one, str) for one in tokens):
        raise CheckpointError(f"{path}: its tokens and their types differ in number")
    added = [
        {
            "id": place,
            "content": token,
            "special": one == _CONTROL,
            "normalized": False,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
        }
        for place, (token, one) in enumerate(zip(tokens, types, strict=True))
        if one in (_CONTROL, _USER)
    ]
    tokenizer = {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": _PRE_TOKENIZERS[str(division)],
        "post_processor": None,
        "decoder": {**_BYTE_LEVEL, "use_regex": True},
        "model": {
            "type": "BPE",
            "vocab": {token: place for place, token in enumerate(tokens)},
            "merges": merges,
        },
    }

    def named(key: str) -> dict[str, str]:
        place = found.get(f"tokenizer.ggml.{key}_token_id")
        known = type(place) is int and 0 <= place < len(tokens)
        return {f"{key}_token": tokens[place]} if known and place is not None else {}

    return {
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {
            **named("bos"),
            **named("eos"),
            "add_bos_token": found.get("tokenizer.ggml.add_bos_token") is True,
            "chat_template": found.get("tokenizer.chat_template"),
        },
    }
