"""The parts of training, each against what it is said to compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_experts.errors import UsageError
from tests.host.conftest import TARGETS

Arrays = dict[str, np.ndarray]


def test_greedy_selection_copies_the_best_expert_to_all(make_model: Any, arrays: Arrays) -> None:
    from edge_experts.training.selection import ExpertSelection, expert_losses

    model = make_model()
    losses = expert_losses(model, arrays, TARGETS)
    best = int(np.argmin(losses))
    weights = model.experts[best].get_weights()
    selection = ExpertSelection("greedy", arrays, TARGETS, epochs=1, perturb=0.0, seed=0)
    selection.set_model(model)
    selection.on_epoch_end(0)
    assert selection.chosen == [best]
    for expert in model.experts:
        assert all(map(np.array_equal, expert.get_weights(), weights))
    selection.on_epoch_end(1)
    assert selection.chosen == [best], "no selection after the selection epochs"


def test_random_selection_goes_by_its_seed(make_model: Any, arrays: Arrays) -> None:
    from edge_experts.training.selection import ExpertSelection

    def chosen(seed: int) -> list[int]:
        selection = ExpertSelection("random", arrays, TARGETS, epochs=20, perturb=0.1, seed=seed)
        selection.set_model(make_model())
        for epoch in range(20):
            selection.on_epoch_end(epoch)
        return selection.chosen

    assert chosen(3) == chosen(3)
    assert len(set(chosen(3))) > 1


def test_perturbed_copies_differ_from_each_other(make_model: Any) -> None:
    from edge_experts.training.selection import copy_parameters

    source, *others = make_model().experts
    copy_parameters(source, others, 0.1, np.random.default_rng(0))
    tables = [network.get_weights()[0] for network in (source, *others)]
    for index, table in enumerate(tables[1:], 1):
        distance = (table - tables[0]).std() / tables[0].std()
        assert distance == pytest.approx(0.1, rel=0.2)
        assert not np.array_equal(table, tables[index - 1])


def test_distillation_is_the_weighted_sum_of_two_cross_entropies() -> None:
    from edge_experts.training.losses import Distillation

    student, teacher = np.array([[1.0, -1.0]]), np.array([[0.5, 2.0]])
    truth = np.column_stack([[0], teacher]).astype(np.float32)

    def log_softmax(logits: np.ndarray) -> np.ndarray:
        result: np.ndarray = logits - np.log(np.exp(logits).sum())
        return result

    hard = -log_softmax(student[0])[0]
    soft = -(np.exp(log_softmax(teacher[0] / 2)) * log_softmax(student[0] / 2)).sum()
    found = float(Distillation(0.7, 2.0)(truth, student.astype(np.float32)))
    assert found == pytest.approx(0.3 * hard + 0.7 * 4 * soft, rel=1e-5)


def test_multiply_adds_are_counted_as_by_hand(keras: Any, make_model: Any) -> None:
    from edge_experts.training.cost import macs

    layers = keras.layers
    image = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="image"),
            layers.Conv2D(4, 3, padding="same"),
            layers.DepthwiseConv2D(3, padding="same"),
            layers.Flatten(),
            layers.Dense(10),
        ]
    )
    assert macs(image) == 64 * 4 * 27 + 64 * 4 * 9 + 256 * 10
    assert macs(make_model().router) == 16 * 3


def test_kinds_of_text_are_found_without_labels() -> None:
    from edge_experts.features import TextFeatures, encode_all
    from edge_experts.training.partition import text_kinds

    english = [f"the cat number {n} sat on the mat and looked at the dog" for n in range(60)]
    german = [f"der Hund Nummer {n} lag auf der Wiese und sah den Himmel" for n in range(60)]
    features = TextFeatures.fit(english + german, np.arange(120) % 2)
    arrays = encode_all(features, english + german)
    kinds = text_kinds(arrays["ids"], arrays["weights"], 2, seed=0)
    assert len(set(kinds[:60])) == len(set(kinds[60:])) == 1
    assert kinds[0] != kinds[-1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"router": "magic"}, "router must be one of"),
        ({"select": "best"}, "select must be one of"),
        ({"dense": "some"}, "dense must be one of"),
        ({"experts": 0}, "experts must be at least 1"),
        ({"experts": 2, "top_k": 3}, "at most 2"),
        ({"experts": "four"}, "experts must be of type int"),
        ({"top_k": True}, "top_k must be of type int"),
        ({"learning_rate": -1.0}, "learning_rate must be at least 0"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(settings: Any, message: str) -> None:
    from edge_experts.training import TrainConfig

    with pytest.raises(UsageError, match=message):
        TrainConfig(**settings)


@pytest.mark.parametrize(
    ("kind", "shape"),
    [("image", (28, 28)), ("window", (128, 6)), ("table", (12,)), ("text", (16,))],
)
def test_the_narrowest_expert_still_has_a_unit(
    keras: Any, kind: str, shape: tuple[int, ...]
) -> None:
    from edge_experts.training import networks

    inputs = {"ids": (shape, "int32"), "weights": (shape, "float32")}
    shapes = networks.Shapes(
        kind,
        inputs if kind == "text" else {"x": (shape, "float32")},
        2,
        {"word_bits": 6, "char_bits": 6},
    )
    ours = networks.BY_KIND[kind]
    narrow = ours.expert(shapes, 0.001)
    assert narrow.output_shape == (None, 2)
    together = 4 * narrow.count_params()
    assert together * 0.5 < ours.dense_all(shapes, 4, 0.001).count_params() < together * 2


@pytest.mark.parametrize(
    ("kind", "shape"), [("image", (28, 28)), ("window", (128, 6)), ("table", (12,))]
)
def test_dense_rivals_are_as_large_as_they_are_said_to_be(kind: str, shape: Any) -> None:
    from edge_experts.training import networks
    from edge_experts.training.cost import macs

    ours = networks.BY_KIND[kind]
    shapes = networks.Shapes(kind, {"x": (shape, "float32")}, 10, {})
    expert, router = ours.expert(shapes), ours.router(shapes, 8)
    assert macs(ours.dense_active(shapes, 8)) >= macs(expert) + macs(router)
    together = 8 * expert.count_params()
    assert ours.dense_all(shapes, 8).count_params() == pytest.approx(together, rel=0.1)


def test_settings_for_texts_are_refused_for_other_kinds(tmp_path: Any) -> None:
    from edge_experts.datasets import from_arrays
    from edge_experts.training import TrainConfig, train

    x, y = np.ones((60, 5)), np.arange(60) % 3
    with pytest.raises(UsageError, match="router_epochs must be 0"):
        train(from_arrays("t", x, y, x, y), tmp_path / "t.run", TrainConfig())
