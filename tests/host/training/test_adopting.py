"""Networks that were trained elsewhere: what is taken, what is changed, what is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import DataError, UsageError
from tests.documents import pages

from ...conftest import Cli

RANDOM = np.random.default_rng(0)


def _arrays(shape: tuple[int, ...]) -> Dataset:
    pattern = np.random.default_rng(1).normal(size=(3, *shape))
    y = np.arange(240) % 3
    x = (pattern[y] + RANDOM.normal(0, 0.3, (240, *shape))).astype(np.float32)
    return from_arrays("d", x[:180], y[:180], x[180:], y[180:])


def _tokens() -> Dataset:
    y = np.arange(240) % 3
    x = RANDOM.integers(10, size=(240, 6)) + 10 * y[:, None]
    return from_arrays("d", x[:180], y[:180], x[180:], y[180:])


Make = Callable[..., Any]


@pytest.fixture
def network(keras: Any) -> Make:
    def make(shape: tuple[int, ...], *inner: Any, outputs: int = 3, last: Any = "softmax") -> Any:
        layers = [keras.Input(shape), *inner, keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(outputs, last)])

    return make


def _adopt(tmp_path: Path, dataset: Dataset, *networks: Any, **options: Any) -> Any:
    from edge_experts.training import adopt

    folder = tmp_path / "networks"
    folder.mkdir(exist_ok=True)
    for name, network in zip(["expert_0", "expert_1", "router"], networks, strict=False):
        network.save(folder / f"{name}.keras")
    run = adopt(folder, dataset, tmp_path / "a.run", force=True, **options)
    return run, _loaded(tmp_path / "a.run")


def _loaded(run: Path) -> Any:
    import tf_keras

    return tf_keras.models.load_model(run / "model.keras", compile=False)


def test_a_folder_becomes_a_run_that_answers_as_before(
    tmp_path: Path, network: Make, keras: Any
) -> None:
    data = _arrays((5,))
    experts = [network((5,), keras.layers.Dense(4, "relu")) for _ in range(2)]
    router = network((5,), outputs=2, last=None)
    run, model = _adopt(tmp_path, data, *experts, router)
    x = data.test.inputs
    wanted = np.stack([expert(x).numpy() for expert in experts])
    picks = router(x).numpy().argmax(axis=1)
    assert np.allclose(np.exp(model({"x": x}).numpy()), wanted[picks, np.arange(len(x))], atol=1e-5)
    accuracy = np.mean(wanted[picks, np.arange(len(x))].argmax(axis=1) == data.test.targets)
    assert run.metrics["test_accuracy"] == pytest.approx(accuracy, abs=1e-4)
    assert (run.experts, run.combine, run.feature_kind) == (2, "top", "array")
    assert [model.experts[0].input_names, model.router.output_shape] == [["x"], (None, 2)]


@pytest.mark.parametrize("end", ["Softmax", "Activation", "operation", "nested", "log_softmax"])
def test_every_softmax_at_the_end_is_left_out(tmp_path: Path, keras: Any, end: str) -> None:
    import tensorflow as tf

    layers = keras.layers
    inputs = keras.Input((5,), name="measured")
    logits = layers.Dense(3, name="logits")(inputs)
    if end == "nested":
        inner = keras.Sequential([keras.Input((3,)), layers.Dense(3, "softmax")])
        output = inner(logits)
    elif end == "operation":
        output = tf.nn.softmax(logits)
    else:
        of = {"Softmax": layers.Softmax(), "Activation": layers.Activation("softmax")}
        output = of.get(end, layers.Activation("log_softmax"))(logits)
    given, data = keras.Model(inputs, output), _arrays((5,))
    _, model = _adopt(tmp_path, data, given)
    answers = model({"x": data.test.inputs}).numpy()
    wanted = given(data.test.inputs).numpy()
    assert np.allclose(answers if end == "log_softmax" else np.exp(answers), wanted, atol=1e-5)
    kinds = {type(layer).__name__ for layer in model.experts[0].submodules}
    assert "Softmax" not in kinds


def test_images_without_an_axis_for_channels(tmp_path: Path, network: Make, keras: Any) -> None:
    data, given = _arrays((8, 8)), network((8, 8, 1), keras.layers.Conv2D(2, 3))
    _, model = _adopt(tmp_path, data, given)
    x = np.asarray(data.test.inputs)
    assert np.allclose(np.exp(model({"x": x}).numpy()), given(x[..., None]).numpy(), atol=1e-5)


@pytest.mark.parametrize("dtype", [None, "int32", "int64"])
def test_ids_stay_whole(tmp_path: Path, network: Make, keras: Any, dtype: str | None) -> None:
    given = keras.Sequential(
        [
            keras.Input((6,), dtype=dtype),
            keras.layers.Embedding(30, 4),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dense(3),
        ]
    )
    data = _tokens()
    run, model = _adopt(tmp_path, data, given)
    assert (run.feature_kind, run.feature_settings["below"]) == ("tokens", 30)
    assert model.experts[0].inputs[0].dtype == "int32"


def test_labels_in_another_order(tmp_path: Path, network: Make) -> None:
    data, given = _arrays((5,)), network((5,))
    swapped, _ = _adopt(tmp_path, data, given, labels=["2", "1", "0"])
    assert swapped.labels == ("2", "1", "0")
    answers = given(data.test.inputs).numpy().argmax(axis=1)
    assert swapped.metrics["test_accuracy"] == pytest.approx(
        np.mean(2 - answers == data.test.targets), abs=1e-4
    )
    with pytest.raises(DataError, match="--labels must be 0, 1, 2"):
        _adopt(tmp_path, data, given, labels=["a", "b", "c"])


def test_what_is_no_network_for_this_is_refused(tmp_path: Path, network: Make, keras: Any) -> None:
    from edge_experts.training import adopt

    data = _arrays((5,))
    good, layers = network((5,)), keras.layers
    two = keras.Input((5,)), keras.Input((5,))
    for given, message in (
        ([network((4,))], r"expert_0\.keras: takes examples of the shape \(4,\)"),
        ([network((5,), outputs=4)], "must be \\(None, 3\\), one logit for each label"),
        ([network((5,), outputs=1, last="sigmoid")], r"Dense\(2, 'softmax'\)"),
        ([network((5,), last="relu")], "ends in relu"),
        ([good, good, network((5,))], r"router\.keras: .*\(None, 2\), one logit for each expert"),
        ([keras.Model(two, layers.Add()(two))], "has 2 inputs and 1 outputs"),
        ([good, good], "no router.keras; add one"),
    ):
        (tmp_path / "networks" / "router.keras").unlink(missing_ok=True)
        (tmp_path / "networks" / "expert_1.keras").unlink(missing_ok=True)
        with pytest.raises(UsageError, match=message):
            _adopt(tmp_path, data, *given)
        assert not (tmp_path / "a.run").exists()
    shape = keras.Input((5,))
    hidden = layers.Dense(3, "exponential", name="odd")(shape)
    odd = keras.Model(shape, hidden / keras.backend.sum(hidden, axis=-1, keepdims=True))
    (tmp_path / "networks" / "expert_1.keras").unlink()
    with pytest.raises(UsageError, match="outputs are probabilities, whose softmax"):
        _adopt(tmp_path, data, odd)
    (tmp_path / "text.keras").write_text("nothing")
    with pytest.raises(UsageError, match="not a model saved by Keras"):
        adopt(tmp_path / "text.keras", data, tmp_path / "b.run")
    good.export(tmp_path / "saved")
    with pytest.raises(UsageError, match="a SavedModel"):
        adopt(tmp_path / "saved", data, tmp_path / "b.run")


def test_numbers_in_names_are_numbers(tmp_path: Path, network: Make) -> None:
    from edge_experts.training.adoption.checkpoint_files import find

    for name in ("expert_10", "expert_9", "expert_1", "router"):
        (tmp_path / f"{name}.h5").touch()
    found = find(tmp_path)
    assert [path.stem for path in found.experts] == ["expert_1", "expert_9", "expert_10"]
    assert found.router == tmp_path / "router.h5"


KERAS3 = """
import os, sys
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.pop("TF_USE_LEGACY_KERAS", None)
import keras, numpy as np
from keras import layers as L

