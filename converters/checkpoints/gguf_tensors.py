"""Tensors of a GGUF file by their names in a Hugging Face folder.

llama.cpp stacks the experts of a layer in one tensor, and permutes the rows of queries and keys of
some architectures for its rotary positions (https://github.com/ggml-org/llama.cpp,
convert_hf_to_gguf.py).
"""

from __future__ import annotations

import re
from pathlib import Path

from edge_experts.errors import CheckpointError

from .families import Family
from .gguf_header import BLOCK_TYPES, GgufHeader, GgufTensor
from .safetensors_file import StoredTensor

_LAYER = re.compile(r"blk\.(\d+)\.(.+)\.(weight|bias)")
_WHOLE = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
OF_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_shexp": "mlp.shared_expert.gate_proj",
    "ffn_up_shexp": "mlp.shared_expert.up_proj",
    "ffn_down_shexp": "mlp.shared_expert.down_proj",
}
_STACKED = {"ffn_gate_exps": "gate", "ffn_up_exps": "up", "ffn_down_exps": "down"}
_ROUTER, _SHARED_GATE = "ffn_gate_inp", "ffn_gate_inp_shexp"
# Architectures with rotary positions of neighbours, where transformers rotates halves.
_INTERLEAVED = ("llama", "granitemoe")


def tensors_of(
    path: Path, header: GgufHeader, architecture: str, family: Family, heads: tuple[int, int]
) -> dict[str, StoredTensor]:
    """Return the tensors by the names of the family.

    Args:
        heads: attention heads of queries, and of keys.

    Raises:
        CheckpointError: a tensor has no place in networks of the family.
    """
    found: dict[str, StoredTensor] = {}
    of_rows = dict(zip(("attn_q", "attn_k"), heads, strict=True))
    for tensor in header.tensors.values():
        if tensor.name in _WHOLE:
            found[_WHOLE[tensor.name]] = _stored(path, tensor)
            continue
        place = _LAYER.fullmatch(tensor.name)
        layer, part, end = place.groups() if place else ("", "", "")
        at = f"model.layers.{layer}."
        if part in OF_LAYER:
            paired = of_rows.get(part, 0) if architecture in _INTERLEAVED else 0
            found[f"{at}{OF_LAYER[part]}.{end}"] = _stored(path, tensor, paired)
        elif part == _ROUTER and family.router:
            found[at + family.router] = _stored(path, tensor)
        elif part == _SHARED_GATE and family.shared:
            stored = _stored(path, tensor)
            shape = (1, stored.numbers)  # llama.cpp drops the dimension of 1
            found[at + family.shared_gate] = StoredTensor(path, stored.kind, shape, stored.begin)
        elif part in _STACKED and family.experts and len(tensor.shape) == 3:
            name = family.experts[_STACKED[part]]
            for expert, stored in enumerate(_slices(path, tensor)):
                found[at + name.format(expert=expert)] = stored
        else:
            raise CheckpointError(
                f"{path}: has {tensor.name:.80}, which no {family.title} network uses; "
                "its answers would be wrong without it"
            )
    return found


def _stored(path: Path, tensor: GgufTensor, paired: int = 0) -> StoredTensor:
    kind = BLOCK_TYPES[tensor.kind].name
    return StoredTensor(path, kind, tensor.shape, tensor.offset, paired)


def _slices(path: Path, tensor: GgufTensor) -> list[StoredTensor]:
    count, *shape = tensor.shape
    kind, size = BLOCK_TYPES[tensor.kind].name, tensor.size // count
    return [
        StoredTensor(path, kind, tuple(shape), tensor.offset + expert * size)
        for expert in range(count)
    ]
