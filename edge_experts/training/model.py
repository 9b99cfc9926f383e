"""The sparse expert model: a router and N independent experts, as one Keras model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from ..format.manifest import COMBINE, TRUNK
from .custom_functions import custom_functions
from .inference import predict
from .objectives.losses import balance
from .objectives.outputs import COMBINATIONS

_IMPOSSIBLE = -1e9  # log-probability of an expert that is not routed to


@tf_keras.saving.register_keras_serializable("edge_experts")
class SparseExperts(tf_keras.Model):
    """A router and N experts with separate parameters.

    As an ordinary Keras model, `fit` trains router and experts jointly: every expert sees every
    input and the gate weights them, so that the loss is the likelihood of the mixture,
    -log sum_i p_i(x) P_i(y|x) (Jacobs et al., 1991, Adaptive mixtures of local experts). Outside
    training only the router's `top_k` experts answer, as on the device.
    `edge_experts.training.train` does more, see `Learner`.

    Args:
        router: from inputs to one logit for each expert; None with `combine="sum"`, or with one
            expert that needs no trunk.
            Or to `{"gate": logits, "trunk": features}`: then experts with an input named "trunk"
            get these features.
        experts: each from inputs to one logit for each label, or one value for each output.
        combine: "top", the routed experts' probabilities weighted by the gate; or "sum", the sum of
            all experts' outputs, without a router.
        top_k: number of experts that answer an input.
        balance: weight of the loss N * sum_i mean(p_i)**2, which is 1 for equal use of all experts
            and N if only one is used.
        output_kind: "labels" for classification; "sets" for several labels of an example; "values"
            for regression; "inputs" for reconstructed inputs, which are values too.

    The output is log-probabilities, (batch, labels): compile with a cross-entropy
    `from_logits=True`. For sets it is logits of the labels, (batch, labels): compile with a binary
    cross-entropy `from_logits=True`. For values it is their mean weighted by the gate, (batch,
    outputs), or their sum: compile with a squared error.
    """

    def __init__(
        self,
        router: tf_keras.Model | None,
        experts: Sequence[tf_keras.Model],
        *,
        combine: str = "top",
        top_k: int = 1,
        balance: float = 0.05,
        output_kind: str = "labels",
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if output_kind not in COMBINATIONS:
            raise ValueError(
                f"output_kind must be one of {tuple(COMBINATIONS)}, got {output_kind!r}"
            )
        if combine not in COMBINE:
            raise ValueError(f"combine must be one of {COMBINE}, got {combine!r}")
        if not experts:
            raise ValueError("experts must hold at least one network")
        if not 1 <= top_k <= len(experts):
            raise ValueError(f"top_k must be from 1 to {len(experts)} (experts), got {top_k}")
        if combine == "top" and len(experts) > 1 and router is None:
            raise ValueError("router must be given if there are several experts to route to")
        for network in (router, *experts):
            if network is not None and not isinstance(network, tf_keras.Model):
                raise TypeError(
                    f"router and experts must be tf_keras models, got {type(network).__module__}."
                    f"{type(network).__name__}; build them with tf_keras layers"
                )
        # A trunk is computed for one expert too, which then can be exchanged without it.
        routes = len(experts) > 1 or (router is not None and isinstance(router.output, dict))
        self.router = router if combine == "top" and routes else None
        self.experts = list(experts)
        self.built = all(network.built for network in (*experts, *filter(None, [self.router])))
        self.combine, self.top_k, self.balance = combine, top_k, balance
        self.output_kind = output_kind

    def call(self, inputs: Any, training: bool | None = False) -> tf.Tensor:
        """(batch, labels) or (batch, outputs): of the mixture in training, else as deployed."""
        gate = None
        if self.router is not None:
            gate, inputs = asked(self.router, inputs, training)
        logits = tf.stack([expert(inputs, training=training) for expert in self.experts])
        if gate is None or not training:
            return answer(gate, logits, self.top_k, self.output_kind)
        gate = tf.nn.log_softmax(gate)
        self.add_loss(self.balance * balance(gate))
        return COMBINATIONS[self.output_kind].mixture(gate, logits)

    def route(self, inputs: Any, batch_size: int = 1024) -> Any:
        """The router's first choice for each input: (examples,) int64 array."""
        return self.gate(inputs, batch_size).argmax(axis=-1)

    def gate(self, inputs: Any, batch_size: int = 1024) -> Any:
        """The router's logits for each input: (examples, experts) float32 array."""
        if self.router is None:
            raise ValueError("a model without a router does not choose between experts")
        outputs = predict(self.router, inputs, batch_size)
        return outputs["gate"] if isinstance(outputs, dict) else outputs

    def expert_inputs(self, inputs: Mapping[str, Any], batch_size: int = 1024) -> dict[str, Any]:
        """Inputs of the experts: those of the model, and the router's trunk if they use it."""
        if self.router is None or not isinstance(self.router.output, dict):
            return dict(inputs)
        outputs = predict(self.router, inputs, batch_size)
        return {**inputs, TRUNK: outputs[TRUNK]}

    def get_config(self) -> dict[str, Any]:
        serialize = tf_keras.saving.serialize_keras_object
        # Omitted if it is the default: model files of classification stay unchanged.
        kind = {} if self.output_kind == "labels" else {"output_kind": self.output_kind}
        functions = custom_functions([*filter(None, [self.router]), *self.experts])
        return {
            **super().get_config(),
            **kind,
            **({"functions": functions} if functions else {}),
            "router": None if self.router is None else serialize(self.router),
            "experts": [serialize(expert) for expert in self.experts],
            "combine": self.combine,
            "top_k": self.top_k,
            "balance": self.balance,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SparseExperts:
        restore = tf_keras.saving.deserialize_keras_object
        config = dict(config)
        config.pop("functions", None)  # imported by model_files.py
        router = config.pop("router")
        experts = [restore(expert) for expert in config.pop("experts")]
        return cls(None if router is None else restore(router), experts, **config)


def asked(
    router: tf_keras.Model, inputs: Any, training: bool | None = False
) -> tuple[tf.Tensor, Any]:
    """The gate's logits (rows, experts), and the experts' inputs, with a trunk if there is one."""
    outputs = router(inputs, training=training)
    if isinstance(outputs, dict):
        return outputs["gate"], {**inputs, TRUNK: outputs[TRUNK]}
    return outputs, inputs


def gate_of(router: tf_keras.Model) -> tf_keras.Model:
    """The router without its trunk: from inputs to one logit for each expert."""
    outputs = router.output
    return tf_keras.Model(router.inputs, outputs["gate"]) if isinstance(outputs, dict) else router


def answer(
    gate: tf.Tensor | None, outputs: tf.Tensor, top_k: int = 1, output_kind: str = "labels"
) -> tf.Tensor:
    """Log-probabilities (rows, labels) or values (rows, outputs), as the device answers.

    Args:
        gate: logits (rows, experts); None if all experts' outputs are added.
        outputs: outputs of the experts, (experts, rows, labels or outputs).
    """
    combination = COMBINATIONS[output_kind]
    if gate is None:
        return combination.total(outputs)
    # By index rather than by value: of experts with equal logits only the first is used.
    asked = tf.math.top_k(gate, top_k).indices
    picked = tf.reduce_any(tf.one_hot(asked, gate.shape[-1], True, False, dtype=tf.bool), axis=1)
    gate = tf.nn.log_softmax(tf.where(picked, gate, _IMPOSSIBLE))
    return combination.mixture(gate, outputs)