keras.utils.set_random_seed(0)
def keep(name, inputs, output):
    model = keras.Model(inputs, output)
    model.set_weights([np.random.default_rng(0).uniform(0.1, 0.5, w.shape) for w in model.weights])
    model.save(f"{sys.argv[1]}/{name}")

x = keras.Input((8, 4))
h = L.Conv1D(6, 3, padding="same", activation="gelu")(x)
h = L.Add()([h, L.MultiHeadAttention(2, 4)(h, h)])
h = L.LayerNormalization()(h)
h = L.Bidirectional(L.LSTM(3, return_sequences=True))(h)
h = L.SeparableConv1D(4, 3)(L.BatchNormalization()(h))
h = keras.Sequential([keras.Input(h.shape[1:]), L.GRU(4), L.Dropout(0.5)], name="inner")(h)
keep("mixed.keras", x, L.Dense(3, activation="softmax")(h))
keep("mixed.h5", x, L.Dense(3)(L.GlobalMaxPooling1D()(x)))
ids = keras.Input((6,), dtype="int32")
keep("ids.keras", ids, L.Dense(3)(L.GlobalAveragePooling1D()(L.Embedding(30, 4)(ids))))
i = keras.Input((5, 5, 1))
h = L.DepthwiseConv2D(3)(L.ZeroPadding2D()(i))
h = L.Concatenate()([L.Flatten()(L.MaxPooling2D()(h)), L.GlobalAveragePooling2D()(h)])
keep("image.keras", i, L.Dense(3)(L.PReLU()(h)))

