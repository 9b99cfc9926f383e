"""Training loop of all networks: epochs of steps, whose state is saved on the way."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

import tensorflow as tf
import tf_keras

from .batches import Batches
from .checkpoints import EpochClock, Snapshot, Snapshots
from .randomness import by_step, deterministic, generator_states

_VALIDATION_BATCH = 1024
_OWN = "variable/"  # prefix of the names of variables in a saved state


@runtime_checkable
class Resumable(Protocol):
    """A callback with a state that a resumed training needs."""

    def state(self) -> Snapshot: ...

    def resume(self, snapshot: Snapshot) -> None:
        """Restore a state, after `on_train_begin`."""


def fit(
    model: tf_keras.Model,
    batches: Batches,
    validation: tuple[Any, ...] | None = None,
    callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    snapshots: Snapshots | None = None,
) -> dict[str, list[float]]:
    """Train a compiled model; an interrupted training resumes at the last saved step.

    Weights, moments and averages of the optimizer, metrics, states of callbacks and the history
    are saved after each epoch, and every five minutes within epochs of more than ten. Random
    operations depend on the step. So the result is the same, bit for bit, as without interruption.

    Args:
        validation: arrays (inputs, targets) or (inputs, targets, weights), scored after each epoch.
        snapshots: storage of the state; None: it is not saved.

    Returns:
        Losses and scores of each epoch, by name.
    """
    with deterministic(), model.distribute_strategy.scope(), _steps_by_number(model):
        return _Loop(model, batches, validation, callbacks, snapshots).run()


class _Loop:
    def __init__(
        self,
        model: tf_keras.Model,
        batches: Batches,
        validation: tuple[Any, ...] | None,
        callbacks: Sequence[tf_keras.callbacks.Callback],
        snapshots: Snapshots | None,
    ):
        self._model, self._batches, self._snapshots = model, batches, snapshots
        self._validation = None
        if validation is not None:
            examples = tf.data.Dataset.from_tensor_slices(validation)
            self._validation = examples.batch(_VALIDATION_BATCH)
        self._history = tf_keras.callbacks.History()
        self._own = [*callbacks, self._history]
        self._callbacks = tf_keras.callbacks.CallbackList(
            self._own, model=model, verbose=0, epochs=batches.epochs, steps=batches.steps
        )
        model.optimizer.build(model.trainable_variables)
        self._step = model.make_train_function(force=True)
        if not model.metrics:  # Keras creates the metrics of `compile` when it first scores a batch
            model.evaluate(batches.dataset.take(1), verbose=0)

    def run(self) -> dict[str, list[float]]:
        model, callbacks, batches = self._model, self._callbacks, self._batches
        kept = self._kept()
        model.reset_metrics()
        if kept is not None:
            self._resume_variables(kept)
        model.stop_training = False
        callbacks.on_train_begin()
        epoch, step = (0, 0) if kept is None else self._resume_callbacks(kept)
        data = iter(_distributed(model, batches.after(epoch * batches.steps + step)))
        clock = EpochClock(batches.steps)
        while epoch < batches.epochs and not model.stop_training:
            clock.begin(step)
            callbacks.on_epoch_begin(epoch)
            logs: dict[str, Any] = {}
            for place in range(step, batches.steps):
                callbacks.on_train_batch_begin(place)
                logs = self._step(data)
                callbacks.on_train_batch_end(place, logs)
                # Machines of a distributed training would not be due at the same step.
                if not tf.distribute.has_strategy() and clock.is_due(place + 1):
                    self._keep(epoch, place + 1)
            scores = {name: float(value) for name, value in logs.items()}
            callbacks.on_epoch_end(epoch, scores | self._validated())
            model.reset_metrics()
            epoch, step = epoch + 1, 0
            self._keep(epoch, step)
        callbacks.on_train_end()
        return {
            key: [float(value) for value in each] for key, each in self._history.history.items()
        }

    def _validated(self) -> dict[str, float]:
        if self._validation is None:
            return {}
        found = self._model.evaluate(
            self._validation, verbose=0, return_dict=True, callbacks=self._callbacks
        )
        return {f"val_{name}": float(value) for name, value in found.items()}

    def _keep(self, epoch: int, step: int) -> None:
        if self._snapshots is None:
            return
        arrays = {f"{_OWN}{place}": each.numpy() for place, each in enumerate(self._variables())}
        states = [each.state() for each in self._own if isinstance(each, Resumable)]
        for place, state in enumerate(states):
            arrays |= {f"callback/{place}/{name}": each for name, each in state.arrays.items()}
        values = {
            "epoch": epoch,
            "step": step,
            "stopped": bool(self._model.stop_training),
            "history": self._history.history,
            "callbacks": [state.values for state in states],
        }
        self._snapshots.write(Snapshot(arrays, values))

    def _kept(self) -> Snapshot | None:
        """State to resume from; None without one of this network."""
        found = None if self._snapshots is None else self._snapshots.read()
        if found is None:
            return None
        kept = {name: each.shape for name, each in found.arrays.items() if name.startswith(_OWN)}
        wanted = {f"{_OWN}{place}": each.shape for place, each in enumerate(self._variables())}
        if kept != {name: tuple(shape) for name, shape in wanted.items()}:
            assert self._snapshots is not None
            print(
                f"{self._snapshots.path}: of another network; this stage starts anew",
                file=sys.stderr,
            )
            return None
        return found

    def _resume_variables(self, kept: Snapshot) -> None:
        for place, variable in enumerate(self._variables()):
            variable.assign(kept.arrays[f"{_OWN}{place}"])

    def _resume_callbacks(self, kept: Snapshot) -> tuple[int, int]:
        """Restore the callbacks; returns the epoch and the step to resume at."""
        self._model.stop_training = kept.values["stopped"]
        self._history.history = kept.values["history"]
        own = [each for each in self._own if isinstance(each, Resumable)]
        for place, (callback, state) in enumerate(zip(own, kept.values["callbacks"], strict=True)):
            begin = f"callback/{place}/"
            arrays = {
                name.removeprefix(begin): array
                for name, array in kept.arrays.items()
                if name.startswith(begin)
            }
            callback.resume(Snapshot(arrays, state))
        self._tell_again(kept.values["epoch"])
        return kept.values["epoch"], kept.values["step"]

    def _tell_again(self, epochs: int) -> None:
        """Log the earlier epochs to TensorBoard again, whose files the interruption lost."""
        iterations = self._model.optimizer.iterations
        now = iterations.numpy()
        for epoch in range(epochs):
            iterations.assign((epoch + 1) * self._batches.steps)  # it also writes the learning rate
            logs = {name: values[epoch] for name, values in self._history.history.items()}
            for callback in self._own:
                if isinstance(callback, tf_keras.callbacks.TensorBoard):
                    callback.on_epoch_end(epoch, logs)
        iterations.assign(now)

    def _variables(self) -> list[tf.Variable]:
        """All variables that a step changes, each once."""
        model = self._model
        metrics = (variable for metric in model.metrics for variable in metric.variables)
        every = [
            *model.variables,
            *metrics,
            *model.optimizer.variables,
            *generator_states(model),
        ]
        return list({id(variable): variable for variable in every}.values())


@contextmanager
def _steps_by_number(model: tf_keras.Model) -> Iterator[None]:
    """In the block, random operations of a training step depend on the step's number."""
    plain, iterations = model.train_step, model.optimizer.iterations

    def train_step(data: Any) -> Any:
        with by_step(iterations):
            return plain(data)

    model.train_step = train_step
    try:
        yield
    finally:
        del model.train_step


def _distributed(model: tf_keras.Model, dataset: tf.data.Dataset) -> Any:
    if not tf.distribute.has_strategy():
        return dataset
    return model.distribute_strategy.experimental_distribute_dataset(dataset)
