"""A training that is stopped at any moment ends, once resumed, bit for bit where it would have."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.training.resume import differences
from benchmarks.training.resume_process import STAGES, table, text, window
from edge_experts.datasets import Dataset
from edge_experts.format import disk
from edge_experts.run_folder import read_run


class Stopped(BaseException):
    """The training is gone, as after SIGKILL: nothing of ours may take it for an error."""


@contextmanager
def stopping(monkeypatch: pytest.MonkeyPatch, writes: int, *, within: str = "") -> Iterator[None]:
    """Inside, the process "dies" after so many writes of checkpoints, every step being kept.

    Args:
        within: an operation of `format.disk` that the last write does not live to do.
    """
    from edge_experts.training import checkpoints

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "EVERY", 0.0)
        patch.setattr(checkpoints, "LONG_EPOCH", 0.0)
        write, left = checkpoints.Snapshots.write, iter(range(writes - 1, -1, -1))

        def counted(snapshots: Any, snapshot: Any) -> None:
            last = next(left) == 0
            if last and within:

                def dead(*_: Any, **__: Any) -> None:
                    raise Stopped

                for name in (within, "unlink"):  # the dead remove nothing either
                    patch.setattr(disk, name, dead)
            write(snapshots, snapshot)
            if last:
                raise Stopped

        patch.setattr(checkpoints.Snapshots, "write", counted)
        yield


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> np.random.Generator:
    """Other moments in every run of the suite; a failure prints the seed."""
    seed = int(os.environ.get("RESUMING_SEED", np.random.SeedSequence().entropy % 2**31))
    print(f"RESUMING_SEED={seed}")
    return np.random.default_rng(seed)


def often_stopped(
    monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator, train: Callable[[], Any]
) -> int:
    """Train, stopped and resumed again and again until it is done; how often that was."""
    stops = 0
    while True:
        try:
            with stopping(monkeypatch, int(chance.integers(3, 60))):
                train()
        except Stopped:
            stops += 1
        else:
            return stops


@pytest.fixture
def odd_network(keras: Any) -> Callable[[], Any]:
    """A network with every kind of state and chance: moments, masks, noise, generators."""
    import tensorflow as tf

    class Noise(keras.layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            if not training:
                return x
            keep = tf.random.uniform(tf.shape(x)) < 0.9
            order = tf.random.shuffle(tf.range(4))
            return tf.where(keep, x, 0.0) * (1 + 0.01 * tf.cast(order[0], tf.float32))

    def make() -> Any:
        keras.utils.set_random_seed(1)
        x = keras.Input((8, 2), name="x")
        flipped = keras.layers.RandomTranslation(0.2, 0.0)(x[..., None])[..., 0]
        hidden = keras.layers.LSTM(4, dropout=0.2, recurrent_dropout=0.2)(flipped)
        hidden = keras.layers.BatchNormalization()(hidden)
        hidden = keras.layers.GaussianNoise(0.1)(keras.layers.Dropout(0.3)(hidden))
        model = keras.Model(x, keras.layers.Dense(2)(Noise()(hidden)))
        model.compile(
            keras.optimizers.AdamW(0.01, use_ema=True, ema_momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        return model

    return make


def test_a_loop_goes_on_at_any_step(
    odd_network: Callable[[], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chance: np.random.Generator,
) -> None:
    from edge_experts.training import loop
    from edge_experts.training.batches import draw
    from edge_experts.training.checkpoints import Snapshots
    from edge_experts.training.fitting import Best

    random = np.random.default_rng(0)
    x, y = random.standard_normal((80, 8, 2)).astype(np.float32), random.integers(2, size=80)

    def train(name: str) -> tuple[list[bytes], Any]:
        model = odd_network()
        drawn = draw({"x": x}, y, 16, 4, seed=3)
        kept = Snapshots(tmp_path / name)
        history = loop.fit(model, drawn, (x, y), [Best("val_accuracy", 3)], kept)
        variables = [*model.variables, *model.optimizer.variables]
        return [each.numpy().tobytes() for each in variables], history

    whole = train("whole")
    assert len(whole[1]["loss"]) >= 3
    for stop in {4, 5, int(chance.integers(1, 15))}:  # within an epoch, after one, anywhere
        with stopping(monkeypatch, stop), pytest.raises(Stopped):
            train(f"stopped {stop}")
        resumed = train(f"stopped {stop}")
        assert resumed[1] == whole[1], stop
        assert resumed[0] == whole[0], stop


@pytest.mark.parametrize(
    ("kind", "data"), [("table", table), ("text", text), ("window", window)], ids=lambda x: str(x)
)
def test_every_stage_goes_on(
    kind: str,
    data: Callable[[], Dataset],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chance: np.random.Generator,
    keras: Any,
) -> None:
    from edge_experts.training import config_for, train

    config = config_for(kind, **STAGES)

    def training(out: Path) -> Any:
        return train(data(), out, config, pictures=False)

    training(tmp_path / "whole")
    stops = often_stopped(monkeypatch, chance, lambda: training(tmp_path / "stopped"))
    assert stops > 3
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []
    history = read_run(tmp_path / "stopped").metrics["history"]
    assert len(history) >= 5, "all stages ran, and are in the history"
