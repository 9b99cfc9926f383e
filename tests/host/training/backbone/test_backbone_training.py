"""Experts on the features of a pretrained network: trained, kept, fine-tuned, extended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets, run_folder
from edge_experts.datasets import Dataset
from edge_experts.errors import UsageError
from edge_experts.features import encode_all
from tests import small_backbone
from tests.small_backbone import SIDE, UNITS

_EPOCHS: dict[str, Any] = {"epochs": 2, "choice_epochs": 2, "measure_gain": False}


def images(seed: int = 0, *, count: int = 90, kind: type = np.uint8) -> Dataset:
    """Images whose colour is the label, with noise."""
    random = np.random.default_rng(seed)
    y = np.arange(count) % 3
    x = random.integers(0, 80, (count, SIDE, SIDE, 3))
    x[np.arange(count), :, :, y] += 120
    third = count // 3
    return datasets.from_arrays(
        "colours", x[third:].astype(kind), y[third:], x[:third].astype(kind), y[:third]
    )


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path_factory.getbasetemp() / "backbone-cache"))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_backbone.write(tmp_path_factory.mktemp("backbone") / "small.keras")


def _train(out: Path, network: Path, dataset: Dataset | None = None, **settings: Any) -> Path:
    from edge_experts.training import train
    from edge_experts.training.default_settings import config_of

    dataset = dataset or images()
    config = config_of(dataset, backbone=str(network), **{**_EPOCHS, **settings})
    train(dataset, out, config, pictures=False)
    return out


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, network: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path_factory.mktemp("first-cache")))
        return _train(tmp_path_factory.mktemp("backbone") / "two.run", network, experts=2)


def _model(run: Path) -> Any:
    from edge_experts.training.extension.run_parts import read_model

    return read_model(run)


def _test_inputs(run: Path, dataset: Dataset) -> dict[str, np.ndarray]:
    described = run_folder.read_run(run)
    return encode_all(run_folder.read_features(run, described), dataset.test.inputs)


def test_the_run_folder_has_one_network_from_inputs_to_answers(keras: Any, run: Path) -> None:
    from edge_experts.training.inference import predict

    model, described, data = _model(run), run_folder.read_run(run), images()
    assert described.metrics["backbone"] == {
        "network": "small.keras",
        "sha256": described.metrics["backbone"]["sha256"],
        "layer": "pool",
        "input": "unchanged",
        "features": UNITS,
    }
    inputs = _test_inputs(run, data)
    assert float(inputs["x"].max()) > 100  # the network's own layer scales it
    assert [tensor.name for tensor in model.router.inputs] == ["x"]
    assert all([one.name for one in expert.inputs] == ["trunk"] for expert in model.experts)
    assert described.metrics["macs"]["router"] > 100 * described.metrics["macs"]["expert"]
    # What training measured on cached features holds for the whole network.
    right = predict(model, inputs).argmax(axis=1) == data.test.targets
    assert round(float(right.mean()), 5) == described.metrics["test_accuracy"]


def test_features_are_computed_once(
    run: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.training.backbone import features

    first = _train(tmp_path / "first.run", network, experts=2)
    monkeypatch.setattr(features, "_all", lambda *_: pytest.fail("computed again"))
    second = _train(tmp_path / "second.run", network, experts=2)
    for weights, again in zip(
        _model(first).get_weights(), _model(second).get_weights(), strict=True
    ):
        np.testing.assert_array_equal(weights, again)


@pytest.mark.long
def test_a_damaged_entry_of_the_cache_is_computed_again(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path / "cache"))
    _train(tmp_path / "a.run", network, experts=1)
    (kept,) = (tmp_path / "cache" / "backbone").iterdir()
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 255
    kept.write_bytes(content)
    _train(tmp_path / "b.run", network, experts=1)
    assert kept.read_bytes() != bytes(content)


def test_the_cache_stays_below_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_experts.training.backbone import features

    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path))
    monkeypatch.setattr(features, "_ROOM", 10_000)
    for name in "abc":
        features._Kept(name).write({"train": np.zeros(1000, np.float32)})
    assert len(list((tmp_path / "backbone").iterdir())) == 2
    assert features._Kept("c").read() is not None


def test_an_extension_adds_a_head_and_leaves_the_backbone(run: Path, tmp_path: Path) -> None:
    from edge_experts.training import extend
    from edge_experts.training.backbone.joining import BODY

    new = images(1)
    new = replace(new, **_shifted(new))
    extend(run, new, tmp_path / "three.run", epochs=2)
    before, after = _model(run), _model(tmp_path / "three.run")
    assert len(after.experts) == 3
    for old, same in zip(
        [before.router.get_layer(BODY), *before.experts],
        [after.router.get_layer(BODY), *after.experts[:2]],
        strict=True,
    ):
        for weights, kept in zip(old.get_weights(), same.get_weights(), strict=True):
            np.testing.assert_array_equal(weights, kept)
    described = run_folder.read_run(tmp_path / "three.run")
    features = run_folder.read_features(run, described)
    first = run_folder.read_examples(run, features)["train"].inputs
    assert described.metrics["backbone"]["calibration_rows"] == len(first)
    kept = run_folder.read_examples(tmp_path / "three.run", features)["train"].inputs
    np.testing.assert_array_equal(kept[: len(first)], first)


def _shifted(dataset: Dataset) -> Any:
    """Splits whose images are dark where those of the others are bright."""
    splits = {name: getattr(dataset, name) for name in ("train", "validation", "test")}
    return {
        name: replace(split, inputs=255 - np.asarray(split.inputs))
        for name, split in splits.items()
    }


def test_heads_give_several_labels(network: Path, tmp_path: Path) -> None:
    """The label of an image's colour, and another one of every third image."""
    single = images()

    def sets(split: Any) -> np.ndarray:
        rows: np.ndarray = np.eye(3, dtype=bool)[split.targets][:, [0, 1, 2, 1]]
        return rows

    train, test = single.train, single.test
    data = datasets.from_arrays(
        "colours",
        np.asarray(train.inputs),
        sets(train),
        np.asarray(test.inputs),
        sets(test),
        labels=("red", "green", "blue", "leaf"),
        task_type="multi-label",
    )
    out = _train(tmp_path / "a.run", network, data, experts=1, epochs=10)
    found = run_folder.read_run(out)
    assert found.task_spec is not None
    assert len(found.task_spec.config["thresholds"]) == 4
    assert found.metrics["test_f1_micro"] > found.metrics["same_labels_always_f1_micro"]


