"""Trainings with several labels: mixtures, thresholds, baselines, extension."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.datasets.targets import label_sets
from edge_experts.errors import DataError, UsageError
from edge_experts.run_folder import read_examples, read_features, read_run

from ...conftest import Cli

QUICK: dict[str, Any] = {"experts": 2, "epochs": 2, "choice_epochs": 0}
LABELS = ("left", "high", "far")


def sides(seed: int = 0, rows: int = 480, center: float = 0.0) -> Dataset:
    """Points whose labels are left or not, and where their height counts depends on the side."""
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, (rows, 2)).astype(np.float32)
    left = x[:, 0] < 0
    y = np.stack([left, np.where(left, x[:, 1] > 0.3, x[:, 1] < -0.3), (x**2).sum(axis=1) > 1.2])
    cut = rows * 3 // 4
    x += np.float32(center)
    return datasets.from_arrays(
        "sides", x[:cut], y.T[:cut], x[cut:], y.T[cut:], labels=LABELS, task_type="multi-label"
    )


def trained(dataset: Dataset, out: Path, **settings: Any) -> Any:
    from edge_experts.training import config_for, train

    config = config_for(dataset.kind, **{**QUICK, **settings})
    return train(dataset, out, config, pictures=False)


def outputs_of(out: Path, split: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels that the model answers of kept examples, and those that are wanted."""
    import tf_keras

    from edge_experts.features import encode_all
    from edge_experts.training.inference import predict

    run = read_run(out)
    features = read_features(out, run)
    examples = read_examples(out, features)[split]
    model = tf_keras.models.load_model(out / "model.keras", compile=False)
    logits = predict(model, encode_all(features, examples.inputs))
    assert run.task_spec is not None
    return 1 / (1 + np.exp(-logits)) >= run.task_spec.config["thresholds"], examples.targets


def test_a_run_folder_has_sets_thresholds_and_scores(keras: Any, tmp_path: Path) -> None:
    data = sides()
    run = trained(data, tmp_path / "a.run", learning_rate=0.02, mixture_learning_rate=0.02)
    assert run.task_type == "multi-label"
    assert read_run(tmp_path / "a.run").labels == LABELS
    assert run.task_spec.config["counts"] == data.train.targets.sum(axis=0).tolist()
    answered, wanted = outputs_of(tmp_path / "a.run", "test")
    assert wanted.dtype == bool
    found = label_sets.scores(answered, wanted)
    for name, score in found.items():
        assert run.metrics[f"test_{name}"] == pytest.approx(score, abs=1e-3)
    assert run.metrics["same_labels_always_f1_micro"] == pytest.approx(
        label_sets.same_always(data.validation.targets), abs=1e-5
    )
    assert found["f1_micro"] > label_sets.same_always(wanted)
    assert run.metrics["oracle_f1"] >= run.metrics["best_expert_f1"]
    assert "accuracy" not in json.dumps(run.metrics)


@pytest.mark.parametrize(
    "settings",
    [
        {"router": "kmeans"},
        {"choice_epochs": 1, "tune_epochs": 1, "top_k": 2},
        {"combine": "sum", "select": "greedy"},
        {"dense": "active"},
        {"teacher_epochs": 1},
        pytest.param({"router": "hash"}, marks=pytest.mark.long),
        pytest.param({"router": "random", "trunk": False}, marks=pytest.mark.long),
        pytest.param({"select": "greedy", "select_into": "weakest"}, marks=pytest.mark.long),
        pytest.param({"dense": "all"}, marks=pytest.mark.long),
        pytest.param({"dense": "one"}, marks=pytest.mark.long),
        pytest.param({"dense": "teacher"}, marks=pytest.mark.long),
    ],
    ids=str,
)
def test_every_way_to_train_leaves_a_model_that_answers(
    keras: Any, tmp_path: Path, settings: dict[str, Any]
) -> None:
    run = trained(sides(rows=240), tmp_path / "a.run", learning_rate=0.02, **settings)
    found = label_sets.scores(*outputs_of(tmp_path / "a.run", "test"))
    assert run.metrics["test_f1_micro"] == pytest.approx(found["f1_micro"], abs=1e-3)


