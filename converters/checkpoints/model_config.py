"""Configuration of a checkpoint, config.json, as this package's converter understands it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError
from edge_experts.format.bounded_read import read_at_most
from edge_experts.format.limits import LIMITS
from edge_experts.format.strict_json import strict_json

from .families import FAMILIES, REFUSED, Family

CONFIG = "config.json"
_ACTIVATIONS = ("silu", "swish")  # two names of one function


@dataclass(frozen=True)
class LayerConfig:
    """Feed-forward part of one layer.

    Attributes:
        experts: 1 for a dense one.
        inner: width of an expert.
        routed: a router chooses the experts; otherwise the one is always used.
        shared: width of the shared expert; 0 without one.
    """

    experts: int
    inner: int
    routed: bool = False
    shared: int = 0


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and constants of a checkpoint.

    Attributes:
        name: name of the folder.
        units: width of the residual stream.
        heads, key_heads, width: attention heads, heads of keys and values, width of a head.
        context: tokens that attention may see; within it, sliding windows have no effect.
        tied: the head is the embedding; None: it is where the checkpoint has no other.
        attention_scale: factor of attention's scores.
    """

    name: str
    family: Family
    model_type: str
    units: int
    heads: int
    key_heads: int
    width: int
    vocabulary: int
    context: int
    epsilon: float
    rotary_base: float
    tied: bool | None
    top_k: int
    renormalize: bool
    layers: tuple[LayerConfig, ...]
    attention_scale: float
    embedding_multiplier: float = 1.0
    residual_multiplier: float = 1.0
    logits_scaling: float = 1.0

    @property
    def experts(self) -> int:
        """Experts of all layers."""
        return sum(layer.experts for layer in self.layers)


def read_config(folder: Path) -> ModelConfig:
    """Read and check config.json.

    Raises:
        CheckpointError: it is missing or damaged, of an unknown family, or has a setting that the
            runtime does not support; names the setting.
        MachineError: the operating system does not permit the read.
    """
    path = folder / CONFIG
    raw = read_at_most(path, LIMITS.config_bytes)
    if raw is None:
        raise CheckpointError(f"{folder}: not a checkpoint, it has no {CONFIG}")
    return parse_config(raw, path)


def parse_config(raw: bytes, path: Path) -> ModelConfig:
    """Check the bytes of a configuration; `path` is its file, for errors and the name."""
    if len(raw) > LIMITS.config_bytes:
        raise CheckpointError(f"{path}: larger than {LIMITS.config_bytes:,} bytes")
    try:
        content = strict_json(raw)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}; download it again") from None
    if not isinstance(content, dict):
        raise CheckpointError(f"{path}: must be an object, got {content!r:.40}")
    return _config(_Settings(path, content))


@dataclass(frozen=True)
class _Settings:
    """Typed access to the settings; errors name the file and the setting."""

    path: Path
    content: Mapping[str, Any]

    def error(self, problem: str) -> CheckpointError:
        return CheckpointError(f"{self.path}: {problem}")

    def get(self, *names: str) -> Any:
        """Return the first of several settings that is not null."""
        return next(
            (found for name in names if (found := self.content.get(name)) is not None), None
        )

    def whole(self, *names: str, default: int | None = None, least: int = 1) -> int:
        value = self.get(*names)
        value = default if value is None else value
        if type(value) is not int or not least <= value <= LIMITS.network_size:
            raise self.error(
                f"{names[0]} must be {least} to {LIMITS.network_size:,}, got {value!r:.40}"
            )
        return value

    def number(self, name: str, default: float) -> float:
        value = self.get(name)
        value = default if value is None else value
        if type(value) not in (int, float) or not 0 < value <= 1e12:
            raise self.error(f"{name} must be a positive number, got {value!r:.40}")
        return float(value)

    def switch(self, name: str, *, default: bool) -> bool:
        value = self.get(name)
        value = default if value is None else value
        if type(value) is not bool:
            raise self.error(f"{name} must be true or false, got {value!r:.40}")
        return value


