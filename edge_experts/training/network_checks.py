"""Checks of custom networks before the first epoch, for errors that would show later."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from .. import run_folder
from ..errors import UsageError
from ..format.manifest import ROUTER, expert_path
from .config import TrainConfig
from .custom_errors import named
from .expert_batching import ExpertLoop, bank_of
from .inference import predict
from .model import SparseExperts
from .model_files import load_model
from .networks.alike import refuse_shared
from .randomness import by_step, deterministic

_ROWS = 4  # examples that the networks answer
_EQUAL = 1e-4  # relative to the largest output, or to 1

Arrays = Mapping[str, np.ndarray]


def refuse_unusable(model: SparseExperts, config: TrainConfig, inputs: Arrays) -> None:
    """Try the untrained networks of a configuration: answers, a step, saving, and conversion.

    Warns if the experts are not batched. `config.trial` tries the conversion.

    Args:
        inputs: encoded training examples.

    Raises:
        UsageError: a network would fail later; the message has the option and the cause.
    """
    options = _options(config)
    if model.router is None:
        options.pop(ROUTER, None)
    inputs = {name: array[:_ROWS] for name, array in inputs.items()}
    if len(options) > 1:
        refuse_shared(" and ".join(options.values()), [model.router, *model.experts])
    if model.router is not None and ROUTER in options:
        _refuse_unusable(model.router, options[ROUTER], inputs)
    expert = options.get(expert_path(0))
    if expert is not None:
        _refuse_unusable(model.experts[0], expert, model.expert_inputs(inputs))
        held = bank_of(model.experts)
        if isinstance(held, ExpertLoop) and len(model.experts) > 1:
            print(f"{expert}: {_loop_words(held)}", file=sys.stderr)
    if options and config.trial is not None:
        config.trial(model, inputs, options)


def try_backbone(model: SparseExperts, config: TrainConfig, inputs: Arrays) -> None:
    """Try the conversion of a backbone, if `config.trial` tries conversions.

    Args:
        model: of the backbone, and of router and experts that are not trained.
        inputs: encoded training examples.

    Raises:
        UsageError: it cannot be converted; the message has the cause.
    """
    if config.trial is not None:
        inputs = {name: array[:_ROWS] for name, array in inputs.items()}
        config.trial(model, inputs, {ROUTER: f"--backbone {config.backbone}"})


def _options(config: TrainConfig) -> dict[str, str]:
    """The options that name custom networks, by the file that is converted from the network."""
    given = {ROUTER: config.router_model, expert_path(0): config.model}
    words = {ROUTER: "--router-model", expert_path(0): "--model"}
    return {
        path: f"{words[path]} {each if isinstance(each, str) else each.__qualname__}"
        for path, each in given.items()
        if each is not None
    }


def _loop_words(held: ExpertLoop) -> str:
    count = len(held.experts)
    return (
        f"its {count} experts are not batched but called one after the other ({held.reason}); each "
        f"training step takes up to {count} times as long as that of one expert, and so does the "
        "start of each stage"
    )


def _refuse_unusable(network: tf_keras.Model, option: str, inputs: Arrays) -> None:
    with named(option, "answer the data's first examples"):
        one_by_one = _first(predict(network, inputs, batch_size=1))
        outputs = _first(predict(network, inputs))
    _refuse_outputs(outputs, one_by_one, option)
    with named(option, "be trained"), deterministic():
        missing = _without_gradient(network, inputs)
    if missing:
        raise UsageError(
            f"{option}: no gradient reaches its trainable weights ({', '.join(missing)}); an "
            "operation between them and the output cannot be differentiated"
        )
    with named(option, "be saved and loaded"):
        outputs = _first(predict(network, inputs))  # the step changed its statistics
        again = _first(predict(_saved_and_loaded(network), inputs))
    if not _equal(again, outputs):
        raise UsageError(
            f"{option}: saved and loaded again, its answers differ; a custom layer must have all "
            "its settings in get_config and all its state in weights"
        )


def _refuse_outputs(outputs: np.ndarray, one_by_one: np.ndarray, option: str) -> None:
    if outputs.dtype != np.float32:
        raise UsageError(
            f"{option}: its outputs are {outputs.dtype}, and must be float32; give its last layer "
            'dtype="float32"'
        )
    if not np.isfinite(outputs).all():
        raise UsageError(
            f"{option}: untrained, its outputs for the data's first examples are not finite; check "
            "it for divisions and logarithms"
        )
    refuse_other_answers(one_by_one, outputs, option)


def refuse_other_answers(one_by_one: np.ndarray, outputs: np.ndarray, network: object) -> None:
    """Refuse a network that answers examples otherwise one by one than in a batch.

    Args:
        network: its option or file.

    Raises:
        UsageError: the answers differ.
    """
    if not _equal(one_by_one, outputs):
        raise UsageError(
            f"{network}: its answer to an example depends on the other examples of a batch, or on "
            "chance; on a board examples are answered one by one, with the same answer each time"
        )


def _without_gradient(network: tf_keras.Model, inputs: Arrays) -> list[str]:
    """Run a training step; return names of weights that no gradient reaches, if that is all."""
    step = tf.Variable(0, dtype=tf.int64)

    @tf.function
    def gradients(batch: Mapping[str, tf.Tensor]) -> list[Any]:
        with by_step(step), tf.GradientTape() as tape:
            loss = tf.reduce_mean(_first(network(batch, training=True)) ** 2)
            loss += tf.add_n([0.0, *network.losses])
        found = tape.gradient(loss, network.trainable_weights)
        reached.extend(gradient is not None for gradient in found)
        return [tf.convert_to_tensor(gradient) for gradient in found if gradient is not None]

    reached: list[bool] = []
    gradients({name: tf.constant(array) for name, array in inputs.items()})
    return [] if any(reached) else [weight.name for weight in network.trainable_weights]


def _saved_and_loaded(network: tf_keras.Model) -> tf_keras.Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / run_folder.MODEL
        SparseExperts(None, [network]).save(path)
        return load_model(path).experts[0]


def _first(outputs: Any) -> Any:
    """Logits of an expert, or of a router with or without a trunk."""
    return outputs["gate"] if isinstance(outputs, dict) else outputs


def _equal(these: np.ndarray, those: np.ndarray) -> bool:
    most = _EQUAL * max(1.0, float(np.max(np.abs(those))))
    return bool(np.max(np.abs(these - those)) <= most)
