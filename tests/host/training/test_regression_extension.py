"""A finished regression: one expert more for a new site, or experts that are made smaller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.errors import DataError, ThresholdError
from edge_experts.run_folder import read_run


def site(center: float, slope: float, labels: tuple[str, ...] | None = None) -> Dataset:
    """Inputs around a center, and another slope at each site."""
    random = np.random.default_rng(int(center) + 100)
    x = random.normal(size=(600, 2)).astype(np.float32) + np.array([center, 0], np.float32)
    y = 40 + slope * x[:, 1] + np.abs(x[:, 0] - center)
    return datasets.from_arrays("site", x[:400], y[:400], x[400:], y[400:], labels=labels)


@pytest.fixture(scope="module")
def run(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from edge_experts.training import config_for, train

    out = tmp_path_factory.mktemp("regression") / "base.run"
    config = config_for(
        "table", experts=2, epochs=8, choice_epochs=2,
        learning_rate=0.02, mixture_learning_rate=0.02,
    )  # fmt: skip
    train(site(0, 3), out, config, pictures=False)
    return out


def weights(run: Path) -> list[list[np.ndarray]]:
    import tf_keras

    model = tf_keras.models.load_model(run / "model.keras", compile=False)
    return [expert.get_weights() for expert in model.experts]


def test_a_new_expert_learns_a_new_site_and_the_others_stay(run: Path, tmp_path: Path) -> None:
    from edge_experts.training import extend

    made = extend(run, site(8, -3), tmp_path / "more.run", old_data=site(0, 3), epochs=6)
    assert made.experts == 3
    assert made.task_spec == read_run(run).task_spec
    assert made.extends is not None
    assert "accuracy" not in made.extends
    changes = made.extends["r2"]
    assert changes["new"]["after"] > changes["new"]["before"] + 0.5
    assert changes["old"]["after"] > changes["old"]["before"] - 0.2
    before, after = weights(run), weights(tmp_path / "more.run")
    for old, kept in zip(before, after[:2], strict=True):
        assert all(map(np.array_equal, old, kept))
    assert set(made.metrics) >= {"test_mae", "test_rmse", "test_r2", "validation_r2"}


def test_what_was_forgotten_is_counted_in_points_of_r2(run: Path, tmp_path: Path) -> None:
    from edge_experts.training import extend

    with pytest.raises(ThresholdError, match="points of R2 on 200 old test examples"):
        extend(run, site(0, -3), tmp_path / "a.run", epochs=2, max_forgetting=0.0)
    assert not (tmp_path / "a.run").exists()


def test_data_of_other_targets_is_refused(run: Path, tmp_path: Path) -> None:
    from edge_experts.training import extend

    with pytest.raises(DataError, match="its targets are cm, and the run predicts target"):
        extend(run, site(8, 1, labels=("cm",)), tmp_path / "a.run")
    x, y = np.zeros((60, 2), np.float32), np.arange(60) % 2
    classes = datasets.from_arrays("classes", x, y, x, y)
    with pytest.raises(DataError, match=r"targets are for classification, and .* for regression"):
        extend(run, classes, tmp_path / "a.run")


def test_experts_are_fine_tuned_by_their_error(run: Path) -> None:
    import tf_keras

    from edge_experts.features import encode_all
    from edge_experts.run_folder import read_examples, read_features
    from edge_experts.training.compression.lessons import Lessons
    from edge_experts.training.inference import predict
    from edge_experts.training.tasks import training_of

    described = read_run(run)
    task = training_of(described.task_type).routed(described, "--compress")
    features = read_features(run, described)
    splits = read_examples(run, features)
    names = ("train", "validation")
    data = {name: encode_all(features, splits[name].inputs) for name in names}
    wanted = {name: splits[name].targets for name in names}
    model = tf_keras.models.load_model(run / "model.keras", compile=False)
    lessons = Lessons(model, data, wanted, described.config, epochs=8, task=task)
    tuning = lessons.of(0)
    expert = model.experts[0]
    good = expert.get_weights()
    random = np.random.default_rng(0)
    expert.set_weights([w + random.normal(0, 0.3, w.shape).astype(w.dtype) for w in good])

    def error() -> float:
        inputs, targets = tuning.validation
        return float(np.mean((predict(expert, inputs) - targets[:, :1]) ** 2))

    before = error()
    tuning.fit(expert)
    assert error() < 0.7 * before
