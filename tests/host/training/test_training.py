"""The parts of training, each against what it is said to compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_experts.errors import UsageError

from ..conftest import TARGETS

Arrays = dict[str, np.ndarray]


@pytest.fixture
def select(arrays: Arrays) -> Any:
    """A selection of a model's experts, run for some epochs; what was chosen."""
    from edge_experts.training import TrainConfig
    from edge_experts.training.learner import Learner, Objective
    from edge_experts.training.objectives.losses import AnswerLoss
    from edge_experts.training.routers.selection import ExpertSelection

    def run(model: Any, epochs: int = 1, **settings: Any) -> list[int]:
        learner = Learner(model, Objective(AnswerLoss()))
        selection = ExpertSelection(TrainConfig(**settings), model, arrays, TARGETS)
        selection.set_model(learner)
        for epoch in range(epochs):
            selection.on_epoch_end(epoch)
        learner.finish(model)
        return selection.chosen

    return run


def test_greedy_selection_copies_the_best_expert_to_all(
    select: Any, make_model: Any, arrays: Arrays
) -> None:
    from edge_experts.training.routers.selection import expert_losses

    model = make_model()
    best = int(np.argmin(expert_losses(model, arrays, TARGETS)))
    weights = model.experts[best].get_weights()
    chosen = select(model, epochs=3, select="greedy", select_epochs=1, perturb=0.0)
    assert chosen == [best], "no selection after the selection epochs"
    for expert in model.experts:
        assert all(map(np.array_equal, expert.get_weights(), weights))


def test_a_copy_into_the_weakest_leaves_the_others_alone(
    select: Any, make_model: Any, arrays: Arrays
) -> None:
    from edge_experts.training.routers.selection import expert_losses

    model = make_model()
    before = [expert.get_weights() for expert in model.experts]
    losses = expert_losses(model, arrays, TARGETS)
    best, weakest = int(np.argmin(losses)), int(np.argmax(losses))
    select(model, select="greedy", select_into="weakest", perturb=0.0)
    for index, expert in enumerate(model.experts):
        source = before[best if index == weakest else index]
        assert all(map(np.array_equal, expert.get_weights(), source))


def test_only_experts_that_get_no_inputs_are_repaired(
    select: Any, make_model: Any, arrays: Arrays
) -> None:
    model = make_model()
    table, bias = model.router.get_weights()
    model.router.set_weights([table, bias - [0, 100, 0]])
    before = [expert.get_weights() for expert in model.experts]
    (chosen,) = select(model, select="random", select_into="unused", perturb=0.0)
    assert set(model.route(arrays).tolist()) == {0, 2}
    for index, expert in enumerate(model.experts):
        source = before[chosen if index == 1 else index]
        assert all(map(np.array_equal, expert.get_weights(), source))


def test_random_selection_goes_by_its_seed(select: Any, make_model: Any) -> None:
    def chosen(seed: int) -> list[int]:
        settings = {"select": "random", "select_epochs": 10, "seed": seed}
        return list(select(make_model(), epochs=10, **settings))

    assert chosen(3) == chosen(3)
    assert len(set(chosen(3))) > 1


def test_perturbed_copies_differ_from_each_other(make_model: Any) -> None:
    from edge_experts.training.routers.selection import copy_parameters

    source, *others = make_model().experts
    copy_parameters(source, others, 0.1, np.random.default_rng(0))
    tables = [network.get_weights()[0] for network in (source, *others)]
    for index, table in enumerate(tables[1:], 1):
        distance = (table - tables[0]).std() / tables[0].std()
        assert distance == pytest.approx(0.1, rel=0.2)
        assert not np.array_equal(table, tables[index - 1])


def test_an_answer_is_judged_by_its_label_and_by_the_teacher() -> None:
    from edge_experts.training.objectives.losses import AnswerLoss

    student, teacher = np.array([[1.0, -1.0]]), np.array([[0.5, 2.0]])

    def log_softmax(logits: np.ndarray) -> np.ndarray:
        result: np.ndarray = logits - np.log(np.exp(logits).sum())
        return result

    hard = -log_softmax(student[0])[0]
    taught = log_softmax(teacher[0] / 2)
    soft = (np.exp(taught) * (taught - log_softmax(student[0] / 2))).sum()
    targets = np.column_stack([[0], teacher]).astype(np.float32)
    answers = AnswerLoss(share=0.7, temperature=2.0)
    found = float(answers.of(student.astype(np.float32), targets)[0])
    assert found == pytest.approx(0.3 * hard + 0.7 * 4 * soft, rel=1e-5)
    assert float(answers.of(student.astype(np.float32), targets[:, :1])[0]) == pytest.approx(hard)


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
    from edge_experts.training.routers.partition import text_kinds

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
    asked = macs(expert) + macs(router)
    assert asked <= macs(ours.dense_active(shapes, asked)) < 1.1 * asked
    together = 8 * expert.count_params()
    assert ours.dense_all(shapes, 8).count_params() == pytest.approx(together, rel=0.1)


def test_a_text_rival_has_more_buckets_and_nothing_else_more(keras: Any) -> None:
    from edge_experts.errors import UnsuitableError
    from edge_experts.training import TrainConfig, networks
    from edge_experts.training.model_builder import build

    inputs = {"ids": ((16,), "int32"), "weights": ((16,), "float32")}
    shapes = networks.Shapes("text", inputs, 12, {"word_bits": 6, "char_bits": 6})
    expert = networks.text_networks.expert(shapes)
    rival = build(shapes, TrainConfig(experts=3, dense="buckets"), {}).experts[0]
    shared = [weight.shape for weight in expert.weights[1:]]
    assert [weight.shape for weight in rival.weights[1:]] == shared
    assert rival.weights[0].shape == (3 * 128, expert.weights[0].shape[1])
    # An id beyond its bucket is a row of its own there, and the same row in an expert.
    ids = np.array([[5] + [0] * 15, [5 + 128] + [0] * 15], np.int32)
    arrays = {"ids": ids, "weights": np.eye(1, 16, dtype=np.float32).repeat(2, axis=0)}
    of_rival, of_expert = rival(arrays).numpy(), expert(arrays).numpy()
    assert of_expert[0] == pytest.approx(of_expert[1])
    assert np.abs(of_rival[0] - of_rival[1]).max() > 1e-4
    with pytest.raises(UnsuitableError, match="buckets"):
        build(
            networks.Shapes("table", {"x": ((4,), "float32")}, 2, {}),
            TrainConfig(dense="buckets"),
            {},
        )