t = keras.Input((5,))
keep("operation.keras", t, keras.ops.sin(L.Dense(3)(t)))
keep("unknown.keras", t, L.Dense(3)(L.RMSNormalization(name="rms")(t)))
keep("other.keras", t, L.Dense(3)(L.Dense(4, activation="hard_sigmoid", name="hard")(t)))
keep("half.keras", t, L.Dense(3, dtype="mixed_float16", name="half")(t))
keep("lambda.keras", t, L.Dense(3)(L.Lambda(lambda v: v + 1)(t)))
"""


@pytest.fixture(scope="module")
def keras3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras3")
    command = [sys.executable, "-c", KERAS3, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    "name", ["mixed.keras", "mixed.h5", "ids.keras", "image.keras", "half.keras"]
)
def test_a_file_of_keras_3_becomes_the_same_network(keras3: Path, keras: Any, name: str) -> None:
    from edge_experts.training.saved_networks import keras3 as ours
    from edge_experts.training.saved_networks import keras_file

    checked: list[float] = []
    real = ours._refuse_other_answers

    def spied(network: Any, asked: Any, answers: Any, tolerance: float) -> None:
        real(network, asked, answers, tolerance)
        checked.append(float(np.std(answers["0"])))

    ours._refuse_other_answers = spied
    try:
        network = keras_file.read(keras3 / name)
    finally:
        ours._refuse_other_answers = real
    assert isinstance(network, keras.Model)
    assert checked[0] > 0, "inputs that all have one answer would show nothing"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("operation", r"its operation 'sin' is keras\.src\.ops\S+, which has no counterpart"),
        ("unknown", r"its layer 'rms' is keras\.layers\.RMSNormalization, which tf_keras does not"),
        ("other", "its outputs differ from Keras 3's by"),
    ],
)
def test_what_would_not_be_the_same_is_refused(
    keras3: Path, keras: Any, name: str, message: str
) -> None:
    from edge_experts.training.saved_networks import keras_file

    with pytest.raises(UsageError, match=rf"{name}\.keras: .*{message}.*tf_keras"):
        keras_file.read(keras3 / f"{name}.keras")


def test_a_lambda_of_keras_3_is_named(keras3: Path, keras: Any) -> None:
    from edge_experts.training.saved_networks import keras_file

    with pytest.raises(UsageError, match=r"lambda\.keras: its layer 'lambda' is a Lambda"):
        keras_file.read(keras3 / "lambda.keras")


def test_the_documents_trained_networks(cli: Cli, tmp_path: Path) -> None:
    time, y = np.arange(24)[:, None], np.arange(300) % 3
    size = np.where(np.arange(300) % 2, 1.5, 0.5)
    waves = [size[n] * np.sin(time * (0.3 + 0.4 * y[n]) + 6 * RANDOM.random(2)) for n in range(300)]
    x = np.stack(waves) + RANDOM.normal(0, 0.05, (300, 24, 2))
    np.savez(
        tmp_path / "gestures.npz", x_train=x[:240], y_train=y[:240], x_test=x[240:], y_test=y[240:]
    )
    script = [sys.executable, "-c", pages.python("<!-- adopt -->")]
    done = subprocess.run(script, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for command in pages.commands("<!-- adopt, the commands -->"):
        done = cli(*command.split()[1:], cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[1]) > 0.6
    assert not re.search(r"^Warning", done.stderr, re.M)
    done = cli("adopt", "mine", "--data", "gestures.npz", "--out", "m.run", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["experts"], told["labels"], told["features"]) == (2, ["0", "1", "2"], "array")
