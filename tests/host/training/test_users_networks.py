"""The user's own functions: experts, router, and the dense rival made of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_experts.errors import UsageError
from tests.documents import pages

MODULE = """
import tf_keras

def expert(shapes, width=1.0):
    inputs = shapes.keras_inputs()
    hidden = tf_keras.layers.Dense(round(8 * width), "relu")(inputs["x"])
    return tf_keras.Model(inputs, tf_keras.layers.Dense(shapes.labels)(hidden))

def narrow(shapes):
    return expert(shapes)

def ignores_width(shapes, width=1.0):
    return expert(shapes)

def stops_growing(shapes, width=1.0):
    return expert(shapes, min(width, 2.0))

def router(shapes, experts):
    inputs = shapes.keras_inputs()
    return tf_keras.Model(inputs, tf_keras.layers.Dense(experts)(inputs["x"]))

def wrong_router(shapes, experts):
    return expert(shapes)

def mixed(shapes):
    import keras
    inputs = shapes.keras_inputs()
    hidden = tf_keras.layers.Dense(8)(inputs["x"])
    return tf_keras.Model(inputs, keras.layers.Dense(shapes.labels, name="foreign")(hidden))

def given(layer, **options):
    def build(shapes):
        inputs = tf_keras.Input(name="x", **options)
        return tf_keras.Model(inputs, layer(shapes.labels)(inputs))
    return build

def dense(units):
    return tf_keras.layers.Dense(units)

def of_ragged(units):
    even = tf_keras.layers.Lambda(lambda x: x.to_tensor(shape=(None, 5)))
    return tf_keras.Sequential([even, dense(units)])

of_four = given(dense, batch_shape=(4, 5))
wider = given(dense, shape=(6,))
sparse = given(dense, shape=(5,), sparse=True)
ragged = given(of_ragged, shape=(None,), ragged=True)
half = given(dense, shape=(5,), dtype="float16")

def sequential(shapes):
    return tf_keras.Sequential([tf_keras.layers.Dense(shapes.labels)])

class Subclass(tf_keras.Model):
    pass

def subclass(shapes):
    return Subclass()
