"""The backbone that the settings of a training name."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np

from ...datasets import Dataset
from ..config import TrainConfig
from . import network, scaling
from .network import Backbone


@dataclass(frozen=True)
class StatedBackbone:
    """A backbone, and the scale of its inputs.

    Attributes:
        input: one of `config.BACKBONE_INPUTS`.
        scale: mean and deviation that inputs are standardized by; None: of the training examples.
    """

    network: Backbone
    input: str
    scale: scaling.Scale | None


def read(config: TrainConfig, dataset: Dataset) -> StatedBackbone | None:
    """Read the backbone of the settings; None without one. Prints what is taken from it.

    Raises:
        UsageError: the file, the layer or the data cannot be used.
    """
    if config.backbone is None:
        return None
    found = network.read(config.backbone, config.backbone_layer)
    stated = scaling.chosen(found, config.backbone_input)
    scale = scaling.scale_of(stated, dataset)
    found.fitted_to(np.shape(dataset.train.inputs)[1:])
    print(
        f"{found.path}: features are taken from {found.taken}; inputs: {stated}",
        file=sys.stderr,
    )
    return StatedBackbone(found, stated, scale)
