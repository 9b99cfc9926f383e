"""A pretrained network's file: what is taken from it, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import UsageError
from tests import small_backbone
from tests.small_backbone import SIDE, UNITS


def _read(path: Path, layer: str | None = None) -> Any:
    from edge_experts.training.backbone import network

    return network.read(path, layer)


def _saved(model: Any, tmp_path: Path, name: str = "network.keras") -> Path:
    model.save(tmp_path / name)
    return tmp_path / name


@pytest.fixture
def photos() -> np.ndarray:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (3, SIDE, SIDE, 3)).astype(np.float32)


@pytest.mark.parametrize("name", ["network.keras", "network.h5"])
def test_features_come_before_the_classifier(
    keras: Any, tmp_path: Path, photos: np.ndarray, name: str
) -> None:
    whole = small_backbone.network(keras)
    found = _read(_saved(whole, tmp_path, name))
    assert found.layer == "pool"
    assert found.taken == "the layer 'pool', before the classifier 'classifier'"
    assert found.image_size == SIDE
    assert found.scales_inputs
    body = found.fitted_to((SIDE, SIDE, 3))
    pool = keras.Model(whole.inputs, whole.get_layer("pool").output)
    np.testing.assert_allclose(body(photos), pool(photos), atol=1e-6)
    # In training too: batch normalization and dropout are frozen.
    np.testing.assert_allclose(body(photos, training=True), pool(photos), atol=1e-6)


def test_maps_of_features_are_averaged(keras: Any, tmp_path: Path, photos: np.ndarray) -> None:
    whole = small_backbone.network(keras)
    path = _saved(whole, tmp_path)
    named = _read(path, "relu_1")
    assert named.taken == "the layer 'relu_1'"
    body = named.fitted_to((SIDE, SIDE, 3))
    np.testing.assert_allclose(body(photos), _read(path).fitted_to((SIDE, SIDE, 3))(photos), 1e-5)
    headless = keras.Model(whole.inputs, whole.get_layer("relu_0").output)
    found = _read(_saved(headless, tmp_path, "headless.keras"))
    assert found.taken == "its output, of the layer 'relu_0'"
    assert found.fitted_to((SIDE, SIDE, 3)).output_shape == (None, 8)


def test_a_classifier_inside_a_network_in_a_network(
    keras: Any, tmp_path: Path, photos: np.ndarray
) -> None:
    inner = small_backbone.network(keras)
    inputs = keras.Input((SIDE, SIDE, 3))
    found = _read(_saved(keras.Model(inputs, inner(inputs)), tmp_path))
    assert found.layer == "pool"
    pool = keras.Model(inner.inputs, inner.get_layer("pool").output)
    np.testing.assert_allclose(found.fitted_to((SIDE, SIDE, 3))(photos), pool(photos), atol=1e-6)


def test_half_precision_becomes_float32(keras: Any, tmp_path: Path) -> None:
    inputs = keras.Input((8, 8, 3))
    hidden = keras.layers.Conv2D(4, 3, dtype="mixed_float16")(inputs)
    outputs = keras.layers.Dense(5, dtype="float32")(keras.layers.GlobalMaxPooling2D()(hidden))
    whole = keras.Model(inputs, outputs)
    found = _read(_saved(whole, tmp_path))
    assert {part.compute_dtype for part in found.network.layers} == {"float32"}
    kernel = whole.layers[1].get_weights()[0]
    np.testing.assert_array_equal(found.network.layers[1].get_weights()[0], kernel)


def test_a_classifier_of_a_convolution(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    inputs = keras.Input((8, 8, 3))
    output = layers.GlobalAveragePooling2D(keepdims=True, name="pool")(layers.Conv2D(4, 3)(inputs))
    output = layers.Flatten()(layers.Conv2D(5, 1, name="last")(layers.Dropout(0.1)(output)))
    found = _read(_saved(keras.Model(inputs, layers.Activation("softmax")(output)), tmp_path))
    assert found.taken == "the layer 'pool', before the classifier 'last'"
    assert not found.scales_inputs


def test_grey_images_are_repeated_for_three_colours(
    keras: Any, tmp_path: Path, photos: np.ndarray
) -> None:
    found = _read(_saved(small_backbone.network(keras), tmp_path))
    grey = photos[..., :1]
    wanted = found.fitted_to((SIDE, SIDE, 3))(grey.repeat(3, axis=3))
    np.testing.assert_allclose(found.fitted_to((SIDE, SIDE, 1))(grey), wanted, atol=1e-6)
    np.testing.assert_allclose(found.fitted_to((SIDE, SIDE))(grey[..., 0]), wanted, atol=1e-6)
    for shape in ((SIDE + 1, SIDE + 1, 3), (SIDE, SIDE, 4), (20,)):
        with pytest.raises(UsageError, match=r"takes examples of the shape \(16, 16, 3\), and"):
            found.fitted_to(shape)


def test_a_network_of_any_size(keras: Any, tmp_path: Path) -> None:
    found = _read(_saved(small_backbone.network(keras, side=None), tmp_path))
    assert found.image_size is None
    assert found.fitted_to((20, 24, 3)).output_shape == (None, UNITS)


def test_a_file_of_keras_3_is_rebuilt(tmp_path: Path) -> None:
    import keras as keras_3

    inputs = keras_3.Input((SIDE, SIDE, 3))
    output = keras_3.layers.GlobalAveragePooling2D()(keras_3.layers.Conv2D(7, 3)(inputs))
    path = _saved(keras_3.Model(inputs, keras_3.layers.Dense(4)(output)), tmp_path)
    assert _read(path).fitted_to((SIDE, SIDE, 3)).output_shape == (None, 7)


def test_what_is_no_network_is_refused(keras: Any, tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("not a network")
    whole = small_backbone.network(keras)
    whole.save_weights(tmp_path / "only.weights.h5")
    path = _saved(whole, tmp_path)
    for name, message in (
        ("text.keras", "not a model saved by Keras"),
        ("only.weights.h5", "weights alone do not define the network"),
        ("missing.keras", "not a file"),
        ("network.onnx", "must be a .keras or .h5 file"),
    ):
        with pytest.raises(UsageError, match=rf"{name}.*{message}"):
            _read(tmp_path / name)
    with pytest.raises(UsageError, match="has no layer 'nothing'; --backbone-layer may be one of"):
        _read(path, "nothing")
    cube = keras.Sequential([keras.Input((2, 3, 4, 5)), keras.layers.Conv3D(2, 1)])
    found = _read(_saved(cube, tmp_path, "cube.keras"))
    with pytest.raises(UsageError, match="neither features nor maps"):
        found.fitted_to((2, 3, 4, 5))


def test_unknown_layers_are_refused(keras: Any, tmp_path: Path) -> None:
    class Mine(keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return 2 * x

    inputs = keras.Input((4,))
    own = _saved(keras.Model(inputs, Mine()(inputs)), tmp_path, "own.keras")
    with pytest.raises(UsageError, match=r"own\.keras.*Mine"):
        _read(own)
    doubled = keras.layers.Lambda(lambda x: 2 * x, name="doubled")(inputs)
    with pytest.raises(UsageError, match=r"lambda\.keras.*Lambda"):
        _read(_saved(keras.Model(inputs, doubled), tmp_path, "lambda.keras"))


def test_several_inputs_need_a_layer_that_has_one(keras: Any, tmp_path: Path) -> None:
    layers = keras.layers
    first, second = keras.Input((4,)), keras.Input((3,))
    left = layers.Dense(6, name="left")(first)
    both = layers.Concatenate(name="both")([left, second])
    path = _saved(keras.Model([first, second], [layers.Dense(2)(both), left]), tmp_path)
    with pytest.raises(UsageError, match="has 2 inputs and 2 outputs; name a layer"):
        _read(path)
    assert _read(path, "left").fitted_to((4,)).output_shape == (None, 6)
    with pytest.raises(UsageError, match="'both' needs several inputs"):
        _read(path, "both")


def test_inputs_that_are_no_photos(keras: Any, tmp_path: Path) -> None:
    ids = keras.Input((4,), dtype="int32")
    words = keras.Model(ids, keras.layers.Embedding(5, 3)(ids))
    with pytest.raises(UsageError, match="takes int32; a backbone takes real numbers"):
        _read(_saved(words, tmp_path, "words.keras"))
    for name, shape, message in (
        ("rows.keras", (4,), r"takes inputs of the shape \(4,\), not photos"),
        ("wide.keras", (8, 9, 3), "photos of 9 x 8 pixels"),
    ):
        inputs = keras.Input(shape)
        found = _read(_saved(keras.Model(inputs, keras.layers.Dense(2)(inputs)), tmp_path, name))
        with pytest.raises(UsageError, match=message):
            _ = found.image_size
