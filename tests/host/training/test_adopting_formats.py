"""Networks in half precision and files of weights alone: adopted, or refused for what they are."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import UsageError


@pytest.fixture(scope="module")
def data() -> Dataset:
    x = np.random.default_rng(0).normal(size=(60, 6)).astype(np.float32)
    return from_arrays("table", x[:45], np.arange(45) % 3, x[45:], np.arange(15) % 3)


@pytest.fixture
def _float32_again(keras: Any) -> Iterator[None]:
    yield
    keras.mixed_precision.set_global_policy("float32")


@pytest.mark.usefixtures("_float32_again")
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_half_precision_becomes_float32(
    keras: Any, tmp_path: Path, data: Dataset, policy: str, suffix: str
) -> None:
    from edge_experts.training import adopt

    keras.mixed_precision.set_global_policy(policy)
    network = keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, "relu"),
            keras.layers.Dense(3, "softmax", dtype="float32"),
        ]
    )
    path = tmp_path / f"net{suffix}"
    network.save(path)
    keras.mixed_precision.set_global_policy("float32")
    adopt(path, data, tmp_path / "adopted.run")
    made = keras.models.load_model(tmp_path / "adopted.run" / "model.keras", compile=False)
    assert {layer.compute_dtype for layer in made.experts[0].layers} == {"float32"}


@pytest.mark.parametrize("name", ["net.h5", "net.weights.h5"])
def test_weights_alone_are_said_to_be_weights(
    keras: Any, tmp_path: Path, data: Dataset, name: str
) -> None:
    from edge_experts.training import adopt

    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    network.save_weights(tmp_path / name)
    with pytest.raises(UsageError, match=r"weights alone do not define the network") as caught:
        adopt(tmp_path / name, data, tmp_path / "adopted.run")
    assert "Lambda" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".h5"])
def test_a_lambda_is_named(keras: Any, tmp_path: Path, data: Dataset, suffix: str) -> None:
    from edge_experts.training import adopt

    layers = [
        keras.Input((6,)),
        keras.layers.Lambda(lambda x: x / 2, name="half"),
        keras.layers.Dense(3),
    ]
    path = tmp_path / f"net{suffix}"
    keras.Sequential(layers).save(path)
    with pytest.raises(UsageError, match="'half' is a Lambda"):
        adopt(path, data, tmp_path / "adopted.run")


def _adopted(path: Path, data: Dataset, tmp_path: Path) -> Any:
    import tf_keras

    from edge_experts.training import adopt

    adopt(path, data, tmp_path / "adopted.run")
    return tf_keras.models.load_model(tmp_path / "adopted.run" / "model.keras", compile=False)


@pytest.mark.parametrize("name", ["net.keras", "net.h5", "net"])
def test_a_named_output_and_a_saved_model(
    keras: Any, tmp_path: Path, data: Dataset, name: str
) -> None:
    inputs = keras.Input((6,))
    network = keras.Model(inputs, {"probabilities": keras.layers.Dense(3, "softmax")(inputs)})
    network.save(tmp_path / name)
    made = _adopted(tmp_path / name, data, tmp_path)
    x = data.test.inputs
    assert made.predict({"x": x}, verbose=0).argmax(axis=1).tolist() == (
        network.predict(x, verbose=0)["probabilities"].argmax(axis=1).tolist()
    )


def test_saved_models_in_a_folder(keras: Any, tmp_path: Path, data: Dataset) -> None:
    for name, outputs in (("router", 2), ("expert_0", 3), ("expert_1", 3)):
        network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(outputs)])
        network.save(tmp_path / "mine" / name)
    assert len(_adopted(tmp_path / "mine", data, tmp_path).experts) == 2


def test_a_saved_model_without_layers_is_refused(keras: Any, tmp_path: Path, data: Dataset) -> None:
    import tensorflow as tf

    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    tf.saved_model.save(network, str(tmp_path / "net"))
    (tmp_path / "net" / "keras_metadata.pb").unlink(missing_ok=True)
    with pytest.raises(UsageError, match="has a computation and not its layers"):
        _adopted(tmp_path / "net", data, tmp_path)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_free_length_becomes_that_of_the_data(keras: Any, tmp_path: Path, suffix: str) -> None:
    x = np.random.default_rng(0).normal(size=(60, 8, 4)).astype(np.float32)
    data = from_arrays("window", x[:45], np.arange(45) % 3, x[45:], np.arange(15) % 3)
    layers = [keras.Input((None, 4)), keras.layers.LSTM(4), keras.layers.Dense(3, "softmax")]
    keras.Sequential(layers).save(tmp_path / f"net{suffix}")
    made = _adopted(tmp_path / f"net{suffix}", data, tmp_path)
    assert made.experts[0].inputs[0].shape == (None, 8, 4)


def test_a_name_that_no_scope_can_have(keras: Any, tmp_path: Path, data: Dataset) -> None:
    inputs = keras.Input((6,))
    network = keras.Model(inputs, keras.layers.Dense(3, name="a/b")(inputs), name="_größe 1")
    network.save(tmp_path / "net.keras")
    assert _adopted(tmp_path / "net.keras", data, tmp_path).experts[0].name == ".gr..e.1"


def test_code_of_a_lambda_does_not_run(
    keras: Any, tmp_path: Path, data: Dataset, capfd: pytest.CaptureFixture[str]
) -> None:
    def shout(x: Any) -> Any:
        print("code of a file")
        return x

    network = keras.Sequential(
        [keras.Input((6,)), keras.layers.Lambda(shout), keras.layers.Dense(3)]
    )
    network.save(tmp_path / "net.h5")
    capfd.readouterr()
    with pytest.raises(UsageError, match="is a Lambda"):
        _adopted(tmp_path / "net.h5", data, tmp_path)
    assert "code of a file" not in capfd.readouterr().out


FILES = Path(__file__).parents[2] / "data" / "networks"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("input_of_any_length", (8, 4)),
        ("output_with_a_name", (6,)),
        ("mixed_float16", (6,)),
        ("keras_3_output_with_a_name", (6,)),
        ("keras_3_random_flip", (8, 8, 3)),
    ],
)
def test_files_of_users(keras: Any, tmp_path: Path, name: str, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=(60, *shape)).astype(np.float32)
    data = from_arrays("x", x[:45], np.arange(45) % 3, x[45:], np.arange(15) % 3)
    made = _adopted(FILES / f"{name}.keras", data, tmp_path)  # compares answers
    assert made.experts[0].output_shape == (None, 3)


def test_a_file_with_a_lambda(keras: Any, tmp_path: Path, data: Dataset) -> None:
    with pytest.raises(UsageError, match=r"lambda_layer\.h5: its layer 'lambda' is a Lambda"):
        _adopted(FILES / "lambda_layer.h5", data, tmp_path)


# Networks of Keras 3, which its own process writes.
KERAS_3 = """
import sys
import keras
L = keras.layers