@pytest.mark.long
def test_one_head_has_a_gate_and_can_be_extended_and_fine_tuned(
    network: Path, tmp_path: Path
) -> None:
    from edge_experts.training import extend
    from edge_experts.training.extension.fine_tuning import fine_tune

    one = _train(tmp_path / "one.run", network, experts=1)
    assert _model(one).router.output["gate"].shape == (None, 1)
    extend(one, images(1), tmp_path / "two.run", epochs=2)
    assert _model(tmp_path / "two.run").router.output["gate"].shape == (None, 2)
    fine_tune(one, images(1), tmp_path / "tuned.run", epochs=1)
    tuned = _model(tmp_path / "tuned.run")
    assert len(tuned.experts) == 1
    assert not np.array_equal(
        tuned.experts[0].get_weights()[0], _model(one).experts[0].get_weights()[0]
    )


@pytest.mark.long
def test_fine_tuning_changes_the_backbone_but_not_its_statistics(
    network: Path, tmp_path: Path
) -> None:
    from edge_experts.training.backbone.joining import BODY

    tuned = _train(
        tmp_path / "tuned.run",
        network,
        experts=1,
        fine_tune=1,
        fine_tune_learning_rate=0.01,
        epochs=4,
    )
    found = run_folder.read_run(tuned).metrics
    assert found["fine_tuning"]["kept"] is (
        found["fine_tuning"]["after"] >= found["fine_tuning"]["before"]
    )
    plain = _model(_train(tmp_path / "plain.run", network, experts=1, epochs=4))
    before, after = (one.router.get_layer(BODY) for one in (plain, _model(tuned)))
    changed = {
        weight.name.split("/")[-1].partition(":")[0]
        for weight, old, new in zip(
            before.weights, before.get_weights(), after.get_weights(), strict=True
        )
        if not np.array_equal(old, new)
    }
    assert changed == ({"kernel", "gamma", "beta"} if found["fine_tuning"]["kept"] else set())


