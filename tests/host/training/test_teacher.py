"""A finished training teaches another one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import RunFolderError, UsageError


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Path]:
    """Few examples of a simple rule, and a run folder of a model that learned it from many."""
    from edge_experts.training import config_for, train

    random = np.random.default_rng(0)
    x = random.standard_normal((4000, 8)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] ** 2 > 0.7).astype(int)
    config = config_for("table", dense="all", dense_epochs=20, wide_learning_rate=0.01)
    run = tmp_path_factory.mktemp("teacher") / "teacher.run"
    train(from_arrays("many", x[:3600], y[:3600], x[3600:], y[3600:]), run, config, pictures=False)
    few = y.copy()
    few[:400] ^= random.random(400) < 0.25  # a quarter of the labels is wrong
    return from_arrays("few", x[:400], few[:400], x[2000:], y[2000:]), run


def test_it_corrects_labels_that_are_wrong(taught: tuple[Dataset, Path], tmp_path: Path) -> None:
    from edge_experts.training import config_for, train

    data, teacher = taught
    config = config_for("table", experts=2, epochs=10, choice_epochs=10, learning_rate=0.01,
                        mixture_learning_rate=0.01, distillation=0.9)  # fmt: skip
    alone = train(data, tmp_path / "alone.run", config, pictures=False)
    with_teacher = train(data, tmp_path / "t.run", config, teacher=teacher, pictures=False)
    gained = with_teacher.metrics["test_accuracy"] - alone.metrics["test_accuracy"]
    assert gained > 0.02


def test_one_that_knows_other_labels_is_refused(
    taught: tuple[Dataset, Path], tmp_path: Path
) -> None:
    from edge_experts.training import train

    x, y = np.random.default_rng(0).standard_normal((90, 8)), np.arange(90) % 3
    with pytest.raises(UsageError, match="its labels \\(0, 1"):
        train(from_arrays("three", x, y, x, y), tmp_path / "run", teacher=taught[1])


def test_one_of_other_inputs_is_refused(taught: tuple[Dataset, Path], tmp_path: Path) -> None:
    from edge_experts.training import train

    x, y = np.random.default_rng(0).standard_normal((90, 5)), np.arange(90) % 2
    with pytest.raises(UsageError, match="does not take the inputs of narrow"):
        train(from_arrays("narrow", x, y, x, y), tmp_path / "run", teacher=taught[1])
    assert not list(tmp_path.iterdir())


def test_what_is_no_run_folder_is_refused(taught: tuple[Dataset, Path], tmp_path: Path) -> None:
    from edge_experts.training import train

    with pytest.raises(RunFolderError, match="not a run folder"):
        train(taught[0], tmp_path / "run", teacher=tmp_path)


def test_a_dense_network_of_one_expert_with_its_trunk(keras: Any, tmp_path: Path) -> None:
    """All of the sparse model but the choice: as many multiply-adds, but for the gate's."""
    from edge_experts.training import config_for, networks
    from edge_experts.training.cost import active
    from edge_experts.training.model_builder import build

    shapes = networks.Shapes("table", {"x": ((12,), "float32")}, 4, {})
    sparse = build(shapes, config_for("table", experts=4), {})
    one = build(shapes, config_for("table", experts=4, dense="one"), {})
    assert sparse.router is not None
    gate = sparse.router.output["gate"].shape[-1] * sparse.router.output["trunk"].shape[-1]
    assert active(one)["active"] == active(sparse)["active"] - gate
