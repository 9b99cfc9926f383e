"""The number of experts: which candidates are trained, which one is taken, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.errors import UnsuitableError

RANDOM = np.random.default_rng(0)
NO_STAGES: Any = SimpleNamespace()
QUICK: dict[str, Any] = {"epochs": 2, "choice_epochs": 2}


def _config(**settings: Any) -> Any:
    from edge_experts.training import TrainConfig

    return TrainConfig(**{"most_experts": 16, **settings})


def _chosen(
    right: dict[int, np.ndarray], later: dict[int, np.ndarray] | None = None, **settings: Any
) -> Any:
    """The choice where candidates with so many experts get these examples right.

    Args:
        later: other validation examples; the same if None.
    """
    from edge_experts.training.choosing import Trained, choose

    def train(config: Any, part: str, again: bool = False) -> Trained:
        experts = 1 if config.dense else config.experts
        model: Any = SimpleNamespace(experts=[None] * experts)
        points = 100.0 * (later or right if again else right)[experts]
        return Trained(config, model, NO_STAGES, points)

    return choose(_config(**settings), 10_000, train)


def _some(share: float, moved: int = 0, examples: int = 1000) -> np.ndarray:
    """Right answers for a share of the examples; so many of them other ones."""
    right = np.random.default_rng(0).permutation(examples) < share * examples
    if moved:
        random = np.random.default_rng(1)
        right[random.choice(np.flatnonzero(right), moved, replace=False)] = False
        right[random.choice(np.flatnonzero(~right), moved, replace=False)] = True
    return right


def test_candidates_are_one_network_the_recipes_experts_and_many() -> None:
    from edge_experts.training.choosing import plans

    found = plans(_config(), 10_000)
    assert [(plan.dense, plan.experts) for plan in found] == [("active", 4), (None, 4), (None, 16)]
    assert all(plan.most_experts == 0 for plan in found), "each can be trained again as it was"
    few = plans(_config(), 300)
    assert [(plan.dense, plan.experts) for plan in few] == [("active", 4), (None, 4), (None, 6)]
    assert len(plans(_config(), 100)) == 2, "many experts of a few examples each"


@pytest.mark.parametrize(
    "settings", [{"dense": "all"}, {"experts": 1}, {"combine": "sum"}, {"most_experts": 0}]
)
def test_a_given_model_is_trained_alone(settings: dict[str, Any]) -> None:
    from edge_experts.training.choosing import plans

    assert len(plans(_config(**settings), 10_000)) == 1


def test_a_given_number_is_compared_with_one_network_and_kept() -> None:
    choice = _chosen({1: _some(0.9), 4: _some(0.8)}, most_experts=0, measure_gain=True)
    assert choice.chosen.experts == 4
    assert choice.gains[4].points == pytest.approx(-10)
    assert choice.gains[4].high < 0
    assert "--dense active" in choice.as_text("accuracy")
    better = _chosen({1: _some(0.8), 4: _some(0.9)}, most_experts=0, measure_gain=True)
    assert "--dense active" not in better.as_text("accuracy")


@pytest.mark.parametrize(
    ("few", "many", "taken"),
    [(0.81, 0.80, 1), (0.9, 0.9, 4), (0.9, 0.97, 16), (0.81, 0.95, 16), (0.81, 0.6, 1)],
)
def test_the_simplest_that_no_richer_one_is_better_than(
    few: float, many: float, taken: int
) -> None:
    others = {4: _some(few, 30), 16: _some(many, 30)}
    choice = _chosen({1: _some(0.8), **others})
    assert choice.chosen.experts == taken
    metrics = json.loads(json.dumps(choice.to_json()))
    assert [one["experts"] for one in metrics["candidates"]] == [1, 4, 16]
    assert ("gain_over_one" in metrics) == (taken > 1)
    assert ("one network was chosen" in choice.as_text("accuracy")) == (taken == 1)


def test_a_small_lead_is_tried_on_other_examples() -> None:
    one, four = _some(0.8), _some(0.82, 30)
    assert 1 < _chosen({1: one, 4: four}, most_experts=4).gains[4].errors < 3
    kept = _chosen({1: one, 4: four}, most_experts=4)
    assert kept.chosen.experts == 4
    assert kept.to_json()["gain_over_one"] == kept.confirmed.to_json()
    lost = _chosen({1: one, 4: four}, later={1: one, 4: _some(0.8, 30)}, most_experts=4)
    assert lost.chosen.experts == 1
    assert "not used for the choice: +0.0" in lost.as_text("accuracy")
    clear = _chosen({1: one, 4: _some(0.95)}, most_experts=4)
    assert clear.confirmed is None, "a clear lead is not tried again"


def test_a_second_split_holds_out_others_of_the_same_examples() -> None:
    from edge_experts.training.second_split import EncodedExamples

    data = _linear()
    arrays = {
        name: {"x": np.asarray(getattr(data, name).inputs)}
        for name in ("train", "validation", "test")
    }
    taught = {name: arrays[name]["x"][:, :2] for name in ("train", "validation")}
    again = EncodedExamples(data, arrays, taught).split_again(data.train.targets, seed=1)
    old, new = arrays["validation"]["x"], again.data["validation"]["x"]
    assert abs(len(new) - len(old)) < 10
    assert not {tuple(row) for row in old} & {tuple(row) for row in new}
    rows = np.concatenate([again.data[name]["x"] for name in ("train", "validation")])
    before = np.concatenate([arrays[name]["x"] for name in ("train", "validation")])
    assert sorted(map(tuple, rows)) == sorted(map(tuple, before)), "none is lost"
    for name in ("train", "validation"):
        x = again.data[name]["x"]
        assert np.array_equal(x[:, :2], again.taught[name])
        assert np.array_equal(x[:, 0] > 0, getattr(again.dataset, name).targets == 1)


def test_a_second_split_holds_out_whole_groups() -> None:
    from edge_experts.training.second_split import EncodedExamples

    random = np.random.default_rng(0)
    x = random.normal(size=(400, 4)).astype(np.float32)
    y, persons = np.arange(400) % 2, random.permutation(np.arange(400) // 20).astype(str)
    data = datasets.from_arrays("p", x, y, x[:9], y[:9], groups_train=persons.tolist())
    names = ("train", "validation", "test")
    arrays = {name: {"x": np.asarray(getattr(data, name).inputs)} for name in names}
    again = EncodedExamples(data, arrays, {}).split_again(data.train.targets, seed=1).dataset
    splits: Any = (data.validation, again.validation, again.train)
    first, second, trained = (set(split.groups.tolist()) for split in splits)
    assert not first & second, "other persons than the first time"
    assert not second & trained
    assert first <= trained


def test_many_experts_are_not_tried_where_a_few_gain_nothing() -> None:
    choice = _chosen({1: _some(0.8), 4: _some(0.8)})
    assert choice.chosen.experts == 1
    assert list(choice.scores) == [1, 4]


def test_a_lead_of_one_person_is_chance() -> None:
    """All that 4 experts get right more often are neighbours: examples of one person."""
    one = RANDOM.random(1000) < 0.8
    apart, together = one.copy(), one.copy()
    wrong = np.flatnonzero(~one)
    apart[wrong[:: len(wrong) // 20][:20]] = True
    together[wrong[:20]] = True
    from edge_experts.training.gains import gain

    assert gain(100.0 * apart - 100.0 * one).is_sure
    assert not gain(100.0 * together - 100.0 * one).is_sure


def test_networks_without_a_dense_one_are_not_compared(capsys: pytest.CaptureFixture[str]) -> None:
    from edge_experts.training.choosing import Trained, choose

    def train(config: Any, part: str, again: bool = False) -> Trained:
        if config.dense:
            raise UnsuitableError("the network cannot be widened")
        model: Any = SimpleNamespace(experts=[None] * config.experts)
        return Trained(config, model, NO_STAGES, np.ones(100))

    choice = choose(_config(), 10_000, train)
    assert choice.chosen.experts == 4
    assert choice.to_json() == {}
    assert "cannot be widened" in capsys.readouterr().err


@given(
    st.lists(st.integers(-1, 1), min_size=1, max_size=200),
    st.floats(-50, 50),
    st.integers(1, 4),
)
def test_intervals_hold_the_gain(signs: list[int], shift: float, candidates: int) -> None:
    from edge_experts.training.gains import gain

    differences = 100.0 * np.array(signs) + shift
    found = gain(differences, candidates)
    assert found.low <= found.points <= found.high
    assert found.points == pytest.approx(differences.mean())
    assert gain(differences, candidates + 1).low <= found.low, "wider, with more to choose from"
    assert not (found.is_sure and gain(-differences).is_sure)


def test_few_examples_are_never_sure() -> None:
    from edge_experts.training.gains import gain

    assert not gain(np.array([100.0, 0, 0, 0, 0, 0])).is_sure
    assert not gain(np.zeros(6)).is_sure
    assert gain(np.zeros(48)).high > 3, "48 equal answers do not tell that there is no gain"


def _linear(examples: int = 400) -> datasets.Dataset:
    x = RANDOM.normal(size=(examples, 4)).astype(np.float32)
    return datasets.from_arrays("line", x, (x[:, 0] > 0).astype(int), x, (x[:, 0] > 0).astype(int))


def test_where_experts_gain_nothing_the_default_is_the_dense_network(
    keras: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    import tf_keras

    from edge_experts.training import train
    from edge_experts.training.default_settings import config_of

    data = _linear()
    run = train(data, tmp_path / "a.run", config_of(data, **QUICK), pictures=False)
    assert run.experts == 1
    assert "one network was chosen" in capfd.readouterr().err
    assert [one["experts"] for one in run.metrics["candidates"]][:2] == [1, 4]
    dense = train(
        data, tmp_path / "b.run", config_of(data, dense="active", **QUICK), pictures=False
    )
    assert run.config == dense.config
    ours, theirs = (
        tf_keras.models.load_model(tmp_path / name / "model.keras", compile=False).get_weights()
        for name in ("a.run", "b.run")
    )
    assert all(np.array_equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_the_default_chooses_unless_a_setting_speaks_of_experts() -> None:
    from edge_experts.training.default_settings import config_of

    data = _linear(60)
    assert config_of(data, seed=1).most_experts == 16
    for setting in ({"experts": 4}, {"router": "hash"}, {"top_k": 2}, {"dense": "all"}):
        assert config_of(data, **setting).most_experts == 0
