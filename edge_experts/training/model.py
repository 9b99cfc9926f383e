"""The sparse expert model: a router and N independent experts, as one Keras model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ..bundle import COMBINE

_TINY = 1e-12
_IMPOSSIBLE = -1e9  # the log-probability of an expert that is not asked


@tf_keras.saving.register_keras_serializable("edge_experts")
class SparseExperts(tf_keras.Model):
    """A router and N experts with parameters of their own.

    In training every expert sees every input and the gate weighs them, so that the loss is the
    likelihood of the mixture, -log sum_i p_i(x) P_i(y|x) (Jacobs et al., 1991, Adaptive mixtures
    of local experts). Otherwise only the router's `top_k` choices answer, as on the device.

    Args:
        router: inputs to one logit for each expert; None with `combine="sum"` or one expert.
        experts: each from inputs to one logit for each label.
        combine: "top", the picked experts' probabilities weighted by the gate; or "sum", all
            experts' outputs added, without a router.
        top_k: how many experts answer an input.
        balance: weight of the loss N * sum_i mean(p_i)**2, which is 1 when all experts are used
            alike and N when only one is.
        decay: weight of the loss |mean(w)|**2 over the experts' parameters.
        tie: weight of the loss sum_i |w_i - mean(w)|**2. Together the two let experts of one
            shape share what they have in common, and differ where the data asks for it; a
            penalty on each expert alone would weigh N times as much against its share of the
            data.

    Its output is log-probabilities, (batch, labels): compile it with a cross-entropy
    `from_logits=True`.
    """

    def __init__(
        self,
        router: tf_keras.Model | None,
        experts: Sequence[tf_keras.Model],
        *,
        combine: str = "top",
        top_k: int = 1,
        balance: float = 0.05,
        decay: float = 0.0,
        tie: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if combine not in COMBINE:
            raise ValueError(f"combine must be one of {COMBINE}, got {combine!r}")
        if not experts:
            raise ValueError("experts must hold at least one network")
        if not 1 <= top_k <= len(experts):
            raise ValueError(f"top_k must be from 1 to {len(experts)} (experts), got {top_k}")
        if combine == "top" and len(experts) > 1 and router is None:
            raise ValueError("router must be given where there are experts to pick from")
        for network in (router, *experts):
            if network is not None and not isinstance(network, tf_keras.Model):
                raise TypeError(
                    f"router and experts must be tf_keras models, got {type(network).__module__}."
                    f"{type(network).__name__}; build them with tf_keras layers"
                )
        self.router = router if combine == "top" and len(experts) > 1 else None
        self.experts = list(experts)
        self.built = all(network.built for network in (*experts, *filter(None, [self.router])))
        self.combine, self.top_k = combine, top_k
        self.balance, self.decay, self.tie = balance, decay, tie

    def call(self, inputs: Any, training: bool | None = False) -> tf.Tensor:
        """Log-probabilities (batch, labels): of the mixture in training, else as deployed."""
        if training and (self.decay or self.tie):
            self.add_loss(self._penalty())
        outputs = tf.stack([expert(inputs, training=training) for expert in self.experts], axis=1)
        if self.combine == "sum":
            return tf.nn.log_softmax(tf.reduce_sum(outputs, axis=1))
        answers = tf.nn.log_softmax(outputs)
        if self.router is None:
            return answers[:, 0]
        logits = self.router(inputs, training=training)
        if training:
            gate = tf.nn.log_softmax(logits)
            share = tf.reduce_mean(tf.exp(gate), axis=0)
            self.add_loss(self.balance * len(self.experts) * tf.reduce_sum(share**2))
        else:
            least = tf.math.top_k(logits, self.top_k).values[:, -1:]
            gate = tf.nn.log_softmax(tf.where(logits >= least, logits, _IMPOSSIBLE))
        return tf.reduce_logsumexp(gate[:, :, None] + answers, axis=1)

    def mixture(self, inputs: Any, batch_size: int = 1024) -> np.ndarray:
        """Log-probabilities (examples, labels) of all experts, weighed by the gate.

        More accurate than what a device can afford, and so a teacher for it.
        """
        if self.router is None:
            return self.predict(inputs, batch_size=batch_size, verbose=0)
        gate = self.router.predict(inputs, batch_size=batch_size, verbose=0)
        total = np.zeros(())
        for weight, expert in zip(tf.nn.softmax(gate).numpy().T, self.experts, strict=True):
            answer = tf.nn.softmax(expert.predict(inputs, batch_size=batch_size, verbose=0))
            total = total + weight[:, None] * answer.numpy()
        return np.log(np.maximum(total, _TINY))

    def _penalty(self) -> tf.Tensor:
        """decay * |mean(w)|**2 + tie * sum_i |w_i - mean(w)|**2, over all parameters."""
        total = 0.0
        for variables in zip(*(e.trainable_variables for e in self.experts), strict=True):
            stack = tf.stack(variables)
            mean = tf.reduce_mean(stack, axis=0)
            total += self.decay * tf.reduce_sum(mean**2)
            total += self.tie * tf.reduce_sum((stack - mean) ** 2)
        return total

    def route(self, inputs: Any, batch_size: int = 1024) -> Any:
        """The router's first choice for each input: (examples,) int64 array."""
        if self.router is None:
            raise ValueError("a model without a router does not choose between experts")
        return self.router.predict(inputs, batch_size=batch_size, verbose=0).argmax(axis=-1)

    def get_config(self) -> dict[str, Any]:
        serialize = tf_keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "router": None if self.router is None else serialize(self.router),
            "experts": [serialize(expert) for expert in self.experts],
            "combine": self.combine,
            "top_k": self.top_k,
            "balance": self.balance,
            "decay": self.decay,
            "tie": self.tie,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SparseExperts:
        restore = tf_keras.saving.deserialize_keras_object
        config = dict(config)
        router = config.pop("router")
        experts = [restore(expert) for expert in config.pop("experts")]
        return cls(None if router is None else restore(router), experts, **config)