@pytest.mark.long
def test_a_mixture_beats_one_network_where_sides_differ(keras: Any, tmp_path: Path) -> None:
    """Experts without a hidden layer: no line separates both sides."""

    def linear(shapes: Any) -> Any:
        inputs = shapes.keras_inputs()
        return keras.Model(inputs, keras.layers.Dense(shapes.labels)(inputs["x"]))

    settings = {"epochs": 12, "choice_epochs": 12, "model": linear, "trunk": False}
    rates = {"learning_rate": 0.05, "mixture_learning_rate": 0.05, "wide_learning_rate": 0.05}
    data = sides(rows=1600)
    mixed = trained(data, tmp_path / "a.run", **settings, **rates)
    dense = trained(data, tmp_path / "d.run", dense="active", **settings, **rates)
    assert mixed.metrics["test_f1_micro"] > dense.metrics["test_f1_micro"] + 0.05


def test_label_clusters_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="for several labels use 'learned' or 'kmeans'"):
        trained(sides(), tmp_path / "a.run", router="clusters", teacher_epochs=1)


def _elsewhere(keras: Any, data: Dataset, ending: str | None) -> Any:
    """A network of Keras with a probability, or a logit, of each label."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((2,), name="point")
    hidden = keras.layers.Dense(24, "relu")(inputs)
    if ending == "layer":
        output = keras.layers.Activation("sigmoid")(keras.layers.Dense(3)(hidden))
    elif ending == "function":
        output = keras.activations.sigmoid(keras.layers.Dense(3)(hidden))
    else:
        output = keras.layers.Dense(3, ending)(hidden)
    network = keras.Model(inputs, output)
    loss = keras.losses.BinaryCrossentropy(from_logits=ending is None)
    network.compile(keras.optimizers.Adam(0.02), loss)
    network.fit(np.asarray(data.train.inputs), data.train.targets * 1.0, 40, 30, verbose=0)
    return network


@pytest.mark.parametrize("ending", ["sigmoid", "layer", "function", None])
def test_a_network_with_sigmoid_outputs_is_adopted(
    keras: Any, tmp_path: Path, ending: str | None
) -> None:
    from edge_experts.training import adopt

    data = sides(rows=400)
    network = _elsewhere(keras, data, ending)
    network.save(tmp_path / "one.keras")
    run = adopt(tmp_path / "one.keras", data, tmp_path / "a.run")
    answered, wanted = outputs_of(tmp_path / "a.run", "test")
    found = label_sets.scores(answered, wanted)
    assert run.metrics["test_f1_micro"] == pytest.approx(found["f1_micro"], abs=1e-3)
    assert found["f1_micro"] > label_sets.same_always(wanted) + 0.05
    (expert,) = keras.models.load_model(tmp_path / "a.run" / "model.keras", compile=False).experts
    x = np.asarray(data.test.inputs)
    probabilities = network(x).numpy()
    if ending is None:
        probabilities = 1 / (1 + np.exp(-probabilities))
    logits = expert({"x": x}).numpy()
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), probabilities, atol=1e-5)


def test_labels_of_adopted_networks_may_have_another_order(
    keras: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.training import adopt

    data = sides(rows=400)
    path = tmp_path / "one.keras"
    _elsewhere(keras, data, "sigmoid").save(path)
    turned = [2, 0, 1]

    def columns(split: Any) -> Any:
        return replace(split, targets=split.targets[:, turned])

    other = replace(
        data,
        labels=tuple(LABELS[place] for place in turned),
        train=columns(data.train),
        validation=columns(data.validation),
        test=columns(data.test),
    )
    right = adopt(path, other, tmp_path / "right.run", labels=LABELS)
    assert right.labels == LABELS
    plain = adopt(path, data, tmp_path / "plain.run")
    assert right.metrics["test_f1_micro"] == plain.metrics["test_f1_micro"]
    capsys.readouterr()
    inputs = keras.Input((2,))
    zeros = keras.initializers.Zeros()
    negative = keras.initializers.Constant(-2.0)
    weak = keras.layers.Dense(3, kernel_initializer=zeros, bias_initializer=negative)(inputs)
    keras.Model(inputs, weak).save(tmp_path / "weak.keras")
    adopt(tmp_path / "weak.keras", data, tmp_path / "weak.run")
    assert "with the same answer for all" in capsys.readouterr().err


def test_networks_that_give_one_label_are_refused(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training import adopt

    inputs = keras.Input((2,))
    for units, ending, message in (
        (3, "softmax", r"one.keras.*ends in softmax; .* their sigmoid .*--task classification"),
        (3, "tanh", r"one.keras.*ends in tanh"),
        (2, "sigmoid", r"one.keras.*one logit for each label"),
    ):
        made = keras.Model(inputs, keras.layers.Dense(units, ending)(inputs))
        made.save(tmp_path / "one.keras")
        with pytest.raises(UsageError, match=message):
            adopt(tmp_path / "one.keras", sides(), tmp_path / "a.run")
    squared = keras.layers.Dense(3, "sigmoid")(inputs)
    squared = keras.layers.Multiply()([squared, squared])
    keras.Model(inputs, squared).save(tmp_path / "one.keras")
    with pytest.raises(UsageError, match="probabilities, whose sigmoid cannot be separated"):
        adopt(tmp_path / "one.keras", sides(), tmp_path / "a.run")
    assert not (tmp_path / "a.run").exists()


def test_rare_labels_and_those_of_every_example_are_named(keras: Any) -> None:
    from edge_experts.training.tasks.multi_label import LabelSets

    data = sides()
    targets = data.train.targets.copy()
    targets[:, 0], targets[3:, 2] = True, False
    odd = replace(data, train=replace(data.train, targets=targets))
    said = list(LabelSets(odd.labels, targets.sum(axis=0)).oddities(odd))
    assert "the label 'far' has fewer than 5 examples" in said[0]
    assert "the label 'left' is that of every example" in said[1]


def test_a_training_from_the_command_line_leaves_pictures(tmp_path: Path, cli: Cli) -> None:
    rows = [f"{n % 7},{n % 11},{';'.join(LABELS[: n % 3])}" for n in range(200)]
    (tmp_path / "d.csv").write_text("\n".join(["x,y,label", *rows]))
    done = cli("train", "--data", tmp_path / "d.csv", "--out", tmp_path / "a.run", "--experts", 2,
               "--epochs", 1, "--no-gain", "--task", "multi-label")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{tmp_path}/a.run: micro-F1 ")
    assert "micro-F1 on its own" in done.stderr
    assert "The best set of labels for all examples alike has a micro-F1 of" in done.stderr
    pictures = {path.name for path in (tmp_path / "a.run" / "pictures").iterdir()}
    assert pictures == {"labels.png", "experts.png", "owned.png"}


def test_an_expert_is_added_for_data_with_some_of_the_labels(keras: Any, tmp_path: Path) -> None:
    from edge_experts.training import extend

    rates = {"learning_rate": 0.02, "mixture_learning_rate": 0.02}
    trained(sides(), tmp_path / "a.run", **rates)
    far = sides(1, center=6.0)
    x, y = np.asarray(far.train.inputs), far.train.targets[:, :2]
    some = datasets.from_arrays(
        "far", x, y, x[:50], y[:50], labels=LABELS[:2], task_type="multi-label"
    )
    made = extend(tmp_path / "a.run", some, tmp_path / "b.run", old_data=sides(), epochs=4)
    assert made.experts == 3
    assert made.extends is not None
    assert made.extends["score"] == "f1_micro"
    assert set(made.extends["f1_micro"]) == {"old", "new"}
    assert "test_f1_macro" in made.metrics
    new = replace(some, labels=("left", "new"))
    with pytest.raises(DataError, match=r"does not know: new; .* All experts answer with the same"):
        extend(tmp_path / "a.run", new, tmp_path / "c.run")