def save(name, inputs, outputs):
    keras.Model(inputs, outputs).save(f"{sys.argv[1]}/{name}.keras")

i = keras.Input((8, 8, 3))
changed = L.RandomContrast(0.2)(L.RandomFlip("horizontal")(i))
save("flip", i, L.Dense(3)(L.Flatten()(changed)))
i = keras.Input((None, 4))
save("free", i, {"scores": L.Dense(3)(L.GRU(4)(i))})
i = keras.Input((8, 4))
x = L.RNN([L.LSTMCell(4), L.GRUCell(3)], return_sequences=True)(i)
x = (x[:, ::2] + 1.0) * L.Dense(3)(x[:, 1::2])
x = L.Add()(keras.ops.split(x, 2, axis=1))
inner = keras.Model(i, L.GlobalMaxPooling1D()(L.Dense(3)(i)))
o = keras.Input((4,))
each = L.TimeDistributed(keras.Model(o, L.Dense(2)(L.Dense(3, "relu")(o))))
save("each", i, L.Dense(3)(L.Flatten()(each(i))))
leaky = L.LeakyReLU(0.2)(L.SpectralNormalization(L.Dense(3))(L.Flatten()(i)))
save("options", i, L.Dense(3)(leaky))
o = keras.Input((8, 4))
outer = keras.Model(o, inner(o))  # its output is that of a nested model
save("nested", i, L.Dense(3)(outer(i) + outer(i * 2.0)))
save("operators", i, L.Dense(3)(keras.ops.mean(keras.ops.transpose(x, (0, 2, 1)), axis=1)))
"""


@pytest.fixture(scope="module")
def keras_3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras-3")
    environment = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", KERAS_3, str(folder)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("flip", (8, 8, 3)),
        ("free", (8, 4)),
        ("operators", (8, 4)),
        ("nested", (8, 4)),
        ("each", (8, 4)),
    ],
)
def test_networks_of_keras_3(
    keras: Any, tmp_path: Path, keras_3: Path, name: str, shape: tuple[int, ...]
) -> None:
    x = np.random.default_rng(0).normal(size=(60, *shape)).astype(np.float32)
    kind = "image" if len(shape) == 3 else "window"
    data = from_arrays(kind, x[:45], np.arange(45) % 3, x[45:], np.arange(15) % 3)
    made = _adopted(keras_3 / f"{name}.keras", data, tmp_path)  # compares answers with Keras 3
    assert made.experts[0].output_shape == (None, 3)


def test_one_process_reads_all_files(keras_3: Path, tmp_path: Path) -> None:
    from edge_experts.training.saved_networks.keras3_reader import Keras3Reader

    reader = Keras3Reader()
    (tmp_path / "broken.keras").write_bytes(b"not a zip file")
    assert "broken.keras" in str(reader.read(tmp_path / "broken.keras", tmp_path))
    first = reader._process
    assert reader.read(keras_3 / "free.keras", tmp_path) is None
    assert (tmp_path / "network.json").exists()
    assert reader._process is first
