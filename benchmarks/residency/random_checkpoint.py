"""Checkpoints of random weights with the shape of granite-3.0-1b-a400m, or a part of it.

Figures of time and memory do not depend on training, given the experts that tokens are routed to.
Those are what the last tokens of the vocabulary say (`token_routes`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from . import token_routes
from .token_routes import FADED, WIDTH

LAYERS, EXPERTS, TOP, PIECES = 24, 32, 8, 49155
NAME = "random"  # of the folder of `synthetic-moe`, by which bundles of it are known
_CONFIG: Mapping[str, Any] = {
    "model_type": "granitemoe",
    "hidden_size": 1024,
    "intermediate_size": 512,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
    "rms_norm_eps": 1e-6,
    "embedding_multiplier": 12.0,
    "attention_multiplier": 0.015625,
    "residual_multiplier": 0.22,
    "logits_scaling": 6.0,
    "eos_token_id": 1,
}


def write(
    folder: Path, *, layers: int = LAYERS, experts: int = EXPERTS, pieces: int = PIECES
) -> Path:
    """Write a checkpoint in bfloat16, with a tokenizer of single bytes; returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        **_CONFIG,
        "num_hidden_layers": layers,
        "num_local_experts": experts,
        "num_experts_per_tok": min(TOP, experts),
        "vocab_size": pieces,
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    _write_tokenizer(folder / "tokenizer.json")
    shapes, place, head = dict(_shapes(config)), 0, {}
    for name, shape in shapes.items():
        end = place + 2 * math.prod(shape)
        head[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [place, end]}
        place = end
    raw, random = json.dumps(head).encode(), np.random.default_rng(0)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for name, shape in shapes.items():
            values = _values(name, shape, random)
            file.write((values.view(np.uint32) >> 16).astype("<u2").tobytes())
    return folder


def _values(name: str, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
    """Draw a tensor, float32."""
    if len(shape) == 1:  # of a norm
        return np.ones(shape, np.float32)
    values = random.standard_normal(shape, np.float32) / np.float32(shape[-1] ** 0.5)
    if name.endswith("embed_tokens.weight"):
        drawn = token_routes.codes(random) / np.float32(shape[-1] ** 0.5)
        values[-len(drawn) :, -WIDTH:] = drawn
    elif name.endswith(("o_proj.weight", "output_linear.weight")):
        values[..., -WIDTH:, :] *= FADED
    elif name.endswith("router.layer.weight"):
        values = np.zeros(shape, np.float32)
        values[:, -WIDTH:] = token_routes.router(random, int(name.split(".")[2]), shape[0])
    return values


def _shapes(config: Mapping[str, Any]) -> Iterator[tuple[str, tuple[int, ...]]]:
    units, inner, experts = (
        config[name] for name in ("hidden_size", "intermediate_size", "num_local_experts")
    )
    keys = units // config["num_attention_heads"] * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (config["vocab_size"], units)
    yield "model.norm.weight", (units,)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        yield f"{at}input_layernorm.weight", (units,)
        yield f"{at}post_attention_layernorm.weight", (units,)
        for name, rows in (("q", units), ("k", keys), ("v", keys), ("o", units)):
            yield f"{at}self_attn.{name}_proj.weight", (rows, units)
        moe = f"{at}block_sparse_moe."
        yield f"{moe}router.layer.weight", (experts, units)
        yield f"{moe}input_linear.weight", (experts, 2 * inner, units)
        yield f"{moe}output_linear.weight", (experts, units, inner)


def _write_tokenizer(path: Path) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    signs = ["<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    made = Tokenizer(models.BPE({sign: number for number, sign in enumerate(signs)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<s>", "</s>"])
    made.save(str(path))