def test_changed_copies_of_photos_are_kept_together(network: Path) -> None:
    from edge_experts.features.resizing import Resizing
    from edge_experts.training.backbone import features, stated
    from edge_experts.training.default_settings import config_of

    data = replace(images(), kind="photo", resizing=Resizing(SIDE, SIDE, 3))
    config = config_of(data, backbone=str(network), augment=True)
    found = stated.read(config, data)
    assert found is not None
    inputs = {name: np.asarray(getattr(data, name).inputs, np.float32) for name in _SPLITS}
    arrays = {name: {"x": each} for name, each in inputs.items()}
    trunk = features.computed(found, data, arrays, config)
    rows, copies = len(data.train), features.COPIES
    got = trunk.data["train"]["trunk"]
    assert got.shape == (rows * (copies + 1), UNITS)
    assert len(trunk.data["test"]["trunk"]) == len(data.test)
    assert float(np.mean(got[:rows] ** 2)) == pytest.approx(1)
    assert not np.allclose(got[:rows], got[rows : 2 * rows], atol=1e-3)
    groups = trunk.dataset.train.groups
    assert groups is not None
    np.testing.assert_array_equal(groups.reshape(copies + 1, rows)[3], np.arange(rows))
    np.testing.assert_allclose(
        trunk.body(inputs["test"]), trunk.data["test"]["trunk"], rtol=1e-4, atol=1e-5
    )


_SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize(
    ("scale", "smallest", "largest"),
    [("unchanged", 0, 255), ("0..1", 0, 1), ("-1..1", -1, 1)],
)
def test_the_scale_of_the_inputs_is_in_the_features(
    network: Path, scale: str, smallest: float, largest: float
) -> None:
    from edge_experts.training.backbone import stated
    from edge_experts.training.default_settings import config_of
    from edge_experts.training.encoding import fit_features

    data = images()
    found = stated.read(config_of(data, backbone=str(network), backbone_input=scale), data)
    assert found is not None
    features = fit_features(data, scale=found.scale)
    ends = np.zeros((SIDE, SIDE, 3), np.uint8)
    ends[0] = 255
    x = features.encode(ends)["x"]
    assert (float(x.min()), float(x.max())) == (smallest, largest)


def test_settings_that_do_not_fit_are_refused(network: Path, tmp_path: Path) -> None:
    from edge_experts.training.config import TrainConfig

    silent = small_backbone.write(tmp_path / "silent.keras", rescaling=False)
    real, rows = images(kind=np.float32), np.zeros((30, 4), np.float32)
    table = datasets.from_arrays("rows", rows, np.arange(30) % 2, rows, np.arange(30) % 2)
    for message, path, data, settings in (
        (r"silent\.keras: does not tell the scale.*--backbone-input", silent, None, {}),
        ("is for bytes, and colours has float32", network, real, {"backbone_input": "-1..1"}),
        ("is for photos, images and other arrays, and rows has", network, table, {}),
        ("--augment is for photos", network, None, {"augment": True}),
    ):
        with pytest.raises(UsageError, match=message):
            _train(tmp_path / "refused.run", path, data, **settings)
    unfit: tuple[tuple[str, dict[str, Any]], ...] = (
        ("fine_tune is for a backbone", {"fine_tune": 1}),
        ("combine must be 'top'", {"backbone": "a.keras", "combine": "sum"}),
        ("backbone_input must be one of", {"backbone": "a.keras", "backbone_input": "bytes"}),
    )
    for message, wrong in unfit:
        with pytest.raises(UsageError, match=message):
            TrainConfig(**wrong)
    assert not list(tmp_path.glob("refused*"))


def test_features_that_are_all_zero_are_refused(keras: Any, tmp_path: Path) -> None:
    inputs = keras.Input((SIDE, SIDE, 3))
    dead = keras.layers.Conv2D(4, 3, kernel_initializer="zeros")(keras.layers.Rescaling(1)(inputs))
    keras.Model(inputs, dead).save(tmp_path / "dead.keras")
    with pytest.raises(UsageError, match=r"dead\.keras: its features are 0"):
        _train(tmp_path / "a.run", tmp_path / "dead.keras")
