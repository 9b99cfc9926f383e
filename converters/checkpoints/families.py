"""Families of checkpoints: the names of their tensors, and what their layers compute.

All experts compute down(silu(gate x) * up x). The names and rules are those of the classes in
`transformers` (https://github.com/huggingface/transformers), whose logits the tests compare.
"""

from __future__ import annotations

from dataclasses import dataclass

DENSE = {
    "gate": "mlp.gate_proj.weight",
    "up": "mlp.up_proj.weight",
    "down": "mlp.down_proj.weight",
}
PROJECTIONS = {name: path.replace("mlp.", "mlp.experts.{expert}.") for name, path in DENSE.items()}
_SHARED = {name: path.replace("mlp.", "mlp.shared_expert.") for name, path in DENSE.items()}
WHOLE, HEAD = "whole", "head"  # kinds of norms of queries and keys


@dataclass(frozen=True)
class Family:
    """Names and rules of the checkpoints of one `model_type`.

    Attributes:
        title: name for users.
        router: tensor of a layer's router; empty for dense networks.
        experts: tensors of one expert by parameter. With `fused`, "input" has gate and then up of
            all experts, and "down" is of all experts too.
        inner: setting with the width of an expert.
        renormalized: weights of the chosen experts sum to 1; None: the setting norm_topk_prob says.
        norms: norm of queries and keys: over their whole width, each head, or empty.
        shared: tensors of a shared expert with a separate gate, by parameter; empty without one.
        mixed: some layers may be dense (mlp_only_layers, decoder_sparse_step).
        multipliers: embedding, attention, residual and logits have scalar multipliers.
        rotary_base: used where the configuration has none.
    """

    title: str
    router: str = ""
    experts: dict[str, str] | None = None
    fused: bool = False
    inner: str = "intermediate_size"
    renormalized: bool | None = True
    norms: str = ""
    shared: dict[str, str] | None = None
    shared_gate: str = ""
    mixed: bool = False
    multipliers: bool = False
    rotary_base: float = 10_000.0


FAMILIES = {
    "llama": Family("Llama"),
    "granitemoe": Family(
        "Granite-MoE",
        "block_sparse_moe.router.layer.weight",
        {
            "input": "block_sparse_moe.input_linear.weight",
            "down": "block_sparse_moe.output_linear.weight",
        },
        fused=True,
        multipliers=True,
    ),
    "mixtral": Family(
        "Mixtral",
        "block_sparse_moe.gate.weight",
        {
            "gate": "block_sparse_moe.experts.{expert}.w1.weight",
            "up": "block_sparse_moe.experts.{expert}.w3.weight",
            "down": "block_sparse_moe.experts.{expert}.w2.weight",
        },
        rotary_base=1_000_000.0,
    ),
    "olmoe": Family("OLMoE", "mlp.gate.weight", PROJECTIONS, renormalized=None, norms=WHOLE),
    "qwen2_moe": Family(
        "Qwen2-MoE",
        "mlp.gate.weight",
        PROJECTIONS,
        inner="moe_intermediate_size",
        renormalized=None,
        shared=_SHARED,
        shared_gate="mlp.shared_expert_gate.weight",
        mixed=True,
    ),
    "qwen3_moe": Family(
        "Qwen3-MoE",
        "mlp.gate.weight",
        PROJECTIONS,
        inner="moe_intermediate_size",
        renormalized=None,
        norms=HEAD,
        mixed=True,
    ),
}

# Families that are asked for, and what the runtime lacks for them.
REFUSED = {
    "gpt_oss": "attention sinks, and experts with biases and a clamped activation",
    "deepseek_v2": "multi-head latent attention",
    "deepseek_v3": "multi-head latent attention",
    "kimi_k2": "multi-head latent attention",
    "gemma": "GELU, and norms with an offset",
    "gemma2": "GELU, norms with an offset, soft-capping and sliding windows",
    "gemma3": "GELU, norms with an offset and sliding windows",
    "gemma3_text": "GELU, norms with an offset and sliding windows",
    "gemma4": "GELU, norms with an offset and sliding windows",
    "granitemoehybrid": "state-space layers",
    "granitemoeshared": "shared experts without a gate",
    "lfm2_moe": "convolution layers",
    "jamba": "state-space layers",
    "llama4": "chunked attention and input-scaled experts",
    "phimoe": "sparse-mixer routing and biased experts",
    "glm4_moe": "partial rotary positions and grouped routing",
    "qwen3_next": "linear-attention layers",
    "dbrx": "clipped attention and LayerNorm",
}
