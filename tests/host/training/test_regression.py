"""Regression: trained mixtures of piecewise functions, in the data's own units."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.datasets.targets.regression_scores import scores
from edge_experts.errors import DataError, UsageError
from edge_experts.run_folder import read_examples, read_features, read_run

from ...conftest import Cli

QUICK: dict[str, Any] = {"experts": 2, "epochs": 2, "choice_epochs": 0}


def piecewise(seed: int = 0, outputs: int = 1, rows: int = 600) -> Dataset:
    """A table whose target is another plane on each side of a line, around 500."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (rows, 2)).astype(np.float32)
    y = 500 + 100 * np.where(x[:, 0] > 0, 3 * x[:, 1], -3 * x[:, 1] - 2 * x[:, 0])
    targets = y if outputs == 1 else np.stack([y, -y / 1000, x[:, 1]], axis=1)
    cut = rows * 3 // 4
    return datasets.from_arrays("planes", x[:cut], targets[:cut], x[cut:], targets[cut:])


def trained(dataset: Dataset, out: Path, **settings: Any) -> Any:
    from edge_experts.training import config_for, train

    config = config_for(dataset.kind, **{**QUICK, **settings})
    return train(dataset, out, config, pictures=False)


def outputs_of(out: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The model's values in the data's units, and what is wanted, of kept examples."""
    import tf_keras

    from edge_experts.features import encode_all
    from edge_experts.training.inference import predict

    run = read_run(out)
    features = read_features(out, run)
    examples = read_examples(out, features)[split]
    model = tf_keras.models.load_model(out / "model.keras", compile=False)
    outputs = predict(model, encode_all(features, examples.inputs))
    assert run.task_spec is not None
    spec = run.task_spec.config
    return outputs * np.array(spec["scale"]) + np.array(spec["mean"]), examples.targets


@pytest.mark.parametrize("outputs", [1, 3])
def test_a_run_folder_has_targets_in_their_units(keras: Any, tmp_path: Path, outputs: int) -> None:
    data = piecewise(outputs=outputs)
    trained(data, tmp_path / "a.run")
    run = read_run(tmp_path / "a.run")
    assert run.task_type == "regression"
    assert run.task_spec is not None
    config = run.task_spec.config
    np.testing.assert_allclose(config["mean"], data.train.targets.mean(axis=0))
    np.testing.assert_allclose(config["scale"], data.train.targets.std(axis=0))
    predicted, wanted = outputs_of(tmp_path / "a.run", "test")
    assert wanted.dtype == np.float64
    assert wanted.shape == (150, outputs)
    found = scores(predicted, wanted, run.labels)
    for name in ("mae", "rmse", "r2"):
        assert run.metrics[f"test_{name}"] == pytest.approx(found[name], rel=1e-3, abs=1e-4)
    assert ("test_outputs" in run.metrics) == (outputs > 1)


def test_the_first_examples_of_a_run_folder_are_as_the_rest(keras: Any, tmp_path: Path) -> None:
    """The first ones calibrate a conversion; data in order of their targets must not matter."""
    rising = np.sort(np.random.default_rng(0).normal(size=1000))
    features = np.stack([rising, rising**2], axis=1)
    data = datasets.from_arrays("rising", features, rising, features[::5], rising[::5])
    trained(data, tmp_path / "a.run")
    run = read_run(tmp_path / "a.run")
    kept = read_examples(tmp_path / "a.run", read_features(tmp_path / "a.run", run))["train"]
    first = kept.targets[:200, 0]
    assert abs(first.mean() - kept.targets.mean()) < 0.3
    assert first.std() > 0.7


def test_a_mixture_beats_a_dense_network_on_a_piecewise_function(
    keras: Any, tmp_path: Path
) -> None:
    """Experts of two units: each plane needs an expert, and one network has too few units."""

    def linear(shapes: Any, width: float = 1.0) -> Any:
        inputs = shapes.keras_inputs()
        hidden = keras.layers.Dense(max(1, round(2 * width)), "relu")(inputs["x"])
        both = keras.layers.Concatenate()([hidden, inputs["x"]])
        return keras.Model(inputs, keras.layers.Dense(shapes.labels)(both))

    settings = {"epochs": 12, "choice_epochs": 12, "model": linear}
    rates = {"learning_rate": 0.02, "mixture_learning_rate": 0.02, "wide_learning_rate": 0.02}
    for seed in range(2):
        data = piecewise(seed)
        mixed = trained(data, tmp_path / f"{seed}.run", seed=seed, **settings, **rates)
        dense = trained(
            data, tmp_path / f"{seed}.dense", seed=seed, dense="active", **settings, **rates
        )
        unexplained = [1 - run.metrics["test_r2"] for run in (mixed, dense)]
        assert unexplained[0] < 0.5 * unexplained[1]
        assert mixed.metrics["best_expert_r2"] < mixed.metrics["validation_r2"]


@pytest.mark.parametrize(
    "settings",
    [
        {"router": "kmeans"},
        {"router": "hash"},
        {"router": "random", "trunk": False},
        {"trunk": False, "warm_epochs": 1},
        {"choice_epochs": 1, "tune_epochs": 1},
        {"top_k": 2},
        {"combine": "sum", "select": "greedy"},
        {"select": "greedy", "select_into": "weakest"},
        {"dense": "active"},
        {"dense": "all"},
        {"dense": "one"},
        {"dense": "teacher"},
        {"teacher_epochs": 1},
    ],
    ids=str,
)
def test_every_way_to_train_leaves_a_model_that_predicts(
    keras: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    run = trained(piecewise(rows=400), tmp_path / "a.run", learning_rate=0.01, **settings)
    predicted, wanted = outputs_of(tmp_path / "a.run", "test")
    found = scores(predicted, wanted, run.labels)["r2"]
    assert run.metrics["test_r2"] == pytest.approx(found, abs=1e-3)
    assert np.isfinite(predicted).all()
    if run.experts > 1:
        assert run.metrics["oracle_r2"] >= run.metrics["best_expert_r2"]


def test_top_two_is_the_mean_by_the_gate_and_a_sum_adds(keras: Any, tmp_path: Path) -> None:
    trained(piecewise(rows=400), tmp_path / "a.run", top_k=2, experts=3)
    model = keras.models.load_model(tmp_path / "a.run" / "model.keras", compile=False)
    inputs = {"x": np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)}
    gate, seen = model.gate(inputs), model.expert_inputs(inputs)
    each = np.stack([expert(seen).numpy() for expert in model.experts], axis=1)
    order = np.argsort(-gate, axis=1)[:, :2]
    chances = np.exp(np.take_along_axis(gate, order, axis=1))
    chances /= chances.sum(axis=1, keepdims=True)
    picked = np.take_along_axis(each, order[:, :, None], axis=1)
    expected = (chances[:, :, None] * picked).sum(axis=1)
    np.testing.assert_allclose(model(inputs).numpy(), expected, rtol=1e-4, atol=1e-5)
    assert model.get_config()["output_kind"] == "values"


def test_a_taught_model_follows_a_teacher_of_a_run_folder(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training import config_for, train

    data = piecewise(rows=400)
    rate = {"wide_learning_rate": 0.02, "dense_epochs": 20}
    trained(data, tmp_path / "teacher.run", dense="teacher", **rate)
    config = config_for("table", **QUICK, distillation=0.5)
    run = train(data, tmp_path / "a.run", config, teacher=tmp_path / "teacher.run", pictures=False)
    assert run.task_type == "regression"
    named = replace(data, labels=("other",))
    with pytest.raises(UsageError, match="its labels \\(target\\) differ"):
        train(named, tmp_path / "b.run", config, teacher=tmp_path / "teacher.run")


def test_a_teacher_of_another_task_is_refused(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training import config_for, train

    data = piecewise(rows=400)
    x = np.asarray(data.train.inputs)
    y = np.arange(len(x)) % 2
    classes = datasets.from_arrays("classes", x, y, x, y)
    trained(classes, tmp_path / "c.run", dense="active", dense_epochs=1)
    with pytest.raises(UsageError, match="trained for classification, and planes is for regr"):
        train(data, tmp_path / "a.run", config_for("table"), teacher=tmp_path / "c.run")


def test_label_clusters_have_no_meaning_for_values(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="regression has no labels; use 'learned'"):
        trained(piecewise(), tmp_path / "a.run", router="clusters", teacher_epochs=1)


def test_a_constant_target_is_learned_with_a_warning(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = piecewise(rows=400)
    constant = {
        name: replace(getattr(data, name), targets=np.full((len(getattr(data, name)), 1), 7.5))
        for name in ("train", "validation", "test")
    }
    run = trained(replace(data, **constant), tmp_path / "a.run", dense="active", dense_epochs=1)
    assert run.task_spec.config == {"mean": [7.5], "scale": [1.0]}
    assert np.isfinite(run.metrics["test_r2"])
    assert "the target 'target' is 7.5 in all examples" in capsys.readouterr().err


def test_targets_that_few_examples_decide_are_named() -> None:
    from edge_experts.training.tasks.regression import Values

    data = piecewise()
    skewed = replace(data, train=replace(data.train, targets=np.exp(data.train.targets / 20)))
    (said,) = Values.of_data(skewed).oddities(skewed)
    assert "its logarithm may be a better target" in said
    assert not list(Values.of_data(data).oddities(data))


def test_classes_of_values_are_fifths_of_the_training_split() -> None:
    from edge_experts.training.tasks.regression import Values

    data = piecewise()
    task = Values.of_data(data)
    counts = np.bincount(task.classes(data.train.targets), minlength=5)
    assert counts.tolist() == [len(data.train) // 5] * 5
    assert len(task.class_names()) == 5


def test_a_network_that_diverges_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="diverged"):
        trained(piecewise(), tmp_path / "a.run", mixture_learning_rate=1e38)
    assert not (tmp_path / "a.run").exists()


def test_a_users_network_needs_an_output_for_each_target(keras: Any, tmp_path: Path) -> None:
    def narrow(shapes: Any) -> Any:
        inputs = shapes.keras_inputs()
        return keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))

    with pytest.raises(UsageError, match=r"must be \(None, 3\), one value for each target"):
        trained(piecewise(outputs=3), tmp_path / "a.run", model=narrow)


def test_texts_can_have_values(keras: Any, tmp_path: Path) -> None:
    words = ["bad", "poor", "fair", "good", "great"]
    rows = [f"it is {words[n % 5]} number {n},{n % 5}.5" for n in range(150)]
    (tmp_path / "d.csv").write_text("\n".join(["text,target", *rows]))
    data = datasets.load(str(tmp_path / "d.csv"))
    assert (data.task_type, data.task) == ("regression", "text regression")
    run = trained(data, tmp_path / "a.run", learning_rate=0.05)
    assert np.isfinite(run.metrics["test_r2"])


def test_a_training_leaves_pictures(keras: Any, tmp_path: Path, cli: Cli) -> None:
    data = piecewise(outputs=3)
    x, y = np.asarray(data.train.inputs), data.train.targets
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_test=x[:50], y_test=y[:50])
    done = cli("train", "--data", tmp_path / "d.npz", "--out", tmp_path / "a.run", "--experts", 2,
               "--epochs", 1)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/a.run: R2 ")
    assert "mean absolute error" in done.stdout
    assert "root mean squared error on its own" in done.stderr
    pictures = {path.name for path in (tmp_path / "a.run" / "pictures").iterdir()}
    assert pictures == {"predictions.png", "experts.png", "owned.png"}
    content = json.loads((tmp_path / "a.run" / "run.json").read_text())
    assert content["task_spec"]["type"] == "regression"
    assert content["labels"] == ["target 0", "target 1", "target 2"]


def test_networks_that_were_trained_elsewhere_are_refused(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training import adopt

    with pytest.raises(DataError, match="adopt is for networks that classify"):
        adopt(tmp_path / "no.keras", piecewise(), tmp_path / "a.run")
