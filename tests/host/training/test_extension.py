"""One expert more, or one retrained: what is new is learned, what was there stays bit for bit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets, run_folder
from edge_experts.datasets import Dataset
from edge_experts.errors import DataError, DigestError, ManifestError, ThresholdError, UsageError
from edge_experts.format.manifest import MANIFEST, Manifest
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli

ROWS = 400


def table(place: float, sign: int, seed: int, columns: int = 3) -> Dataset:
    """Rows around a place on the second axis, where the sign of the first decides the label."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, columns)).astype(np.float32)
    x[:, 1] += place
    y = (sign * x[:, 0] > 0).astype(int)
    half = ROWS // 2
    return datasets.from_arrays("rows", x[:half], y[:half], x[half:], y[half:])


@pytest.fixture(scope="module")
def new() -> Dataset:
    """What the run gets all wrong: elsewhere, and with the labels the other way round."""
    return table(6.0, -1, seed=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edge_experts.training import config_for, train

    out = tmp_path_factory.mktemp("extension") / "old.run"
    settings = {"experts": 2, "epochs": 3, "choice_epochs": 2, "tune_epochs": 1}
    train(table(0.0, 1, seed=0), out, config_for("table", learning_rate=0.02, **settings))
    return out


@pytest.fixture(scope="module")
def extended(run: Path, new: Dataset) -> Path:
    from edge_experts.training import extend

    extend(run, new, run.parent / "new.run")
    return run.parent / "new.run"


@pytest.fixture(scope="module")
def base(run: Path) -> Path:
    from edge_experts.converters import convert

    convert(run, run.parent / "base.bundle", max_accuracy_drop=100)
    return run.parent / "base.bundle"


def weights(run: Path) -> list[list[bytes]]:
    """The bits of every expert."""
    import edge_experts.training  # noqa: F401
    import tf_keras  # isort: skip

    model = tf_keras.models.load_model(run / run_folder.MODEL, compile=False)
    return [[weight.tobytes() for weight in expert.get_weights()] for expert in model.experts]


def rewritten(bundle: Path, manifest: Manifest) -> None:
    (bundle / MANIFEST).write_text(manifest.to_json())


def test_an_added_expert_answers_new_data_and_the_others_stay(run: Path, extended: Path) -> None:
    made = run_folder.read_run(extended)
    assert made.extends is not None
    old, new = made.extends["accuracy"]["old"], made.extends["accuracy"]["new"]
    assert new["before"] < 0.4
    assert new["after"] > 0.8
    assert old["after"] > old["before"] - 0.05
    assert (old["examples"], new["examples"]) == (ROWS // 2, ROWS // 2)
    assert made.experts == 3
    assert (made.extends["added"], made.extends["kept"]) == ([2], [0, 1])
    assert weights(extended)[:2] == weights(run)
    assert (extended / run_folder.FEATURES).read_bytes() == (run / run_folder.FEATURES).read_bytes()
    features = run_folder.read_features(extended, made)
    kept = run_folder.read_examples(extended, features)["train"].inputs
    assert {row[1] > 2 for row in kept} == {True, False}, "old and new examples are kept"


def test_a_retrained_expert_leaves_the_others_as_they_are(
    run: Path, new: Dataset, tmp_path: Path
) -> None:
    from edge_experts.training import extend

    made = extend(run, new, tmp_path / "r", retrain=1, old_data=table(0.0, 1, seed=0), epochs=4)
    assert made.extends is not None
    assert made.experts == 2
    assert (made.extends["retrained"], made.extends["kept"]) == ([1], [0])
    before, after = weights(run), weights(tmp_path / "r")
    assert after[0] == before[0]
    assert after[1] != before[1]
    new_accuracy = made.extends["accuracy"]["new"]
    assert new_accuracy["after"] > new_accuracy["before"]


def test_an_update_ships_only_what_changed(extended: Path, base: Path, cli: Cli) -> None:
    out = base.parent / "update.bundle"
    done = cli("convert", extended, "--out", out, "--base", base, "--max-accuracy-drop", 100)
    assert done.returncode == 0, done.stderr
    assert "expert 0, as in the base" in done.stderr
    assert "expert 2 added; router retrained; experts 0, 1 kept byte for byte" in done.stdout
    before, after = read_manifest(base), read_manifest(out)
    assert [one.sha256 for one in after.experts[:2]] == [one.sha256 for one in before.experts]
    assert after.features.file == before.features.file
    assert after.bundle_version == 2
    changes = {"added": [2], "retrained": [], "kept": [0, 1], "router": "retrained"}
    assert after.provenance["changes"] == {**changes, "base": before.digest, "base_version": 1}
    assert cli("verify", out).returncode == 0
    assert "expert 2 added" in cli("inspect", out).stdout


def test_a_base_of_other_weights_is_converted_again(
    run: Path, base: Path, tmp_path: Path, capsys: Any
) -> None:
    from edge_experts.converters import convert

    manifest = read_manifest(base)
    networks = {**manifest.provenance["networks"], "experts/000.tflite": "0" * 64}
    rewritten(base, replace(manifest, provenance={**manifest.provenance, "networks": networks}))
    try:
        convert(run, tmp_path / "b", base=base, max_accuracy_drop=100)
    finally:
        rewritten(base, manifest)
    said = capsys.readouterr().err
    assert "expert 1, as in the base" in said
    assert "expert 0, as in the base" not in said


def test_a_base_that_does_not_fit_is_refused(
    run: Path, extended: Path, base: Path, tmp_path: Path
) -> None:
    from edge_experts.converters import convert

    def refused(error: type[Exception], words: str, source: Path = run, **options: Any) -> None:
        with pytest.raises(error, match=words):
            convert(source, tmp_path / "b", **{"base": base, **options})
        assert not any(tmp_path.iterdir())

    refused(UsageError, "--quantization int8", quantization="float32")
    refused(UsageError, "--layout split", layout="gated")
    refused(UsageError, "bundle_version must be above", bundle_version=1)
    refused(ManifestError, "not a bundle", base=run)
    manifest = read_manifest(base)
    third = replace(manifest.experts[0], path="experts/002.tflite")
    rewritten(base, replace(manifest, experts=(*manifest.experts, third), reference=None))
    content = (base / "experts" / "000.tflite").read_bytes()
    try:
        refused(UsageError, "3 experts and the run 2")
        rewritten(base, manifest)
        (base / "experts" / "000.tflite").write_bytes(content[:-1] + b"?")
        refused(DigestError, "damaged", extended)
    finally:
        rewritten(base, manifest)
        (base / "experts" / "000.tflite").write_bytes(content)


def test_data_that_does_not_fit_is_refused(run: Path, tmp_path: Path) -> None:
    from edge_experts.training import extend

    new = table(0.0, 1, seed=2)
    images = np.zeros((100, 3, 3, 1), np.float32)
    labels = np.arange(100) % 2

    def refused(data: Dataset, *words: str, **options: Any) -> None:
        with pytest.raises(DataError) as caught:
            extend(run, data, tmp_path / "out", **options)
        for word in words:
            assert word in str(caught.value)
        assert not any(tmp_path.iterdir())

    refused(replace(new, labels=("0", "7")), "labels", "does not know: 7", "it knows 0, 1")
    refused(replace(new, kind="text"), "kind 'text'", "same kind")
    refused(table(0.0, 1, 0, columns=4), "must have the shape (3,), got (4,)")
    refused(datasets.from_arrays("i", images, labels, images, labels), "shape (3,)")
    refused(new, "does not know: 7", old_data=replace(new, labels=("0", "7")))


def test_a_run_that_cannot_be_extended_is_refused(
    make_run: Any, make_model: Any, new: Dataset, run: Path, base: Path, tmp_path: Path
) -> None:
    from edge_experts.training import extend

    one, summed = make_run(make_model(experts=1)), make_run(make_model(combine="sum"), name="s.run")
    with pytest.raises(UsageError, match="is one network, so there is no expert to retrain"):
        extend(one, new, tmp_path / "out", retrain=0)
    with pytest.raises(UsageError, match="sums all"):
        extend(summed, new, tmp_path / "out")
    with pytest.raises(UsageError, match="no expert 2 to retrain; it must be from 0 to 1"):
        extend(run, new, tmp_path / "out", retrain=2)
    with pytest.raises(UsageError, match="a bundle: name the run folder"):
        extend(base, new, tmp_path / "out")
    with pytest.raises(UsageError, match="exists already"):
        extend(run, new, base)


def test_an_expert_is_added_to_one_network(new: Dataset, tmp_path: Path) -> None:
    """As `train` leaves it where experts gain nothing."""
    from edge_experts.converters import convert

    from edge_experts.training import config_for, extend, train

    config = config_for("table", learning_rate=0.02, dense="active", dense_epochs=4)
    train(table(0.0, 1, seed=0), tmp_path / "one.run", config, pictures=False)
    made = extend(tmp_path / "one.run", new, tmp_path / "two.run")
    assert made.experts == 2
    assert made.extends is not None
    assert made.extends["accuracy"]["new"]["after"] > 0.9
    assert made.extends["accuracy"]["old"]["after"] > 0.9
    assert weights(tmp_path / "two.run")[0] == weights(tmp_path / "one.run")[0]
    convert(tmp_path / "two.run", tmp_path / "two.bundle", max_accuracy_drop=100)


def test_too_much_forgetting_writes_nothing(run: Path, tmp_path: Path) -> None:
    from edge_experts.training import extend

    # The same inputs, with the labels the other way round: no router can tell them apart.
    with pytest.raises(ThresholdError, match=r"forgotten .* --max-forgetting allows 1"):
        extend(run, table(0.0, -1, seed=3), tmp_path / "out", epochs=3, max_forgetting=1)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["text", "table", "image", "window"])
def test_a_wider_router_answers_as_before(keras: Any, kind: str) -> None:
    from edge_experts.training.extension.widening import widened
    from edge_experts.training.networks import BY_KIND, Shapes

    shape = {"table": (5,), "image": (28, 28), "window": (50, 3)}.get(kind)
    inputs = {"x": (shape, "float32")} if shape else {
        "ids": ((16,), "int32"),
        "weights": ((16,), "float32"),
    }  # fmt: skip
    router = BY_KIND[kind].router(Shapes(kind, inputs, 2, {"word_bits": 6, "char_bits": 6}), 3)
    random = np.random.default_rng(0)
    arrays = {
        name: random.uniform(0, 9, (4, *shape)).astype(dtype)
        for name, (shape, dtype) in inputs.items()
    }
    wider = widened(router)(arrays).numpy()
    assert wider.shape == (4, 4)
    np.testing.assert_array_equal(wider[:, :3], router(arrays).numpy())


def test_a_router_that_cannot_be_widened_is_refused(keras: Any) -> None:
    from edge_experts.training.extension.widening import widened

    x = keras.Input((2,), name="x")
    router = keras.Model({"x": x}, keras.layers.Activation("relu")(keras.layers.Dense(2)(x)))
    with pytest.raises(UsageError, match="end it in a Dense layer"):
        widened(router)


def test_what_experts_share_with_the_router_is_not_trained(
    make_model: Any, keras: Any, tmp_path: Path
) -> None:
    from edge_experts.training.checkpoints import Checkpoints
    from edge_experts.training.extension.teaching import Part, Teaching
    from edge_experts.training.tasks.classification import Classes

    x = keras.Input((2,), name="x")
    trunk = keras.layers.Dense(3, "relu", kernel_initializer="ones")(x)  # none of them is dead
    router = keras.Model({"x": x}, {"gate": keras.layers.Dense(2)(trunk), "trunk": trunk})
    part = Part({"x": np.ones((20, 2), np.float32)}, np.zeros(20, int))
    parts = {"train": part, "validation": part}
    model = make_model(2)
    model.router = router
    teaching = Teaching(
        model,
        Classes(("a", "b")),
        parts,
        parts,
        epochs=1,
        batch_size=16,
        learning_rate=0.1,
        seed=0,
        logs=tmp_path,
        checkpoints=Checkpoints(tmp_path / "checkpoints", {}),
    )
    before = [weight.copy() for weight in router.get_weights()]
    trained = teaching._router(router, 1)
    same = list(map(np.array_equal, before, trained.get_weights()))
    assert same == [True, True, False, False]
    assert len(trained.trainable_weights) == 4


def few_rows(folder: Path, *, learnable: bool) -> Path:
    """A table of 80 rows from elsewhere, whose labels can be learned or are random."""
    data = table(6.0, -1, seed=5)
    x, y = data.train.inputs[:80], data.train.targets[:80]
    if not learnable:
        y = np.random.default_rng(3).permutation(y)
    path = folder / "few.npz"
    np.savez(path, x_train=x[:64], y_train=y[:64], x_test=x[64:], y_test=y[64:])
    return path


def test_few_rows_are_enough_where_they_can_be_learned(run: Path, tmp_path: Path, cli: Cli) -> None:
    few = few_rows(tmp_path, learnable=True)
    done = cli("extend", run, "--data", few, "--out", tmp_path / "f.run")
    assert done.returncode == 0, done.stderr
    made = run_folder.read_run(tmp_path / "f.run")
    assert made.extends is not None
    assert made.extends["accuracy"]["new"]["after"] > made.extends["accuracy"]["new"]["before"]
    assert made.extends["gain"]["new"]["low"] > 0
    assert "Next: edge-experts convert" in done.stderr
    assert not (tmp_path / "f.run.checkpoints").exists()
    assert "95 % interval" in done.stdout


def test_an_expert_that_gains_nothing_is_not_recommended(
    run: Path, tmp_path: Path, cli: Cli
) -> None:
    few = few_rows(tmp_path, learnable=False)
    done = cli("extend", run, "--data", few, "--out", tmp_path / "n.run")
    assert done.returncode == 0, done.stderr
    assert "gained nothing on new data" in done.stderr
    assert "collect more rows" in done.stderr
    assert "convert n.run" not in done.stderr
    assert "Next:" not in done.stderr


def test_the_command(run: Path, tmp_path: Path, cli: Cli) -> None:
    data = table(6.0, -1, seed=1)
    np.savez(
        tmp_path / "new.npz",
        x_train=data.train.inputs,
        y_train=data.train.targets,
        x_test=data.test.inputs,
        y_test=data.test.targets,
    )
    asked = ("extend", run, "--data", tmp_path / "new.npz", "--out", tmp_path / "new.run")
    done = cli(*asked, "--epochs", 2)
    assert done.returncode == 0, done.stderr
    assert "expert 2 added" in done.stdout
    assert "as they were: experts 0, 1" in done.stdout
    assert "before    after" in done.stdout
    assert "--base" in done.stderr
    done = cli(*asked, "--epochs", 1, "--retrain", 0, "--json", "--force")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["schema_version"], said["retrained"]) == ("1.0", [0])
    done = cli(*asked, "--retrain", 9, "--force")
    assert done.returncode == 2
    assert "no expert 9" in done.stderr
