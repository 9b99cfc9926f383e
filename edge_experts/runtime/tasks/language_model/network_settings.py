"""Settings of a language model's network, from a manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....errors import ManifestError
from ....format.limits import LIMITS
from ....format.manifest import DENSE, MODEL_SUFFIX, Manifest

GATES = ("sigmoid", "softmax")
EMBEDDINGS = ("int8", "float32")
EMBEDDING, HEAD = f"{DENSE}/embedding.bin", f"{DENSE}/head{MODEL_SUFFIX}"
_LARGEST = float(np.finfo(np.float32).max)
_WHOLE = ("units", "heads", "key_heads", "width", "context", "pieces")


def attention_in_path(layer: int) -> str:
    return f"{DENSE}/attention_in_{layer:03d}{MODEL_SUFFIX}"


def attention_out_path(layer: int) -> str:
    return f"{DENSE}/attention_out_{layer:03d}{MODEL_SUFFIX}"


def shared_path(layer: int) -> str:
    """Return the path of the expert that every token of a layer uses, if the layer has one."""
    return f"{DENSE}/shared_{layer:03d}{MODEL_SUFFIX}"


def dense_paths(layers: int) -> tuple[str, ...]:
    """Return the paths of all dense parts but shared experts."""
    both = [
        path(layer) for layer in range(layers) for path in (attention_in_path, attention_out_path)
    ]
    return (EMBEDDING, *both, HEAD)


@dataclass(frozen=True)
class NetworkSettings:
    """Sizes and constants of a network, all but its weights.

    Attributes:
        units: width of the residual stream.
        heads, key_heads: attention heads, and heads of keys and values that groups of them share.
        width: of a head.
        context: tokens that attention sees at most, as in training.
        pieces: size of the vocabulary.
        gate: function of the routers' logits: "sigmoid" or "softmax".
        rotary_base: of the rotary positions.
        embedding: type of the rows in the embedding's file: "int8" or "float32".
        biases: for each layer one number for each expert, which only its selection sees.
        renormalize: the weights of the chosen experts are divided by their sum.
        shared: layers with a shared expert.
        interpreters: packages that compute the files correctly.
    """

    units: int
    heads: int
    key_heads: int
    width: int
    context: int
    pieces: int
    gate: str
    rotary_base: float
    embedding: str
    biases: tuple[tuple[float, ...], ...]
    interpreters: tuple[str, ...]
    renormalize: bool = True
    shared: frozenset[int] = frozenset()


def read_settings(manifest: Manifest) -> NetworkSettings:
    """Read the settings in a manifest's `task_spec`, which may contain anything.

    Raises:
        ManifestError: names the setting.
    """
    spec = manifest.task_spec
    config: Mapping[str, Any] = {} if spec is None else spec.config
    if not manifest.layers or manifest.combine != "top":
        raise ManifestError("layers must not be empty: a language model routes in every layer")
    found = {one.path for one in manifest.dense}
    shared = {layer for layer in range(len(manifest.layers)) if shared_path(layer) in found}
    wanted = {*dense_paths(len(manifest.layers)), *map(shared_path, shared)}
    if found != wanted:
        odd = sorted(found ^ wanted)[0]
        raise ManifestError(f"dense: must list the parts of {len(manifest.layers)} layers: {odd}")
    whole = {name: _whole(config, name) for name in _WHOLE}
    if whole["heads"] % whole["key_heads"] or whole["width"] % 2:
        raise ManifestError("task_spec: heads must be a multiple of key_heads, and width be even")
    base: Any = config.get("rotary_base")
    if type(base) not in (int, float) or not 1 < base < 1e12:
        raise ManifestError(f"task_spec: rotary_base must be a number above 1, got {base!r:.40}")
    return NetworkSettings(
        **whole,
        gate=_one_of(config, "gate", GATES),
        rotary_base=float(base),
        embedding=_one_of(config, "embedding", EMBEDDINGS),
        biases=_biases(config, [layer.experts for layer in manifest.layers]),
        interpreters=_names(config),
        renormalize=_renormalize(config, manifest.top_k),
        shared=frozenset(shared),
    )


def _whole(config: Mapping[str, Any], name: str) -> int:
    value = config.get(name)
    if type(value) is not int or not 1 <= value <= LIMITS.network_size:
        raise ManifestError(
            f"task_spec: {name} must be 1 to {LIMITS.network_size}, got {value!r:.40}"
        )
    return value


def _one_of(config: Mapping[str, Any], name: str, known: Sequence[str]) -> str:
    value = config.get(name)
    if value not in known:
        raise ManifestError(f"task_spec: {name} must be one of {known}, got {value!r:.40}")
    return str(value)


def _renormalize(config: Mapping[str, Any], top_k: int) -> bool:
    # A single expert's weight is its score, where a bundle does not say.
    value = config.get("renormalize", top_k > 1)
    if type(value) is not bool:
        raise ManifestError(f"task_spec: renormalize must be true or false, got {value!r:.40}")
    return value


def _biases(config: Mapping[str, Any], experts: Sequence[int]) -> tuple[tuple[float, ...], ...]:
    rows = config.get("biases")
    fits = isinstance(rows, list) and [
        len(row) if isinstance(row, list) else -1 for row in rows
    ] == list(experts)
    if not fits:
        raise ManifestError("task_spec: biases must have one number for each expert of each layer")
    assert isinstance(rows, list)
    for value in (value for row in rows for value in row):
        if type(value) not in (int, float) or not -_LARGEST <= value <= _LARGEST:  # NaN too
            raise ManifestError(f"task_spec: biases must be finite numbers, got {value!r:.40}")
    return tuple(tuple(map(float, row)) for row in rows)


def _names(config: Mapping[str, Any]) -> tuple[str, ...]:
    names = config.get("interpreters")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ManifestError("task_spec: interpreters must be a list of packages")
    return tuple(names)
