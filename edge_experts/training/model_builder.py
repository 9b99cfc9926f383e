"""The untrained model of a configuration: networks, router, trunk, and dense baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import tf_keras

from ..errors import UnsuitableError
from . import cost, networks
from .config import TrainConfig
from .model import SparseExperts
from .routers import hashing


def build(
    shapes: networks.Shapes, config: TrainConfig, inputs: Mapping[str, np.ndarray]
) -> SparseExperts:
    """Build the untrained model; hashing routers use the inputs."""
    if config.dense is not None:
        rival = _rival(shapes, config, inputs)
        return SparseExperts(None, [rival], output_kind=shapes.output_kind)
    ours, count = networks.networks_for(shapes), config.experts
    router, experts = _router(shapes, config), _experts(shapes, config, count)
    gate = router
    if config.router in hashing.KINDS:
        gate = hashing.router(config.router, ours, shapes, count, inputs, config.seed)
    if config.trunk and config.combine == "top" and count > 1:
        gate, experts = networks.trunk.attach(router, gate, experts)
    return SparseExperts(
        gate,
        experts,
        combine=config.combine,
        top_k=config.top_k,
        balance=config.balance,
        output_kind=shapes.output_kind,
    )


def _experts(shapes: networks.Shapes, config: TrainConfig, count: int) -> list[tf_keras.Model]:
    if config.model is not None:
        return networks.user_networks.experts(config.model, shapes, count, config.width)
    ours = networks.networks_for(shapes)
    return [ours.expert(shapes, config.width) for _ in range(count)]


def _router(shapes: networks.Shapes, config: TrainConfig) -> tf_keras.Model:
    if config.router_model is not None:
        return networks.user_networks.router(config.router_model, shapes, config.experts)
    made: tf_keras.Model = networks.networks_for(shapes).router(shapes, config.experts)
    return made


def _rival(
    shapes: networks.Shapes, config: TrainConfig, inputs: Mapping[str, np.ndarray]
) -> tf_keras.Model:
    """The dense baseline that `dense` names."""
    ours, count, width = networks.networks_for(shapes), config.experts, config.width
    if config.dense == "teacher":
        return ours.teacher(shapes, count)
    if config.dense == "one":
        one = networks.trunk.alone(_router(shapes, config), _experts(shapes, config, 1)[0])
        if not config.trunk or one is None:
            raise UnsuitableError("experts do not use a trunk of the router here")
        return one
    if config.dense == "buckets":
        if shapes.kind != "text" or config.model is not None:
            raise UnsuitableError("only the default bags of n-grams have a number of buckets")
        bag: tf_keras.Model = networks.text_networks.dense_buckets(shapes, count, width)
        return bag
    if config.dense == "all":
        if config.model is None:
            return ours.dense_all(shapes, count, width)
        return networks.user_networks.dense_all(config.model, shapes, count, width)
    sparse = build(shapes, replace(config, dense=None, combine="top"), inputs)
    macs = cost.active(sparse)["active"]
    if config.model is None:
        return ours.dense_active(shapes, macs, width)
    return networks.user_networks.dense_active(config.model, shapes, macs, width)
