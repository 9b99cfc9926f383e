"""Last activations of trained networks, which the runtime computes itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from ...errors import UsageError


@dataclass(frozen=True)
class Ending:
    """The activation of a network's outputs, and the logits that it is computed from.

    Attributes:
        name: of the activation in Keras.
        layer: class of a layer that computes it; None without one.
        functions: names of TensorFlow's functions that compute it.
        logits: names of last activations after which the activation gives the same answers.
        of: computes the activation of logits.
        is_of: True if outputs look like those of the activation.
        hint: remedy for the last activation of another task, by its name.
    """

    name: str
    layer: str | None
    functions: tuple[str, ...]
    logits: tuple[str | None, ...]
    of: Callable[[Any], np.ndarray]
    is_of: Callable[[np.ndarray], bool]
    hint: dict[str, str]

    def remove(self, last: dict[str, Any], path: Any) -> None:
        """Remove the activation from the configuration of the last layer.

        Args:
            path: name of the network in errors.

        Raises:
            UsageError: the outputs are neither logits nor their activation.
        """
        options, kind = last["config"], last["class_name"]
        activation = options.get("activation")
        is_function = kind == "TFOpLambda" and options["function"] in self.functions
        if kind == self.layer or is_function:
            last |= {"module": "keras.layers", "class_name": "Activation", "registered_name": None}
            last["config"] = {"name": options["name"], "activation": "linear"}
            if is_function:  # its call may have an axis
                last["inbound_nodes"] = [[[*last["inbound_nodes"][0][:3], {}]]]
        elif activation == self.name:
            options["activation"] = "linear"
        elif activation not in self.logits:
            raise UsageError(
                f"{path}: its last layer {options['name']!r} ends in {activation}; the outputs "
                f"must be one logit for each label, or their {self.name}"
                f"{self.hint.get(activation, '')}"
            )


def _softmax(logits: Any) -> np.ndarray:
    found: np.ndarray = tf.nn.softmax(logits).numpy()
    return found


def _sigmoid(logits: Any) -> np.ndarray:
    found: np.ndarray = tf.sigmoid(logits).numpy()
    return found


def _is_distribution(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=-1), 1, atol=1e-3))


def _are_probabilities(outputs: np.ndarray) -> bool:
    return bool((outputs >= 0).all() and (outputs <= 1).all())


SOFTMAX = Ending(
    "softmax",
    "Softmax",
    ("nn.softmax",),
    ("linear", "log_softmax", None),  # their softmax is the same
    _softmax,
    _is_distribution,
    {"sigmoid": " (one output for two labels: make it Dense(2, 'softmax'))"},
)
SIGMOID = Ending(
    "sigmoid",
    None,
    ("math.sigmoid", "nn.sigmoid"),
    ("linear", None),
    _sigmoid,
    _are_probabilities,
    {"softmax": " (for examples that have exactly one label: --task classification)"},
)
OF_OUTPUTS = {"labels": SOFTMAX, "sets": SIGMOID}  # by RoutedTask.output_kind
