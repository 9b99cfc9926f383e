"""Features of a data set by a backbone, computed once and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ...datasets import Dataset, Split
from ...errors import UsageError
from ...format.atomic import cache_folder
from ...format.manifest import TRUNK
from ...progress import Progress
from .. import photo_augmentation
from ..checkpoints import Snapshot, Snapshots, code_digest
from ..config import TrainConfig
from ..randomness import reseed
from .network import OPTION, Backbone
from .stated import StatedBackbone

COPIES = 4  # of each photo to train on, changed at random, where photos are augmented
_AT_ONCE = 2**20  # numbers of the inputs of one batch
_ROOM = 1_000_000_000  # bytes that kept features may take; the least recently used are removed

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Trunk:
    """A backbone fitted to a data set, and the features of its examples.

    Attributes:
        body: network from `x` to features, whose mean square on the training examples is 1.
        data: features of each split, {"trunk": (examples, units)}.
        dataset: the data set; photos to train on are followed by their changed copies.
        input: scale of the inputs, one of `config.BACKBONE_INPUTS`.
    """

    backbone: Backbone
    body: tf_keras.Model
    data: Mapping[str, Arrays]
    dataset: Dataset
    input: str

    def to_json(self) -> dict[str, Any]:
        """Describe the backbone for run.json and the bundle's manifest."""
        return {
            "network": self.backbone.path.name,
            "sha256": self.backbone.digest,
            "layer": self.backbone.layer,
            "input": self.input,
            "features": int(self.body.output_shape[-1]),
        }


def computed(
    stated: StatedBackbone, dataset: Dataset, data: Mapping[str, Arrays], config: TrainConfig
) -> Trunk:
    """Compute the features of all splits, or take them from the cache.

    Args:
        data: encoded inputs of each split, {"x": (examples, ...)}.

    Raises:
        UsageError: the network does not take the data, or its features are of no use.
    """
    backbone, scale = stated.network, stated.input
    body = backbone.fitted_to(data["train"]["x"].shape[1:])
    copies = COPIES if config.augment else 0
    key = [backbone.digest, backbone.layer, scale, dataset.fingerprint(), copies, config.seed]
    kept = _Kept(hashlib.sha256(json.dumps([*key, code_digest()]).encode()).hexdigest())
    found = kept.read()
    if found is None:
        found = _all(body, data, copies, config.seed)
        kept.write(found)
    train = found["train"][: len(dataset.train)]
    size = float(np.sqrt(np.mean(np.square(train, dtype=np.float64))))
    if not np.isfinite(size) or size == 0:
        raise UsageError(
            f"{OPTION} {backbone.path}: its features are {'0' if size == 0 else 'not finite'} for "
            f"the examples of {dataset.name}; is --backbone-input what it was trained on?"
        )
    scaled = tf_keras.layers.Rescaling(1 / size, name="backbone_scale")(body.output)
    return Trunk(
        backbone,
        tf_keras.Model(body.inputs, scaled),
        {split: {TRUNK: features / np.float32(size)} for split, features in found.items()},
        _with_copies(dataset, copies),
        scale,
    )


def features_of(body: tf_keras.Model, arrays: Arrays, what: str) -> dict[str, np.ndarray]:
    """Compute the features of encoded inputs: {"trunk": (examples, units)}."""
    function, x = _function(body), arrays["x"]
    with Progress(what, _batches(x)) as progress:
        rows = []
        for batch in _each(x):
            rows.append(function(batch).numpy())
            progress.step()
    return {TRUNK: np.concatenate(rows)}


def _all(
    body: tf_keras.Model, data: Mapping[str, Arrays], copies: int, seed: int
) -> dict[str, np.ndarray]:
    """Features of each split; those of the training split are followed by those of its copies."""
    function, train = _function(body), data["train"]["x"]
    parts: dict[str, list[np.ndarray]] = {split: [] for split in data}
    batches = sum(_batches(arrays["x"]) for arrays in data.values()) + copies * _batches(train)
    with Progress("Computing features", batches) as progress:
        for split, arrays in data.items():
            for batch in _each(arrays["x"]):
                parts[split].append(function(batch).numpy())
                progress.step(split)
        mean, deviation = _statistics(train)
        for copy in range(copies):
            reseed(seed, "backbone", str(copy))
            for batch in _each(train):
                # Augmentation is for standardized photos.
                changed = photo_augmentation.augmented({"x": (batch - mean) / deviation})["x"]
                parts["train"].append(function(changed * deviation + mean).numpy())
                progress.step(f"changed copy {copy + 1}")
    return {split: np.concatenate(rows) for split, rows in parts.items()}


def _statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of each channel, as arrays of float32."""
    axes = tuple(range(x.ndim - 1))
    deviation = x.std(axis=axes, dtype=np.float64)
    mean = x.mean(axis=axes, dtype=np.float64).astype(np.float32)
    return mean, np.where(deviation > 0, deviation, 1).astype(np.float32)


def _with_copies(dataset: Dataset, copies: int) -> Dataset:
    """The data set with the targets of all copies; an example and its copies are one group."""
    if not copies:
        return dataset
    train, times = dataset.train, copies + 1
    groups = np.arange(len(train)) if train.groups is None else train.groups
    targets = np.concatenate([train.targets] * times)
    # Inputs are not read any more: features are computed.
    copied = Split(np.arange(len(targets)), targets, np.tile(groups, times))
    return replace(dataset, train=copied)


def _function(body: tf_keras.Model) -> Any:
    signature = [tf.TensorSpec((None, *body.input_shape[1:]), tf.float32)]
    return tf.function(lambda x: body(x, training=False), input_signature=signature)


def _rows(x: np.ndarray) -> int:
    return max(1, _AT_ONCE // int(np.prod(x.shape[1:])))


def _batches(x: np.ndarray) -> int:
    return -(-len(x) // _rows(x))


def _each(x: np.ndarray) -> Iterator[np.ndarray]:
    size = _rows(x)
    for start in range(0, len(x), size):
        yield x[start : start + size]


class _Kept:
    """Features in the cache folder, by a digest of all that they depend on."""

    def __init__(self, key: str):
        self._folder: Path = cache_folder() / "backbone"
        self._file = Snapshots(self._folder / f"{key}.npz")

    def read(self) -> dict[str, np.ndarray] | None:
        found = self._file.read()
        if found is None:
            return None
        self._file.path.touch()  # marks it as used
        return dict(found.arrays)

    def write(self, arrays: Arrays) -> None:
        """Keep the features, and remove the least recently used; errors only cost time."""
        try:
            self._file.write(Snapshot(arrays, {}))
            files = sorted(self._folder.glob("*.npz"), key=lambda path: -path.stat().st_mtime)
            sizes = np.cumsum([path.stat().st_size for path in files])
            for path in np.array(files, object)[sizes > _ROOM]:
                path.unlink(missing_ok=True)
        except OSError:
            return
