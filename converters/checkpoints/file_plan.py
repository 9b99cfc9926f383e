"""Files of a bundle, each with its network and the tensors that its parameters are made of.

The scalar multipliers of a family are multiplied into the weights behind them: the runtime's
network needs none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_experts.errors import CheckpointError
from edge_experts.format.manifest import layer_expert_path, router_path
from edge_experts.runtime.tasks.language_model.layered_network import MIXED
from edge_experts.runtime.tasks.language_model.network_settings import (
    HEAD,
    attention_in_path,
    attention_out_path,
    shared_path,
)

from .families import DENSE, WHOLE
from .file_networks import Attention, Expert, FileNetwork, Product, Router
from .model_config import ModelConfig
from .safetensors_file import StoredTensor
from .tensor_rows import Part, TensorRows

_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_COMPUTED = ("rotary_emb.inv_freq", "masked_bias")  # ends of tensors that are no parameters


@dataclass(frozen=True)
class FilePlan:
    """A file's network, and its parameters by name."""

    network: FileNetwork
    parameters: Mapping[str, TensorRows]


@dataclass(frozen=True)
class BundlePlan:
    """All files of a bundle.

    Attributes:
        embedding: rows of the embedding, (vocabulary, units).
        files: TFLite files by path.
    """

    config: ModelConfig
    embedding: TensorRows
    files: Mapping[str, FilePlan]


def plan_files(config: ModelConfig, tensors: Mapping[str, StoredTensor] | None) -> BundlePlan:
    """Assign every tensor of a checkpoint to a file.

    Args:
        tensors: by name; None: those that the configuration demands, which cannot be read.

    Raises:
        CheckpointError: a tensor is missing, has another shape, or has no place in the network.
    """
    return _Planner(config, tensors).plan()


