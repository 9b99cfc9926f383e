"""Models with a backbone: put together for a run folder, and taken apart for training.

In training, router and experts are small networks of the features, which are computed before. In
the run folder the router is one network from inputs to its logits and to the features, its trunk;
the experts are unchanged.
"""

from __future__ import annotations

import tf_keras

from ...format.manifest import TRUNK
from ..model import SparseExperts

BODY, GATE = "backbone", "backbone_gate"


def joined(body: tf_keras.Model, model: SparseExperts) -> SparseExperts:
    """Build the model of inputs from a backbone and a model of its features.

    One network without a router gets a gate of one constant output: so it is a head that is
    exchanged without the backbone, and others can be added.

    Args:
        body: from `x` to features, (batch, units).
        model: router and experts of an input `trunk`, (batch, units).
    """
    inputs = body.inputs
    trunk = _named(body, BODY)(inputs)
    gate = _constant(trunk.shape[-1]) if model.router is None else model.router
    outputs = {"gate": _named(gate, GATE)(trunk), TRUNK: trunk}
    options = model.get_config()
    del options["router"], options["experts"]
    made = SparseExperts(tf_keras.Model(inputs, outputs), model.experts, **options)
    body.trainable = False
    return made


def is_joined(model: SparseExperts) -> bool:
    """True if the model has a backbone."""
    router = model.router
    return router is not None and any(layer.name == BODY for layer in router.layers)


def taken_apart(model: SparseExperts) -> tuple[tf_keras.Model, SparseExperts]:
    """Return the backbone, and the model of its features, whose router is the gate."""
    options = model.get_config()
    del options["router"], options["experts"]
    assert model.router is not None, "a model with a backbone has a router"
    body, gate = (model.router.get_layer(name) for name in (BODY, GATE))
    made = SparseExperts(gate, model.experts, **options)
    made.router = gate  # also of one expert
    return body, made


def _named(network: tf_keras.Model, name: str) -> tf_keras.Model:
    network._name = name
    return network


def _constant(units: int) -> tf_keras.Model:
    features = tf_keras.Input((units,), name=TRUNK)
    zeros = tf_keras.layers.Dense(1, kernel_initializer="zeros")(features)
    return tf_keras.Model(features, zeros)
