"""Routers that are not learned with the experts: kinds found before, and hashing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, from_arrays
from edge_experts.errors import UsageError

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def blobs() -> Dataset:
    """Four groups of points; on which side of its middle a point lies is its label."""
    random = np.random.default_rng(0)
    group = random.integers(0, 4, 1600)
    middles = 6 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])[group]
    inside = random.standard_normal((1600, 2))
    turned = np.where(group % 2, inside[:, 0], inside[:, 1])
    x = middles + inside
    y = 2 * (group // 2) + (turned > 0)
    return from_arrays("blobs", x[:1200], y[:1200], x[1200:], y[1200:])


def test_nearest_means_find_groups() -> None:
    from edge_experts.training.routers.partition import nearest_means

    random = np.random.default_rng(0)
    group = random.integers(0, 3, 300)
    points = 9 * np.eye(3)[group] + random.standard_normal((300, 3))
    kinds, again = nearest_means(points, 3, 0, points[:50])
    assert np.array_equal(kinds[:50], again)
    pairs = {(a, b) for a, b in zip(group.tolist(), kinds.tolist(), strict=True)}
    assert len(pairs) == 3, "each group is of one kind"


def test_nearest_means_of_points_that_are_all_alike() -> None:
    from edge_experts.training.routers.partition import nearest_means

    kinds, _ = nearest_means(np.ones((20, 2)), 4, 0, np.ones((1, 2)))
    assert len(set(kinds.tolist())) == 1


def test_labels_that_a_teacher_confuses_are_of_one_kind() -> None:
    from edge_experts.training.routers.partition import class_clusters

    labels = np.repeat(np.arange(6), 20)
    answers = 5 * np.eye(6)[labels]
    answers[np.arange(120), (labels // 2) * 2 + (labels + 1) % 2] = 4  # 0 with 1, 2 with 3 ...
    kind = class_clusters(labels, answers, 6, 3)
    assert kind[0] == kind[1] != kind[2] == kind[3] != kind[4] == kind[5]
    assert len(set(kind.tolist())) == 3


@pytest.mark.parametrize("kind", ["hash", "random"])
@pytest.mark.parametrize("experts", [3, 8])
def test_a_hashing_router_uses_every_expert(keras: Any, kind: str, experts: int) -> None:
    from edge_experts.training import networks
    from edge_experts.training.routers import hashing

    shapes = networks.Shapes("table", {"x": ((12,), "float32")}, 4, {})
    x = {"x": np.random.default_rng(0).standard_normal((4000, 12)).astype(np.float32)}
    router = hashing.router(kind, networks.BY_KIND["table"], shapes, experts, x, seed=1)
    picked = router.predict(x, batch_size=4000, verbose=0).argmax(axis=1)
    shares = np.bincount(picked, minlength=experts) / 4000
    assert shares.min() > 0.3 / experts
    near = {"x": x["x"] + 0.1 * np.random.default_rng(1).standard_normal((4000, 12)).astype("f")}
    same = np.mean(router.predict(near, batch_size=4000, verbose=0).argmax(axis=1) == picked)
    # Inputs that are alike are hashed alike; at random, a little is enough for another expert.
    assert same > 0.88 if kind == "hash" else same < 0.88


@pytest.mark.parametrize(
    ("router", "trunk"),
    [("kmeans", True), ("clusters", False), ("hash", True), ("random", False), ("learned", True)],
)
def test_every_router_trains_and_converts(
    blobs: Dataset, tmp_path: Path, router: str, trunk: bool
) -> None:
    from edge_experts.converters import convert

    from edge_experts.training import config_for, train

    config = config_for(
        "table", router=router, trunk=trunk, experts=4, epochs=10, choice_epochs=10, tune_epochs=5,
        teacher_epochs=4 if router == "clusters" else 0, mixture_learning_rate=0.01,
        learning_rate=0.01,
    )  # fmt: skip
    run = train(blobs, tmp_path / "run", config, pictures=False)
    if router in ("kmeans", "learned"):
        # Of two seeds: one alone differs by 0.03 from another.
        more = train(blobs, tmp_path / "more", replace(config, seed=1), pictures=False)
        assert np.mean([each.metrics["test_accuracy"] for each in (run, more)]) > 0.85
    if router == "kmeans":
        assert min(run.metrics["expert_usage"]) > 0.15, "the four groups"
    # At random, quantization moves inputs across one of many planes: other experts answer them,
    # and convert would refuse so many other labels.
    drop = 100 if router == "random" else None
    made = convert(tmp_path / "run", tmp_path / "bundle", max_accuracy_drop=drop)
    assert made.manifest.router is not None
    if router != "random":
        assert made.parity.equal_experts > 0.9
        assert made.parity.equal_labels > 0.9


def test_class_clusters_need_a_teacher(blobs: Dataset, tmp_path: Path) -> None:
    from edge_experts.training import config_for, train

    config = config_for("table", router="clusters", experts=4, teacher_epochs=0)
    with pytest.raises(UsageError, match="needs a teacher"):
        train(blobs, tmp_path / "run", config)
