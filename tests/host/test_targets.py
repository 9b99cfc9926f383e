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
from edge_experts.converters.structures import summarize
from edge_experts.converters.targets import TARGETS, named
from edge_experts.converters.targets.reading import read

from edge_experts import run_folder
from edge_experts.bundle import read_manifest
from edge_experts.datasets import Split
from edge_experts.errors import MissingExtraError, UnsuitableError, UsageError
from edge_experts.features.array import ArrayFeatures
from edge_experts.runtime.interpreter import CHOICE
from tests.conftest import Cli

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
    from edge_experts.converters.quantization import to_tflite

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
        [sys.executable, "-m", "edge_experts.converters.targets.measuring", package],
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

    from edge_experts.cli.convert import convert as command

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


@pytest.fixture(scope="module")
def dense_run(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder of numbers: a router with a trunk, and two experts that build on it."""
    from edge_experts.training import SparseExperts
    from edge_experts.training.networks import trunk

    keras.utils.set_random_seed(1)
    folder = tmp_path_factory.mktemp("targets") / "dense.run"
    folder.mkdir()

    def network(outputs: int) -> Any:
        x = keras.Input((10,), name="x")
        hidden = keras.layers.Dense(16, activation="relu")(x)
        return keras.Model({"x": x}, keras.layers.Dense(outputs)(hidden))

    router = network(2)
    model = SparseExperts(*trunk.attach(router, router, [network(3), network(3)]))
    model.save(folder / run_folder.MODEL)
    inputs = np.random.default_rng(0).normal(size=(60, 10)).astype(np.float32)
    features = ArrayFeatures.fit(inputs, channels=True)
    run_folder.write_features(folder, features)
    split = Split(list(inputs), np.arange(60) % 3)
    run_folder.write_examples(
        folder, features, dict.fromkeys(("train", "validation", "test"), split)
    )
    run_folder.Run(
        name="dense",
        task="classification",
        labels=("a", "b", "c"),
        combine=model.combine,
        top_k=model.top_k,
        experts=2,
        origin="made by a test",
        feature_kind=features.kind,
        feature_settings=features.settings,
        config={"seed": 0},
        metrics={"test_accuracy": 0.5},
        versions={},
    ).write(folder)
    return folder


@pytest.mark.parametrize("io", ["float", "integer"])
def test_microcontrollers_get_their_arenas(
    cli: Cli, dense_run: Path, tmp_path: Path, io: str
) -> None:
    micro = pytest.importorskip("tflite_micro")
    out = tmp_path / "b"
    options = ("--io", io, "--max-accuracy-drop", 100, "--json")
    done = cli("convert", dense_run, "--out", out, "--target", "microcontroller", *options)
    assert done.returncode == 0, done.stderr
    said, manifest = json.loads(done.stdout), read_manifest(out)
    assert said["target"] == manifest.verified_on["target"] == "microcontroller"
    assert said["operators"]["FULLY_CONNECTED"] == 4
    assert manifest.verified_on["tflite_micro"] == micro.__version__
    assert manifest.verified_on["equal_labels_there"] == 1
    assert said["parity"]["equal_labels"] >= 0.95
    assert manifest.router is not None
    for entry in (manifest.router, *manifest.experts):
        assert said["arenas"][entry.path] == entry.arena_bytes
        assert entry.arena_bytes is not None
        content = (out / entry.path).read_bytes()
        assert _allocates(content, entry.arena_bytes)
        assert not _allocates(content, entry.arena_bytes - 16)
    assert "made for | microcontroller" in (out / "MODEL_CARD.md").read_text()
    shown = cli("inspect", out).stdout
    assert "made for     microcontroller, its interpreter ran it" in shown
    assert f"{manifest.router.arena_bytes:,}" in shown


def _allocates(content: bytes, arena: int) -> bool:
    code = (
        "import sys; from tflite_micro import runtime; runtime.Interpreter.from_bytes("
        "sys.stdin.buffer.read(), arena_size=int(sys.argv[1])).invoke()"
    )
    command = [sys.executable, "-c", code, str(arena)]
    return subprocess.run(command, input=content, capture_output=True).returncode == 0


@pytest.mark.parametrize("target", ["pi-bookworm", "pi-trixie"])
def test_a_bundle_is_proven_on_its_targets_interpreter(
    cli: Cli, dense_run: Path, tmp_path: Path, target: str
) -> None:
    pytest.importorskip(TARGETS[target].package)
    out = tmp_path / "b"
    options = ("--quantization", "dynamic", "--max-accuracy-drop", 100)
    done = cli("convert", dense_run, "--out", out, "--target", target, *options)
    assert done.returncode == 0, done.stderr
    assert f"{target}: it has all operators, and this was its interpreter" in done.stdout
    on = read_manifest(out).verified_on
    assert (on["interpreter"], on["target"]) == (TARGETS[target].package, target)
    assert on["run_on_target"] is True


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets a package look as if it were not installed."""
    find = importlib.util.find_spec

    def hide(package: str) -> None:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: None if name == package else find(name)
        )

    return hide


