"""Arrays that the networks of a training get: encoded inputs, or a backbone's features of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ...datasets import Dataset
from ...features import Features, encode_all
from .. import activations, network_checks, networks
from ..backbone.features import Trunk, computed
from ..backbone.joining import joined
from ..backbone.stated import StatedBackbone
from ..config import TrainConfig
from ..encoding import fit_features
from ..model_builder import build
from ..objectives.routed_task import RoutedTask
from ..randomness import reseed

Splits = Mapping[str, Mapping[str, np.ndarray]]  # arrays of each split, by their names


@dataclass(frozen=True)
class NetworkInputs:
    """Inputs of router and experts, and the shapes of these networks.

    Attributes:
        dataset: the data set; with a backbone, changed copies of its photos may follow.
        encoded: encoded inputs of each split.
        data: what router and experts get of each split: `encoded`, or a backbone's features.
    """

    dataset: Dataset
    encoded: Splits
    data: Splits
    shapes: networks.Shapes
    trunk: Trunk | None

    def refuse_unusable(self, config: TrainConfig) -> None:
        """Try custom networks and the backbone, untrained: see `network_checks.py`.

        Raises:
            UsageError: one would fail later.
        """
        custom = config.model is not None or config.router_model is not None
        if not custom and (self.trunk is None or config.trial is None):
            return
        tried = replace(config, experts=min(config.experts, 2), top_k=1, dense=None)
        model = build(self.shapes, tried, self.data["train"])
        if custom:
            network_checks.refuse_unusable(model, tried, self.data["train"])
        if self.trunk is not None:
            whole = joined(self.trunk.body, model)
            network_checks.try_backbone(whole, tried, self.encoded["train"])
        reseed(config.seed)  # what follows does not depend on the checks


def encoded_by(
    task: RoutedTask, dataset: Dataset, config: TrainConfig, backbone: StatedBackbone | None
) -> tuple[Features, Splits]:
    """Fit the features to the training split, and encode all splits."""
    reseed(config.seed)
    features = fit_features(
        dataset,
        task.classes(dataset.train.targets),
        fine=config.model is None,
        scale=None if backbone is None else backbone.scale,
    )
    return features, {
        name: encode_all(features, getattr(dataset, name).inputs)
        for name in ("train", "validation", "test")
    }


def network_inputs(
    task: RoutedTask,
    dataset: Dataset,
    config: TrainConfig,
    backbone: StatedBackbone | None,
    features: Features,
    encoded: Splits,
) -> NetworkInputs:
    """Compute a backbone's features, if there is one, and describe the networks.

    Raises:
        UsageError: the backbone does not take the data, or its features are of no use.
    """
    data, kind, trunk = encoded, dataset.kind, None
    if backbone is not None:
        trunk = computed(backbone, dataset, encoded, config)
        data, kind = trunk.data, "features"
        reseed(config.seed)
    arrays = data["train"]
    shapes = networks.Shapes(
        kind,
        {name: (array.shape[1:], str(array.dtype)) for name, array in arrays.items()},
        len(dataset.labels),
        features.settings,
        activations.BY_NAME[config.activation],
        task.output_kind,
        task.output_words,
    )
    return NetworkInputs(dataset if trunk is None else trunk.dataset, encoded, data, shapes, trunk)