def _config(given: _Settings) -> ModelConfig:
    name, family = _family(given)
    _refuse_unsupported(given)
    units, heads = given.whole("hidden_size"), given.whole("num_attention_heads")
    width = given.whole("head_dim", default=max(1, units // heads))
    key_heads = given.whole("num_key_value_heads", default=heads)
    if heads % key_heads or width % 2:
        raise given.error(
            f"num_attention_heads {heads} must be a multiple of num_key_value_heads {key_heads}, "
            f"and the width of a head, {width}, even"
        )
    layers = _layers(given, family)
    top_k = given.whole("num_experts_per_tok") if family.router else 1
    most = max(layer.experts for layer in layers)
    if family.router and top_k > most:
        raise given.error(f"num_experts_per_tok {top_k} must be at most the experts, {most}")
    renormalize = family.renormalized
    if renormalize is None:
        renormalize = given.switch("norm_topk_prob", default=False)
    tied = given.content.get("tie_word_embeddings")
    scales: dict[str, float] = {}
    if family.multipliers:
        names = ("embedding_multiplier", "residual_multiplier", "logits_scaling")
        scales = {one: given.number(one, 1.0) for one in names}
    return ModelConfig(
        name=given.path.absolute().parent.name,
        family=family,
        model_type=name,
        units=units,
        heads=heads,
        key_heads=key_heads,
        width=width,
        vocabulary=given.whole("vocab_size", least=2),
        context=_context(given),
        epsilon=given.number("rms_norm_eps", 1e-6),
        rotary_base=_rotary_base(given, family),
        tied=None if tied is None else given.switch("tie_word_embeddings", default=False),
        top_k=min(top_k, most),
        renormalize=renormalize,
        layers=layers,
        attention_scale=(
            given.number("attention_multiplier", 1.0)
            if family.multipliers
            else 1 / math.sqrt(width)
        ),
        **scales,
    )


def _family(given: _Settings) -> tuple[str, Family]:
    name = given.get("model_type")
    if isinstance(name, str) and name in FAMILIES:
        return name, FAMILIES[name]
    known = ", ".join(f"{key} ({one.title})" for key, one in FAMILIES.items())
    missing = REFUSED.get(name) if isinstance(name, str) else None
    reason = f"it needs {missing}" if missing else "its layers are not known"
    raise given.error(f"model_type {name!r:.60} is not supported: {reason}; supported are {known}")


def _refuse_unsupported(given: _Settings) -> None:
    """Raise CheckpointError for settings that would need other computations."""
    activation = given.get("hidden_act", "hidden_activation")
    if activation not in (None, *_ACTIVATIONS):
        raise given.error(f"hidden_act {activation!r:.40} is not supported, which must be silu")
    if given.get("quantization_config") is not None:
        raise given.error(
            "quantization_config: quantized weights are not read; take the checkpoint in bfloat16, "
            "float16 or float32, which the converter quantizes itself"
        )
    for name, harmless in (("clip_qkv", None), ("mlp_bias", False), ("attention_sinks", False)):
        if given.content.get(name) not in (None, harmless):
            raise given.error(f"{name} is not supported, got {given.content[name]!r:.40}")
    if given.get("position_embedding_type") not in (None, "rope"):
        raise given.error("position_embedding_type must be rope")
    kinds = given.content.get("layer_types")
    known = ("full_attention", "sliding_attention")
    if kinds is not None and not (
        isinstance(kinds, Sequence) and all(kind in known for kind in kinds)
    ):
        raise given.error(f"layer_types must be of {known}, got {kinds!r:.80}")


def _rotary_base(given: _Settings, family: Family) -> float:
    """Read the base of rotary positions, in the form of old and new versions of transformers."""
    found = given.content.get("rope_parameters")
    scaling = given.content.get("rope_scaling")
    for name, one in (("rope_parameters", found), ("rope_scaling", scaling)):
        if one is None:
            continue
        if not isinstance(one, Mapping):
            raise given.error(f"{name} must be an object, got {one!r:.40}")
        kind = one.get("rope_type", one.get("type", "default"))
        if kind != "default":
            raise given.error(
                f"{name}: rotary positions of the type {kind!r:.40} are not supported"
            )
        _refuse_partial(given, one)
    _refuse_partial(given, given.content)
    inner = _Settings(given.path, {**given.content, **(found or {})})
    base = inner.number("rope_theta", family.rotary_base)
    if base <= 1:
        raise given.error(f"rope_theta must be above 1, got {base:g}")
    return base


def _refuse_partial(given: _Settings, one: Mapping[str, Any]) -> None:
    if one.get("partial_rotary_factor") not in (None, 1, 1.0):
        raise given.error("partial_rotary_factor is not supported: all of a head must be rotated")


def _context(given: _Settings) -> int:
    """Return the tokens that every layer's attention sees wholly."""
    context = given.whole("max_position_embeddings", least=2)
    used = given.switch("use_sliding_window", default=True)
    window = given.get("sliding_window")
    if not used or window is None or window == 0:
        return context
    return min(context, given.whole("sliding_window", least=2))


def _layers(given: _Settings, family: Family) -> tuple[LayerConfig, ...]:
    count = given.whole("num_hidden_layers")
    if count > LIMITS.dense_parts // 4:
        raise given.error(f"num_hidden_layers must be at most {LIMITS.dense_parts // 4}")
    dense = LayerConfig(1, given.whole("intermediate_size"))
    if not family.router:
        return (dense,) * count
    experts = given.whole("num_local_experts", "num_experts")
    if count * experts > LIMITS.experts:
        raise given.error(
            f"{count} layers of {experts} experts are more than {LIMITS.experts:,} files"
        )
    shared = given.whole("shared_expert_intermediate_size") if family.shared else 0
    sparse = LayerConfig(experts, given.whole(family.inner), True, shared)
    if not family.mixed:
        return (sparse,) * count
    step = given.whole("decoder_sparse_step", default=1)
    only = given.content.get("mlp_only_layers") or []
    if not isinstance(only, list) or not all(type(one) is int for one in only):
        raise given.error(f"mlp_only_layers must be numbers of layers, got {only!r:.60}")
    denser = set(only)
    found = tuple(
        dense if layer in denser or (layer + 1) % step else sparse for layer in range(count)
    )
    if not any(layer.routed for layer in found):
        raise given.error("no layer has experts: decoder_sparse_step or mlp_only_layers")
    return found
