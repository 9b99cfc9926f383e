"""Bundles for targets: proven on their interpreters, arenas measured, or refused."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.targets import TARGETS

from edge_experts import run_folder
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.datasets import Split
from edge_experts.errors import MissingExtraError, UnsuitableError
from edge_experts.features.array import ArrayFeatures
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime

from ...conftest import Cli

ROWS = np.random.default_rng(1).standard_normal((20, 10)).astype(np.float32)


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
    runtime, bare = ExpertRuntime(out), reference_texts(out)
    assert [bare(x) for x in ROWS] == [runtime.predict(x).text for x in ROWS]
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
    with pytest.raises(MissingExtraError, match=r"edge-experts\[train\]\): pip install"):
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
