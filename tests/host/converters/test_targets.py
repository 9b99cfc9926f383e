"""Targets: the tables beside the real interpreters, what is refused, and what a bundle says."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from edge_experts.converters.bundle.structures import summarize
from edge_experts.converters.targets import TARGETS, named
from edge_experts.converters.targets.tflite_reader import read

from edge_experts.errors import UnsuitableError, UsageError
from edge_experts.runtime.interpreter import CHOICE

PACKAGES = {"pi-bookworm": "tflite_runtime", "litert": "ai_edge_litert"}
RUN = """
import sys, importlib
interpreter = importlib.import_module(sys.argv[2] + ".interpreter").Interpreter(sys.argv[1])
interpreter.allocate_tensors()
interpreter.invoke()
"""


def runs(package: str, path: Path) -> bool:
    """Whether the real interpreter of this package takes a file."""
    pytest.importorskip(package)
    done = subprocess.run([sys.executable, "-c", RUN, path, package], capture_output=True)
    return done.returncode == 0


def takes(target: str, content: bytes) -> bool:
    try:
        named(target).check(content, "expert 0")
    except UnsuitableError:
        return False
    return True


@pytest.fixture(scope="module")
def make(keras: Any) -> Callable[[str, str], bytes]:
    """A small network of a kind, converted by a recipe."""
    from edge_experts.converters.tflite.quantization import to_tflite

    def attention(inputs: Any) -> Any:
        layers = keras.layers
        hidden = layers.LayerNormalization()(layers.MultiHeadAttention(2, 4)(inputs, inputs))
        return layers.Dense(4)(layers.GlobalAveragePooling1D()(hidden))

    kinds: dict[str, tuple[tuple[int, ...], Callable[[Any], Any]]] = {
        "dense": ((40,), lambda x: keras.layers.Dense(4)(keras.layers.Dense(32)(x))),
        "conv": (
            (8, 8, 1),
            lambda x: keras.layers.Dense(4)(
                keras.layers.Flatten()(
                    keras.layers.DepthwiseConv2D(3)(keras.layers.Conv2D(4, 3)(x))
                )
            ),
        ),
        "attention": ((16, 8), attention),
    }

    def convert(kind: str, recipe: str) -> bytes:
        shape, build = kinds[kind]
        inputs = keras.Input(shape, name="x")
        samples = np.random.default_rng(0).normal(size=(20, *shape)).astype(np.float32)
        network = keras.Model({"x": inputs}, build(inputs))
        content: bytes = to_tflite(network, recipe, {"x": samples})
        return content

    return convert


@pytest.fixture(scope="module")
def version_12(keras: Any) -> bytes:
    """What TensorFlow makes of a Dense layer by default, when it quantizes its weights only."""
    import tensorflow as tf

    network = keras.Sequential([keras.layers.Dense(64, input_shape=(64,))])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    content: bytes = converter.convert()
    return content


@pytest.mark.parametrize("target", ["pi-bookworm", "litert", "microcontroller"])
def test_a_table_is_what_its_interpreter_says(target: str) -> None:
    package = TARGETS[target].package
    pytest.importorskip(package)
    done = subprocess.run(
        [sys.executable, "-m", "edge_experts.converters.targets.operator_support", package],
        capture_output=True,
        text=True,
        check=True,
    )
    measured = {name: int(version) for name, version in map(str.split, done.stdout.splitlines())}
    table = TARGETS[target].operators
    if importlib.metadata.version(package.replace("_", "-")) == TARGETS[target].version:
        assert measured == table
    else:  # a later one may have more, never less
        assert all(measured.get(name, 0) >= version for name, version in table.items())


def test_later_litert_has_all_that_an_earlier_one_has() -> None:
    early, late = TARGETS["pi-trixie"].operators, TARGETS["litert"].operators
    assert all(late[name] >= version for name, version in early.items())


def test_a_version_that_a_board_lacks_is_refused(version_12: bytes, tmp_path: Path) -> None:
    path = tmp_path / "v12.tflite"
    path.write_bytes(version_12)
    assert not runs("tflite_runtime", path)
    with pytest.raises(UnsuitableError) as refused:
        named("pi-bookworm").check(version_12, "expert 7")
    message = str(refused.value)
    assert message.startswith("expert 7: operator FULLY_CONNECTED version 12: pi-bookworm")
    assert "up to version 10" in message
    assert "--quantization" in message
    assert "--target pi-trixie" in message


def test_litert_takes_that_version(version_12: bytes, tmp_path: Path) -> None:
    path = tmp_path / "v12.tflite"
    path.write_bytes(version_12)
    assert takes("litert", version_12)
    assert takes("pi-trixie", version_12)
    assert runs("ai_edge_litert", path)


@pytest.mark.parametrize("target", list(PACKAGES))
@pytest.mark.parametrize(
    ("kind", "recipe"),
    [
        ("dense", "dynamic"),
        ("dense", "int16x8"),
        ("conv", "int8"),
        ("attention", "int8"),
        ("attention", "int16x8"),  # no RSQRT in int16: refused by one, and the other aborts
    ],
)
def test_a_target_takes_what_its_interpreter_runs(
    make: Callable[[str, str], bytes], tmp_path: Path, target: str, kind: str, recipe: str
) -> None:
    content = make(kind, recipe)
    (tmp_path / "model.tflite").write_bytes(content)
    expected = (kind, recipe) != ("attention", "int16x8")
    assert runs(PACKAGES[target], tmp_path / "model.tflite") == expected
    assert takes(target, content) == expected


def test_operators_that_only_tensorflow_has_are_refused(keras: Any) -> None:
    import tensorflow as tf

    inverse = tf.function(tf.linalg.inv, input_signature=[tf.TensorSpec((4, 4), tf.float32)])
    function = inverse.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], inverse)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.SELECT_TF_OPS]
    content = converter.convert()
    for target in TARGETS.values():
        with pytest.raises(UnsuitableError, match="operator custom FlexMatrixInverse version 1"):
            target.check(content, "router")


def test_names_and_recipes_are_checked_first(tmp_path: Path) -> None:
    from edge_experts.converters import convert

    from edge_experts.cli.host.convert import convert as command

    shown = get_type_hints(command)["target"]
    assert set(get_args(get_args(shown)[0])) == set(TARGETS)
    with pytest.raises(UsageError, match="target must be one of"):
        convert(tmp_path, tmp_path / "b", target="toaster")
    with pytest.raises(UnsuitableError, match="--target microcontroller takes --quantization int8"):
        convert(tmp_path, tmp_path / "b", target="microcontroller", quantization="float16")


def test_another_interpreter_is_asked_for_by_name() -> None:
    code = "from edge_experts.runtime import interpreter as i; print(i.description())"
    for package in ("tflite_runtime", "ai_edge_litert"):
        pytest.importorskip(package)
        said = subprocess.check_output(
            [sys.executable, "-c", code], text=True, env={**os.environ, CHOICE: package}
        )
        assert package in said
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, CHOICE: "toaster"},
    )
    assert "EDGE_EXPERTS_INTERPRETER must be one of" in done.stderr


def test_files_open_in_viewers(make: Callable[[str, str], bytes]) -> None:
    """Netron and Model Explorer read TensorFlow's schema; they show what is named."""
    from tensorflow.lite.python import schema_py_generated as schema

    content = make("dense", "int8")
    assert content[4:8] == b"TFL3"
    model = schema.Model.GetRootAs(content, 0)
    signature = model.SignatureDefs(0)
    assert signature.SignatureKey() == b"serving_default"
    assert signature.Inputs(0).Name() == b"x"
    names = [
        model.Subgraphs(0).Tensors(at).Name() for at in range(model.Subgraphs(0).TensorsLength())
    ]
    assert all(names)
    assert len(set(names)) == len(names)


def test_every_byte_of_a_file_is_accounted_for(make: Callable[[str, str], bytes]) -> None:
    content = make("dense", "int8")
    structure = read(content)
    kernels = {(one.layer, one.shape, one.bytes) for one in structure.weights if one.type == "INT8"}
    assert kernels == {("dense", (32, 40), 1280), ("output", (4, 32), 128)}
    weights = sum(one.bytes for one in structure.weights)
    assert weights + structure.graph_bytes + structure.metadata_bytes == len(content)
    halves = read(make("dense", "float16")).weights
    assert [(one.layer, one.operator, one.bytes) for one in halves[:2]] == [
        ("dense", "FULLY_CONNECTED", 2560),
        ("output", "FULLY_CONNECTED", 256),
    ]


def test_alike_files_are_described_once(make: Callable[[str, str], bytes]) -> None:
    first, second, other = make("dense", "int8"), make("dense", "int8"), make("conv", "int8")
    assert first != second
    found = summarize({"a": first, "b": second, "c": other})
    assert [one["files"] for one in found] == [["a", "b"], ["c"]]
    many = summarize({f"experts/{index:03d}.tflite": first for index in range(200)})
    assert len(json.dumps(many, indent=2)) < 200 * 50
