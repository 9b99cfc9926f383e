"""A training that is stopped at any moment ends, once resumed, bit for bit where it would have."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.training.resume import differences
from benchmarks.training.resume_process import STAGES, photo, table, text, window
from edge_experts.datasets import Dataset
from edge_experts.format import disk
from edge_experts.run_folder import read_run
from tests.translators import toy


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
    seed = int(os.environ.get("RESUMING_SEED", random.randrange(2**31)))
    print(f"RESUMING_SEED={seed}")
    return np.random.default_rng(seed)


def stopped_in_every_stage(
    monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator, train: Callable[[], Any]
) -> set[str]:
    """Train, stopped once at a random step of every stage, and resumed until it is done.

    Returns:
        Names of the stages in which it was stopped.
    """
    from edge_experts.training import checkpoints

    left: dict[Path, int] = {}
    stages: set[str] = set()
    write = checkpoints.Snapshots.write

    def counted(snapshots: Any, snapshot: Any) -> None:
        write(snapshots, snapshot)
        path = snapshots.path
        left[path] = left.get(path, int(chance.integers(1, 3))) - 1
        if left[path] == 0:
            stages.add(path.name.split(".")[0])
            raise Stopped

    def is_due(clock: Any, step: int) -> bool:
        return step < clock._steps and bool(chance.random() < 0.2)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.EpochClock, "is_due", is_due)
        patch.setattr(checkpoints.Snapshots, "write", counted)
        while True:
            try:
                train()
            except Stopped:
                continue
            return stages


@pytest.fixture
def odd_network(keras: Any) -> Callable[[], Any]:
    """A network with every kind of state and chance: moments, masks, noise, generators."""
    import tensorflow as tf

    class Noise(keras.layers.Layer):  # type: ignore[misc]
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

    drawn = np.random.default_rng(0)
    x, y = drawn.standard_normal((80, 8, 2)).astype(np.float32), drawn.integers(2, size=80)

    def train(name: str) -> tuple[list[bytes], Any]:
        model = odd_network()
        batches = draw({"x": x}, y, 16, 4, seed=3)
        kept = Snapshots(tmp_path / name)
        history = loop.fit(model, batches, (x, y), [Best("val_accuracy", 3)], kept)
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
    ("kind", "data"),
    [("table", table), ("text", text), ("window", window), ("photo", photo)],
    ids=["table", "text", "window", "photo"],
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

    config = config_for(kind, **STAGES, measure_gain=kind == "table")

    def training(out: Path) -> Any:
        return train(data(), out, config, pictures=False)

    training(tmp_path / "whole")
    stages = stopped_in_every_stage(monkeypatch, chance, lambda: training(tmp_path / "stopped"))
    assert len(stages) >= 6
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []
    history = read_run(tmp_path / "stopped").metrics["history"]
    assert len(history) >= 5, "all stages ran, and are in the history"


def test_numbers_to_predict_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator, keras: Any
) -> None:
    """The variance of the mixture, which no gradient reaches, is state too."""
    from edge_experts.datasets import from_arrays
    from edge_experts.training import config_for, train

    drawn = np.random.default_rng(0)
    x = drawn.standard_normal((300, 4)).astype(np.float32)
    data = from_arrays("values", x[:240], x[:240, 0] * x[:240, 1], x[240:], x[240:, 0])
    config = config_for("table", experts=2, epochs=2, choice_epochs=2, tune_epochs=0, width=0.5)

    def training(name: str) -> None:
        train(data, tmp_path / name, config, pictures=False)

    training("whole")
    assert stopped_in_every_stage(monkeypatch, chance, lambda: training("stopped"))
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []


def test_translators_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator, keras: Any
) -> None:
    pytest.importorskip("sentencepiece")
    from edge_experts.training.checkpoints import Checkpoints
    from edge_experts.training.default_settings import config_of
    from edge_experts.training.translation import translator_trainer

    data = toy()
    # Drawn tokens and dropout: chance in every step.
    config = config_of(data, width=0.1, warm_epochs=2, tune_epochs=2, drawn_pieces=8)

    def training(name: str) -> Any:
        model = translator_trainer.fit(data, config, Checkpoints(tmp_path / name, {}))[0]
        return [weight.tobytes() for weight in model.get_weights()]

    stopped: list[Any] = []
    stages = stopped_in_every_stage(
        monkeypatch, chance, lambda: stopped.append(training("stopped"))
    )
    assert len(stages) == 3
    assert stopped == [training("whole")]


def test_a_translator_goes_on_at_any_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator, keras: Any
) -> None:
    from edge_experts.training.checkpoints import Snapshots
    from edge_experts.training.translation.learning import TranslatorLearner
    from edge_experts.training.translation.model import translator
    from edge_experts.training.translation.network import Size

    pairs = [([3 + row % 5] * (1 + row % 9), [8, 3 + row % 5, 2]) for row in range(60)]

    def training(name: str) -> list[bytes]:
        keras.utils.set_random_seed(1)
        network = translator(Size(pieces=12, units=8, heads=2, inner=8), 0.2)
        learner = TranslatorLearner(network, pieces=16, rate=1e-2, drawn=2, seed=4)
        learner.train(pairs, 2, "translator", snapshots=Snapshots(tmp_path / name))
        return [weight.tobytes() for weight in network.get_weights()]

    with stopping(monkeypatch, int(chance.integers(1, 20))), pytest.raises(Stopped):
        training("stopped")
    assert training("stopped") == training("whole")


@pytest.fixture(scope="module")
def old_run(tmp_path_factory: pytest.TempPathFactory, keras: Any) -> Path:
    from edge_experts.training import config_for, train

    out = tmp_path_factory.mktemp("old") / "old.run"
    train(table(), out, config_for("table", experts=2, epochs=1, choice_epochs=1), pictures=False)
    return out


def test_an_extension_goes_on(
    old_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator
) -> None:
    from edge_experts.training import extend

    def extending(name: str) -> None:
        extend(old_run, table(), tmp_path / name, epochs=2)

    extending("whole")
    assert len(stopped_in_every_stage(monkeypatch, chance, lambda: extending("stopped"))) == 3
    assert differences(tmp_path / "whole", tmp_path / "stopped") == []
    assert list(tmp_path.glob("*.checkpoints")) == []


def test_every_step_of_a_compression_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chance: np.random.Generator, keras: Any
) -> None:
    from edge_experts.compression import Compression
    from edge_experts.training import compression
    from edge_experts.training.checkpoints import Checkpoints

    drawn = np.random.default_rng(0)
    x, y = drawn.standard_normal((96, 12)).astype(np.float32), drawn.integers(2, size=96)
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,), name="x")
    hidden = keras.layers.Dense(24, "relu")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    data = {"x": x}
    steps = Compression("pruning+clustering+quantization-aware", sparsity=0.5, clusters=4)

    def compressing(name: str) -> list[bytes]:
        kept = Checkpoints(tmp_path / name, {})
        tuning = compression.Tuning(data, y, (data, y), 3, 0.01, 32, seed=2, checkpoints=kept)
        made = compression.apply(network, tuning, steps)
        return [weight.tobytes() for weight in made.get_weights()]

    stopped: list[Any] = []
    stages = stopped_in_every_stage(
        monkeypatch, chance, lambda: stopped.append(compressing("stopped"))
    )
    assert len(stages) == 3
    assert stopped == [compressing("whole")]


@pytest.mark.parametrize("within", ["fsync", "rename"])
def test_a_write_that_is_killed_leaves_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: str, keras: Any
) -> None:
    from edge_experts.training.checkpoints import Snapshot, Snapshots

    kept = Snapshots(tmp_path / "stage.npz")
    kept.write(Snapshot({"x": np.ones(3)}, {"step": 1}))
    with stopping(monkeypatch, 1, within=within), pytest.raises(Stopped):
        kept.write(Snapshot({"x": np.zeros(3)}, {"step": 2}))
    assert len(list(tmp_path.iterdir())) == 2, "it died while it wrote"
    found = kept.read()
    assert found is not None
    assert (found.values["step"], found.arrays["x"].tolist()) == (1, [1.0] * 3)


@pytest.mark.parametrize("content", [b"", b"PK", b"\0" * 500])
def test_a_damaged_state_is_said_and_left(
    tmp_path: Path, content: bytes, keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training.checkpoints import Snapshots

    (tmp_path / "stage.npz").write_bytes(content)
    assert Snapshots(tmp_path / "stage.npz").read() is None
    assert "damaged" in capsys.readouterr().err


def test_another_version_begins_anew_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training import checkpoints
    from edge_experts.training.checkpoints import Checkpoints

    settings = {"config": {"seed": 1}, "data": "a"}
    layer = keras.Sequential([keras.layers.Dense(1)])
    layer.build((None, 2))
    Checkpoints(tmp_path / "c", settings).save("stage", layer)
    assert Checkpoints(tmp_path / "c", settings).restore("stage", layer)
    assert capsys.readouterr().err == ""

    for name, changed in (("versions", lambda: {"tensorflow": "9"}), ("code_digest", lambda: "x")):
        with monkeypatch.context() as patch:
            patch.setattr(checkpoints, name, changed)
            assert not Checkpoints(tmp_path / "c", settings).restore("stage", layer)
        assert f"other {name.split('_')[0]}; this one starts anew" in capsys.readouterr().err
        Checkpoints(tmp_path / "c", settings).save("stage", layer)
    assert not Checkpoints(tmp_path / "c", {**settings, "data": "b"}).restore("stage", layer)
    assert "other data; this one" in capsys.readouterr().err


def test_what_was_kept_of_a_part_is_found_again(tmp_path: Path, keras: Any) -> None:
    from edge_experts.training.checkpoints import Checkpoints, Snapshot

    kept = Checkpoints(tmp_path / "c", {"data": "a"}).of("teacher").epochs_of("stage")
    kept.write(Snapshot({}, {"step": 1}))  # the first that is kept at all
    again = Checkpoints(tmp_path / "c", {"data": "a"}).of("teacher").epochs_of("stage").read()
    assert again is not None
    assert again.values == {"step": 1}


def test_a_state_of_another_network_is_left(
    tmp_path: Path, keras: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training.checkpoints import Checkpoints

    small, large = (keras.Sequential([keras.layers.Dense(units)]) for units in (1, 2))
    small.build((None, 2))
    large.build((None, 2))
    kept = Checkpoints(tmp_path / "c", {})
    kept.save("stage", small)
    assert not kept.restore("stage", large)
    assert "of another network" in capsys.readouterr().err


def test_only_long_epochs_are_kept_within(monkeypatch: pytest.MonkeyPatch, keras: Any) -> None:
    from edge_experts.training import checkpoints

    now = 0.0
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: now))

    def kept(seconds: float, steps: int) -> list[int]:
        """Seconds of an epoch after which its state is kept."""
        nonlocal now
        clock, now = checkpoints.EpochClock(steps), 0.0
        moments: list[int] = []
        clock.begin(0)
        for step in range(steps):
            now += seconds / steps
            if clock.is_due(step + 1):
                moments.append(round(now))
        return moments

    assert kept(590, 59) == []
    assert kept(1500, 150) == [300, 600, 900, 1200]