def test_without_its_interpreter_a_target_is_only_looked_up(
    dense_run: Path, tmp_path: Path, without: Callable[[str], None]
) -> None:
    from edge_experts.converters import convert

    from edge_experts.runtime import interpreter

    here = interpreter.description()["interpreter"]
    other = "pi-trixie" if here == "tflite_runtime" else "pi-bookworm"
    without(TARGETS[other].package)
    made = convert(dense_run, tmp_path / "b", target=other, max_accuracy_drop=100)
    on = made.manifest.verified_on
    assert (on["target"], on["run_on_target"], on["interpreter"]) == (other, False, here)


def test_without_tensorflow_lite_micro_no_arena_can_be_measured(
    tmp_path: Path, without: Callable[[str], None]
) -> None:
    from edge_experts.converters import convert

    without("tflite_micro")
    with pytest.raises(MissingExtraError, match=r"pip install 'edge-experts\[train\]'"):
        convert(tmp_path, tmp_path / "b", target="microcontroller")


def test_auto_chooses_among_what_the_target_takes(dense_run: Path, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    pytest.importorskip("tflite_micro")
    made = convert(
        dense_run,
        tmp_path / "b",
        quantization="auto",
        target="microcontroller",
        max_accuracy_drop=100,
    )
    assert set(made.manifest.provenance["recipes"].values()) == {"int8"}
    assert all(entry.arena_bytes for entry in made.manifest.experts)


def test_text_on_a_microcontroller_is_refused_by_the_operator(
    make_run: Any, make_model: Any, tmp_path: Path
) -> None:
    from edge_experts.converters import convert

    pytest.importorskip("tflite_micro")
    with pytest.raises(UnsuitableError, match=r"router: operator FLOOR_MOD .* for INT32"):
        convert(make_run(make_model()), tmp_path / "b", target="microcontroller")
    assert not (tmp_path / "b").exists()


def test_what_the_table_does_not_know_is_found_by_running(tmp_path: Path) -> None:
    """TensorFlow Lite Micro has FLOOR_MOD, and says only when it runs that it has it for floats."""
    from edge_experts.converters.targets import microcontroller

    pytest.importorskip("tflite_micro")
    import tensorflow as tf

    ids = tf.TensorSpec((1, 4), tf.int32, name="ids")
    modulo = tf.function(lambda ids: tf.math.floormod(ids, 3), input_signature=[ids])
    function = modulo.get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([function], modulo).convert()
    (tmp_path / "expert.tflite").write_bytes(content)
    with pytest.raises(UnsuitableError, match=r"expert 5: .*FLOOR_MOD.* failed to invoke"):
        microcontroller.measure(
            tmp_path,
            {"expert.tflite": "expert 5"},
            {"ids": np.ones((2, 4), np.int32)},
            tmp_path,
        )


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