class _Planner:
    def __init__(self, config: ModelConfig, tensors: Mapping[str, StoredTensor] | None):
        self._config, self._tensors = config, {} if tensors is None else tensors
        self._assumed = tensors is None
        self._used: set[str] = set()
        self._files: dict[str, FilePlan] = {}

    def plan(self) -> BundlePlan:
        config = self._config
        embedding = self._table(_EMBEDDING, config.embedding_multiplier)
        for layer in range(len(config.layers)):
            self._attention(layer)
            self._feed_forward(layer)
        tied = config.tied
        if tied is None:
            tied = _HEAD not in self._tensors and not self._assumed
        self._used.add(_HEAD)
        self._files[HEAD] = FilePlan(
            Product(config.units, config.vocabulary, biased=False, epsilon=config.epsilon),
            {
                "norm": self._vector("model.norm.weight", config.units),
                "weight": self._table(_EMBEDDING if tied else _HEAD, 1 / config.logits_scaling),
            },
        )
        unused = sorted(
            name for name in set(self._tensors) - self._used if not name.endswith(_COMPUTED)
        )
        if unused:
            raise CheckpointError(
                f"{self._tensors[unused[0]].file}: has {unused[0]:.80}, which no "
                f"{config.family.title} network uses ({len(unused)} such tensors); "
                "its answers would be wrong without it"
            )
        return BundlePlan(config, embedding, self._files)

    def _attention(self, layer: int) -> None:
        config, at = self._config, f"model.layers.{layer}."
        own = f"{at}self_attn."
        queries, keys = config.heads * config.width, config.key_heads * config.width
        # The runtime divides scores by the root of a head's width; any other factor is the query's.
        factor = config.attention_scale * math.sqrt(config.width)
        factor = 1.0 if abs(factor - 1) < 1e-9 else factor
        sizes = (("q_proj", queries, factor), ("k_proj", keys, 1.0), ("v_proj", keys, 1.0))
        biased = f"{own}q_proj.bias" in self._tensors
        norms = config.family.norms
        network = Attention(
            config.units, queries, keys, config.width, biased, norms, config.epsilon
        )
        found = {
            "norm": self._vector(f"{at}input_layernorm.weight", config.units),
            "weight": _stacked(
                [
                    self._part(f"{own}{name}.weight", (rows, config.units), factor)
                    for name, rows, factor in sizes
                ]
            ),
        }
        if biased:
            biases = [
                self._part(f"{own}{name}.bias", (rows,), factor) for name, rows, factor in sizes
            ]
            found["bias"] = _stacked(biases)
        if norms:
            whole = norms == WHOLE
            for name, kind, size in (("query_norm", "q", queries), ("key_norm", "k", keys)):
                width = size if whole else config.width
                found[name] = self._vector(f"{own}{kind}_norm.weight", width)
        self._files[attention_in_path(layer)] = FilePlan(network, found)
        out = {
            "weight": self._matrix(
                f"{own}o_proj.weight", (config.units, queries), config.residual_multiplier
            )
        }
        out_biased = f"{own}o_proj.bias" in self._tensors
        if out_biased:
            out["bias"] = _stacked(
                [self._part(f"{own}o_proj.bias", (config.units,), config.residual_multiplier)]
            )
        self._files[attention_out_path(layer)] = FilePlan(
            Product(queries, config.units, out_biased, None, MIXED), out
        )

    def _feed_forward(self, layer: int) -> None:
        config, size = self._config, self._config.layers[layer]
        at, family, units = f"model.layers.{layer}.", self._config.family, self._config.units
        norm = self._vector(f"{at}post_attention_layernorm.weight", units)
        logits = TensorRows((), units, 1)
        if size.routed:
            logits = self._matrix(f"{at}{family.router}", (size.experts, units))
        self._files[router_path(layer)] = FilePlan(
            Router(units, size.experts, config.epsilon), {"norm": norm, "logits": logits}
        )
        network = Expert(units, size.inner)
        for number in range(size.experts):
            if not size.routed:
                found = self._expert(at, DENSE, size.inner)
            elif family.fused:
                found = self._fused(at, layer, number)
            else:
                assert family.experts is not None
                named = {key: name.format(expert=number) for key, name in family.experts.items()}
                found = self._expert(at, named, size.inner)
            self._files[layer_expert_path(layer, number)] = FilePlan(network, found)
        if size.shared:
            assert family.shared is not None
            found = self._expert(at, family.shared, size.shared)
            found["share"] = self._matrix(f"{at}{family.shared_gate}", (1, units))
            shared = Expert(units, size.shared, shared=True)
            self._files[shared_path(layer)] = FilePlan(shared, found)

    def _expert(self, at: str, names: Mapping[str, str], inner: int) -> dict[str, TensorRows]:
        units, residual = self._config.units, self._config.residual_multiplier
        return {
            "gate": self._matrix(at + names["gate"], (inner, units)),
            "up": self._matrix(at + names["up"], (inner, units)),
            "down": self._matrix(at + names["down"], (units, inner), residual),
        }

    def _fused(self, at: str, layer: int, number: int) -> dict[str, TensorRows]:
        """Take one expert's rows of the tensors of all experts of its layer."""
        config, size = self._config, self._config.layers[layer]
        names = config.family.experts
        assert names is not None
        units, inner = config.units, size.inner
        into = at + names["input"], (size.experts, 2 * inner, units)
        down = at + names["down"], (size.experts, units, inner)
        start = number * 2 * inner
        return {
            "gate": _stacked([self._part(*into, rows=inner, first=start)]),
            "up": _stacked([self._part(*into, rows=inner, first=start + inner)]),
            "down": _stacked(
                [self._part(*down, config.residual_multiplier, rows=units, first=number * units)]
            ),
        }

    def _table(self, name: str, factor: float) -> TensorRows:
        config = self._config
        return self._matrix(name, (config.vocabulary, config.units), factor)

    def _matrix(self, name: str, shape: tuple[int, ...], factor: float = 1.0) -> TensorRows:
        return _stacked([self._part(name, shape, factor)])

    def _vector(self, name: str, size: int) -> TensorRows:
        return _stacked([self._part(name, (size,))])

    def _part(
        self,
        name: str,
        shape: tuple[int, ...],
        factor: float = 1.0,
        rows: int | None = None,
        first: int = 0,
    ) -> Part:
        """Return rows of a tensor; a vector is one of rows of one number."""
        tensor = self._tensors.get(name)
        if self._assumed:
            tensor = StoredTensor(Path(self._config.name), "BF16", shape, 0)
        if tensor is None:
            raise CheckpointError(
                f"{self._config.name}: has no tensor {name}, which a {self._config.family.title} "
                "network needs; download the checkpoint again"
            )
        if tensor.shape != shape:
            raise CheckpointError(
                f"{tensor.file}: {name} must have the shape {shape} by config.json, and has "
                f"{tensor.shape}"
            )
        self._used.add(name)
        columns = shape[-1] if len(shape) > 1 else 1
        count = math.prod(shape) // columns if rows is None else rows
        return Part(name, tensor, count, columns, first, factor)


def _stacked(parts: list[Part]) -> TensorRows:
    return TensorRows(parts, parts[0].columns)