"""


@pytest.fixture
def module(keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "users_own.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "users_own"
    sys.modules.pop("users_own", None)


@pytest.fixture
def shapes(keras: Any) -> Any:
    from edge_experts.training.networks import Shapes

    return Shapes("table", {"x": ((5,), "float32")}, 3, {})


def test_experts_router_and_rivals_of_the_users_own(module: str, shapes: Any) -> None:
    from edge_experts.training import TrainConfig
    from edge_experts.training.model_builder import build

    settings: dict[str, Any] = {
        "experts": 4,
        "model": f"{module}:expert",
        "router_model": f"{module}:router",
    }
    sparse = build(shapes, TrainConfig(**settings), {})
    assert [expert.count_params() for expert in sparse.experts] == [75] * 4
    assert sparse.router is not None
    assert sparse.router.count_params() == 24
    active = build(shapes, TrainConfig(**settings, dense="active"), {})
    # 4 * 14 + 14 * 3 multiply-adds: at least an expert's 4 * 9 + 9 * 3 and the router's 4 * 4 + ...
    assert active.experts[0].count_params() > 75
    wide = build(shapes, TrainConfig(**settings, width=2.0), {})
    assert wide.experts[0].count_params() == 147
    everything = build(shapes, TrainConfig(**settings, dense="all"), {})
    assert 300 <= everything.experts[0].count_params() < 330


def test_the_documents_large_expert_is_of_1_mb(keras: Any) -> None:
    from edge_experts.training.networks import Shapes, user_networks

    names: dict[str, Any] = {}
    exec(pages.python("<!-- large expert -->"), names)  # the document's own code
    shapes = Shapes("image", {"x": ((28, 28), "float32")}, 10, {})
    (expert,) = user_networks.experts(names["build"], shapes, 1, 1.0)
    assert expert.count_params() == pytest.approx(1e6, rel=0.05)
    everything = user_networks.dense_all(names["build"], shapes, 8, 1.0)
    assert everything.count_params() == pytest.approx(8e6, rel=0.1)


def test_functions_are_taken_as_they_are(module: str, shapes: Any) -> None:
    import importlib

    from edge_experts.training import TrainConfig
    from edge_experts.training.model_builder import build

    user_networks = importlib.import_module(module)
    config = TrainConfig(experts=2, model=user_networks.expert, router_model=user_networks.router)
    assert len(build(shapes, config, {}).experts) == 2
    assert config.to_json()["model"] == "users_own:expert"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "{}:mixed"}, r"--model users_own:mixed: its layer 'foreign' is keras\..*Dense"),
        ({"model": "{}:subclass"}, "is a subclassed model or a Sequential"),
        (
            {"model": "{}:sequential"},
            "or a Sequential without an Input, whose inputs",
        ),
        ({"model": "{}:of_four"}, r"'x' is float32 \(4, 5\), and must be float32 \(None, 5\)"),
        ({"model": "{}:wider"}, r"'x' is float32 \(None, 6\), and must be float32 \(None, 5\)"),
        ({"model": "{}:sparse"}, r"'x' is float32 \(None, 5\) of the type SparseTensorSpec"),
        ({"model": "{}:ragged"}, r"'x' is float32 \(None, None\) of the type RaggedTensorSpec"),
        ({"model": "{}:half"}, r"'x' is float16 \(None, 5\), and must be float32"),
        ({"model": "{}:nothing"}, "has no attribute 'nothing'"),
        ({"model": "{}"}, "--model must be module:function, got 'users_own'"),
        ({"model": "{}:narrow", "dense": "all"}, "take a width"),
        (
            {"model": "{}:ignores_width", "dense": "active"},
            r"users_own:ignores_width: .* no larger than at 1; multiply the units",
        ),
        ({"model": "{}:stops_growing", "dense": "all"}, "no larger than at 2.25; multiply"),
        ({"model": "{}:narrow", "width": 2.0}, "--width 2.0 needs the function to take a width"),
        ({"router_model": "{}:wrong_router"}, "one logit for each expert, got"),
        ({"router_model": "no_such:thing"}, "--router-model no_such:thing: No module"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    module: str, shapes: Any, settings: dict[str, Any], message: str
) -> None:
    from edge_experts.training import TrainConfig
    from edge_experts.training.model_builder import build

    named: dict[str, Any] = {
        key: value.format(module) if isinstance(value, str) else value
        for key, value in settings.items()
    }
    with pytest.raises(UsageError, match=message):
        build(shapes, TrainConfig(**named), {})


def test_keras_3_works_again_afterwards(module: str, shapes: Any) -> None:
    from edge_experts.training.networks import user_networks

    with pytest.raises(UsageError):
        user_networks.experts(f"{module}:mixed", shapes, 1, 1.0)
    import keras

    assert keras.layers.Dense(2)(keras.ops.ones((1, 3))).shape == (1, 2)


@pytest.mark.parametrize(
    "ending",
    [
        'layers.Dense(shapes.labels, "softmax")(hidden)',
        'layers.Dense(shapes.labels, "sigmoid")(hidden)',
        'layers.Dense(shapes.labels, "tanh")(hidden)',
        "layers.Softmax()(layers.Dense(shapes.labels)(hidden))",
        "layers.ReLU()(layers.Dense(shapes.labels)(hidden))",
        "tf.nn.softmax(layers.Dense(shapes.labels)(hidden))",
        "1 / (1 + tf.exp(-layers.Dense(shapes.labels)(hidden)))",
    ],
)
def test_outputs_that_are_no_logits_are_refused(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: Any, ending: str
) -> None:
    (tmp_path / "bounded.py").write_text(f"""
import tensorflow as tf
import tf_keras
from tf_keras import layers

def expert(shapes):
    inputs = shapes.keras_inputs()
    hidden = layers.Dense(8, "relu")(inputs["x"])
    return tf_keras.Model(inputs, {ending})
""")
    monkeypatch.syspath_prepend(tmp_path)
    from edge_experts.training.networks import user_networks

    sys.modules.pop("bounded", None)
    with pytest.raises(UsageError, match=r"--model bounded:expert: .*Dense\(3\)"):
        user_networks.experts("bounded:expert", shapes, 2, 1.0)


def test_logits_that_start_above_zero_are_taken(keras: Any, shapes: Any) -> None:
    from edge_experts.training.networks import user_networks

    def expert(shapes: Any) -> Any:
        inputs = shapes.keras_inputs()
        hidden = keras.layers.Dense(8, "sigmoid")(inputs["x"])
        start = keras.initializers.RandomUniform(0.0, 0.1)
        return keras.Model(inputs, keras.layers.Dense(3, kernel_initializer=start)(hidden))

    assert len(user_networks.experts(expert, shapes, 2, 1.0)) == 2


def test_a_last_layer_that_starts_at_zero_is_taken(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: Any
) -> None:
    (tmp_path / "zeros.py").write_text("""
import tf_keras

def expert(shapes):
    inputs = shapes.keras_inputs()
    last = tf_keras.layers.Dense(shapes.labels, kernel_initializer="zeros")
    return tf_keras.Model(inputs, last(inputs["x"]))
""")
    monkeypatch.syspath_prepend(tmp_path)
    from edge_experts.training.networks import user_networks

    sys.modules.pop("zeros", None)
    assert len(user_networks.experts("zeros:expert", shapes, 2, 1.0)) == 2
