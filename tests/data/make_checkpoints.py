"""Small random checkpoints of every family, with the logits that `transformers` computes.

    pip install torch transformers safetensors
    python tests/data/make_checkpoints.py

in an environment of its own: neither package belongs to this project. It writes
`tests/data/checkpoints/NAME` with config.json, weights as safetensors, and reference.npz: tokens,
positions and the logits at these, (positions, vocabulary) float32, by float32 arithmetic. The files
in the repository were made by torch 2.14.1 and transformers 5.24.0.
"""

# mypy: ignore-errors

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

FOLDER = Path(__file__).parent / "checkpoints"
VOCABULARY = 288
POSITIONS = [0, 1, 2, 3, 5, 8, 13, 21, 34, 62, 63, 64, 65, 69]
TOKENS = 70
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 128,
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": None,
}
SHARED = {"shared_expert_intermediate_size": 64, "moe_intermediate_size": 32}
# Name: configuration class, its settings, type of the stored weights, bytes of a shard.
CHECKPOINTS = {
    "llama-tied": ("Llama", {"tie_word_embeddings": True}, "bfloat16", None),
    "llama-biases": (
        "Llama",
        {"attention_bias": True, "head_dim": 16, "num_key_value_heads": 4},
        "float32",
        None,
    ),
    "llama-sharded": ("Llama", {"rope_theta": 500000.0, "rms_norm_eps": 1e-2}, "float16", "30KB"),
    "granite": (
        "GraniteMoe",
        {
            "tie_word_embeddings": True,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "embedding_multiplier": 12.0,
            "attention_multiplier": 0.2,
            "residual_multiplier": 0.22,
            "logits_scaling": 6.0,
        },
        "bfloat16",
        None,
    ),
    "granite-untied": (
        "GraniteMoe",
        {
            "num_local_experts": 3,
            "num_experts_per_tok": 1,
            "attention_multiplier": 0.5,
            "logits_scaling": 0.5,
            "rms_norm_eps": 1e-5,
        },
        "float32",
        None,
    ),
    "granite-biases": (
        "GraniteMoe",
        {
            "num_local_experts": 5,
            "num_experts_per_tok": 3,
            "residual_multiplier": 1.5,
            "attention_bias": True,
        },
        "float16",
        None,
    ),
    "mixtral": ("Mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2}, "bfloat16", None),
    "mixtral-top1": (
        "Mixtral",
        {
            "num_local_experts": 3,
            "num_experts_per_tok": 1,
            "tie_word_embeddings": True,
            "rope_theta": 1e6,
        },
        "float16",
        None,
    ),
    "mixtral-window": (
        "Mixtral",
        {
            "num_local_experts": 3,
            "num_experts_per_tok": 3,
            "sliding_window": 80,
            "head_dim": 16,
        },
        "float32",
        None,
    ),
    "olmoe": ("Olmoe", {"num_experts": 4, "num_experts_per_tok": 2}, "bfloat16", None),
    "olmoe-renormalized": (
        "Olmoe",
        {"num_experts": 4, "num_experts_per_tok": 2, "norm_topk_prob": True},
        "float16",
        None,
    ),
    "olmoe-tied": (
        "Olmoe",
        {
            "num_experts": 3,
            "num_experts_per_tok": 1,
            "tie_word_embeddings": True,
            "num_key_value_heads": 4,
            "rms_norm_eps": 1e-3,
        },
        "float32",
        None,
    ),
    "qwen2-moe": (
        "Qwen2Moe",
        {"num_experts": 4, "num_experts_per_tok": 2, **SHARED},
        "bfloat16",
        None,
    ),
    "qwen2-moe-mixed": (
        "Qwen2Moe",
        {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "norm_topk_prob": True,
            "decoder_sparse_step": 2,
            "intermediate_size": 96,
            **SHARED,
        },
        "float16",
        None,
    ),
    "qwen2-moe-tied": (
        "Qwen2Moe",
        {
            "num_experts": 3,
            "num_experts_per_tok": 1,
            "tie_word_embeddings": True,
            "mlp_only_layers": [0],
            **SHARED,
        },
        "float32",
        None,
    ),
    "qwen3-moe": (
        "Qwen3Moe",
        {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "norm_topk_prob": True,
            "moe_intermediate_size": 32,
            "head_dim": 16,
        },
        "bfloat16",
        None,
    ),
    "qwen3-moe-mixed": (
        "Qwen3Moe",
        {
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "norm_topk_prob": False,
            "moe_intermediate_size": 32,
            "mlp_only_layers": [0],
            "intermediate_size": 64,
            "head_dim": 8,
        },
        "float16",
        None,
    ),
    "qwen3-moe-biases": (
        "Qwen3Moe",
        {
            "num_experts": 3,
            "num_experts_per_tok": 1,
            "norm_topk_prob": False,
            "moe_intermediate_size": 32,
            "attention_bias": True,
            "tie_word_embeddings": True,
        },
        "float32",
        None,
    ),
}


def main() -> None:
    shutil.rmtree(FOLDER, ignore_errors=True)
    for seed, (name, (family, settings, stored, shard)) in enumerate(CHECKPOINTS.items()):
        torch.manual_seed(seed)
        config = getattr(transformers, f"{family}Config")(**{**SMALL, **settings})
        model = getattr(transformers, f"{family}ForCausalLM")(config)
        _randomize(model)
        folder = FOLDER / name
        model.to(getattr(torch, stored)).save_pretrained(
            folder, **({} if shard is None else {"max_shard_size": shard})
        )
        (folder / "generation_config.json").unlink(missing_ok=True)
        _write_reference(family, folder, seed)
    _tokenizer().save(str(FOLDER / "tokenizer.json"))


def _randomize(model: torch.nn.Module) -> None:
    """Draw every parameter, norms and biases too, so large that each of them matters."""
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.3)
        elif parameter.ndim == 1:
            torch.nn.init.normal_(parameter, mean=1.0, std=0.3)
        else:
            torch.nn.init.normal_(parameter, std=1.5 / parameter.shape[-1] ** 0.5)


def _write_reference(family: str, folder: Path, seed: int) -> None:
    model = getattr(transformers, f"{family}ForCausalLM").from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    )
    model.eval()
    tokens = np.random.default_rng(seed).integers(0, VOCABULARY, TOKENS)
    with torch.no_grad():
        logits = model(torch.tensor(tokens)[None]).logits[0].numpy()
    np.savez_compressed(
        folder / "reference.npz",
        tokens=tokens.astype(np.int32),
        positions=np.array(POSITIONS),
        logits=logits[POSITIONS].astype(np.float32),
    )


def _tokenizer() -> Tokenizer:
    """Build a byte-level tokenizer of `VOCABULARY` tokens, the first two of them special."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    ids = {piece: place for place, piece in enumerate(["<s>", "</s>", *letters])}
    pairs = (
        *("th", "he", "in", "er", "an", "re", "on", "at", "en", "nd", "ti", "es", "or", "te", "of"),
        *("ed", "is", "it", "al", "ar", "st", "to", "nt", "ng", "se", "ha", "as", "ou", "io", "le"),
    )
    merges = [(pair[0], pair[1]) for pair in pairs]
    for first, second in merges:
        ids[first + second] = len(ids)
    assert len(ids) == VOCABULARY, len(ids)
    made = Tokenizer(models.BPE(vocab=ids, merges=merges))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(["<s>", "</s>"])
    return made


if __name__ == "__main__":
    main()
