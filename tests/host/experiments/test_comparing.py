"""The comparison: intervals, the verdict, the picture, and going on where it was ended."""

from __future__ import annotations

import importlib.util
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.datasets import Dataset, Split, from_arrays
from edge_experts.errors import MissingExtraError, UsageError

NAMES = ("sparse", "random-routed", "hash-routed", "dense-active", "dense-all")


def _share(accuracy: float) -> dict[str, float]:
    return {"accuracy": accuracy}


@pytest.fixture
def compared(keras: Any) -> Any:
    """A comparison of rows by their accuracies, one for each seed."""
    from edge_experts.experiments.comparison import Comparison, ComparisonRow, SeedResult

    def make(**accuracies: tuple[float, ...]) -> Any:
        seeds = len(next(iter(accuracies.values())))
        rows = tuple(
            ComparisonRow(
                name.replace("_", "-"),
                tuple(
                    SeedResult(_share(one), _share(one), 10_000, 500, 4000, 3000, 2000, "int8")
                    for one in values
                ),
            )
            for name, values in accuracies.items()
        )
        return Comparison("data", 60_000, False, "int8", tuple(range(seeds)), rows, {})

    return make


def test_the_gap_is_a_share_of_what_lies_between_the_dense_networks(compared: Any) -> None:
    from edge_experts.experiments import comparison

    found = compared(sparse=(0.87, 0.89), dense_active=(0.85, 0.85), dense_all=(0.90, 0.90))
    sparse = found.row("sparse")
    assert found.gap_closed(sparse) == pytest.approx(0.6)
    # Gains of 0.4 and 0.8 of the gap: 0.6 +- 12.71 * 0.2828 / sqrt(2).
    assert found.gap_interval(sparse) == pytest.approx((0.6 - 2.542, 0.6 + 2.542), abs=1e-3)
    assert found.gap_closed(found.row("dense-active")) == 0
    assert found.gap_closed(found.row("dense-all")) == pytest.approx(1)
    none = compared(sparse=(0.87, 0.89), dense_active=(0.85, 0.85), dense_all=(0.855, 0.855))
    assert none.gap_closed(none.row("sparse")) is None
    assert none.to_json()["gap_closed"] is None
    assert any(
        "no gap" in sentence for sentence in comparison.as_json(none)["verdict"]["sentences"]
    )


def test_the_gap_goes_to_the_better_of_the_dense_networks_with_all_parameters(
    compared: Any,
) -> None:
    from edge_experts.experiments import comparison

    dense = {"dense_active": (0.85, 0.85), "dense_all": (0.87, 0.90)}
    wide = compared(sparse=(0.87, 0.87), **dense, dense_buckets=(0.89, 0.87))
    assert wide.everything.name == "dense-all"
    fine = compared(sparse=(0.87, 0.87), **dense, dense_buckets=(0.89, 0.89))
    assert fine.gap == pytest.approx(0.04)
    assert fine.gap_closed(fine.row("sparse")) == pytest.approx(0.5)
    worse = compared(sparse=(0.84, 0.84), **dense, dense_buckets=(0.89, 0.89))
    assert any(
        "`--dense buckets`" in sentence
        for sentence in comparison.as_json(worse)["verdict"]["sentences"]
    )


@given(values=st.lists(st.floats(0, 1), min_size=2, max_size=10), shift=st.floats(-1, 1))
def test_an_interval_lies_around_the_mean_and_moves_with_it(
    values: list[float], shift: float
) -> None:
    pytest.importorskip("tensorflow")
    from edge_experts.experiments.comparison.results import of_mean

    interval = of_mean(values)
    assert interval is not None
    low, high = interval
    mean = statistics.mean(values)
    assert low <= mean + 1e-12
    assert high >= mean - 1e-12
    assert mean - low == pytest.approx(high - mean, abs=1e-9)
    moved = of_mean([value + shift for value in values])
    assert moved == pytest.approx((low + shift, high + shift), abs=1e-6)
    # The same spread on more values is surer.
    more = of_mean(values * 2)
    assert more is not None
    assert more[1] - more[0] <= high - low + 1e-12


def test_one_value_has_no_interval(compared: Any) -> None:
    found = compared(sparse=(0.9,), dense_active=(0.8,), dense_all=(0.9,))
    assert found.row("sparse").interval is None
    assert found.to_json()["rows"][0]["accuracy_interval"] is None
    assert found.to_json()["gap_closed_interval"] is None


def test_the_verdict_says_what_pays(compared: Any) -> None:
    from edge_experts.experiments.comparison.verdict import judge

    dense = {"dense_active": (0.80, 0.80, 0.80), "dense_all": (0.84, 0.84, 0.84)}
    clear = judge(compared(sparse=(0.82, 0.822, 0.824), **dense))
    assert clear.pays
    assert clear.sentences[0].startswith("Sparse experts pay here: +2.2 points")
    assert any("close 0.55 of the gap" in sentence for sentence in clear.sentences)

    little = judge(compared(sparse=(0.801, 0.8011, 0.8012), **dense))
    assert not little.pays
    assert "gain a little" in little.sentences[0]

    chance = judge(compared(sparse=(0.79, 0.80, 0.83), **dense))
    assert chance.pays is False
    assert "do not pay here" in chance.sentences[0]
    assert "not significant" in chance.sentences[0]
    assert "--dense active" in chance.sentences[1]
    assert "--seeds 5" in chance.sentences[2]

    worse = judge(compared(sparse=(0.78, 0.78, 0.78), **dense))
    assert worse.pays is False
    assert "significant" not in worse.sentences[0]

    one = judge(compared(sparse=(0.805,), dense_active=(0.80,), dense_all=(0.84,)))
    assert one.pays is False, "half a point of 10,000 examples may be chance"
    assert "one seed, 10,000 examples" in one.sentences[0]
    assert "--seeds 3" in one.sentences[2]
    assert judge(compared(**dense)).pays is None


def test_the_verdict_says_whether_it_is_routing_that_helps(compared: Any) -> None:
    from edge_experts.experiments.comparison import as_text

    text = as_text(
        compared(
            sparse=(0.82, 0.82, 0.821),
            random_routed=(0.82, 0.83, 0.82),
            hash_routed=(0.80, 0.83, 0.82),
            dense_active=(0.80, 0.80, 0.80),
            dense_all=(0.84, 0.84, 0.84),
        )
    )
    assert "routed at random are as good" in text
    assert "not significantly better than routing by hashing" in text


def test_rows_that_do_not_hold_are_said_with_the_reason(compared: Any) -> None:
    from edge_experts.experiments.comparison import as_text

    found = compared(sparse=(0.9,), dense_active=(0.8,), dense_all=(0.9,))
    found = replace(found, unavailable={"dense-qat": "none of its layers"})
    assert "dense-qat: not available, none of its layers" in as_text(found)
    assert found.to_json()["unavailable"] == [{"name": "dense-qat", "reason": "none of its layers"}]


def test_the_two_dense_networks_and_what_rows_are_made_of_come_along(keras: Any) -> None:
    from edge_experts.experiments.comparison import NAMES
    from edge_experts.experiments.comparison.contenders import chosen

    names = [contender.name for contender in chosen(["sparse-top-2"])]
    assert names == ["sparse", "sparse-top-2", "dense-active", "dense-all"]
    of_texts = [contender.name for contender in chosen(["sparse"], buckets=True)]
    assert of_texts == ["sparse", "dense-active", "dense-all", "dense-buckets"]
    assert tuple(contender.name for contender in chosen(None, buckets=True)) == NAMES
    assert "dense-buckets" not in [contender.name for contender in chosen(None)]
    with pytest.raises(UsageError, match="got dense-tiny"):
        chosen(["sparse", "dense-tiny"])


def test_rows_that_have_no_backbone_are_not_those_that_comparisons_need(keras: Any) -> None:
    from edge_experts.experiments.comparison import contenders

    names = tuple(name for name in contenders.NAMES if name not in contenders.WITHOUT_BACKBONE)
    assert len(names) == len(contenders.NAMES) - len(contenders.WITHOUT_BACKBONE)
    assert set(contenders.MUST_HOLD) <= set(names)
    made = [one.name for one in contenders.chosen(None, names=names)]
    assert not set(made) & set(contenders.WITHOUT_BACKBONE)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_names_every_row(compared: Any, tmp_path: Path, suffix: str) -> None:
    from edge_experts.experiments.comparison import comparison_picture

    found = compared(
        **{name.replace("-", "_"): (0.8 + place / 100, 0.8) for place, name in enumerate(NAMES)}
    )
    path = tmp_path / f"p.{suffix}"
    comparison_picture.draw(found, path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    if suffix == "svg":
        for name in NAMES:
            assert f"<!-- {name} -->".encode() in content


def test_names_beside_a_panel_keep_apart(keras: Any) -> None:
    from edge_experts.experiments.comparison.comparison_picture import _apart

    assert _apart([10.0, 11.0, 50.0], 13, 0, 100) == [10.0, 23.0, 50.0]
    crowded = _apart([90.0, 95.0, 99.0], 13, 0, 100)
    assert crowded == [74.0, 87.0, 100.0]


def test_a_picture_that_cannot_be_drawn_is_refused_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts import plotting

    with pytest.raises(UsageError, match=r"must end with \.png or \.svg"):
        plotting.require(tmp_path / "p.jpg")
    with pytest.raises(UsageError, match="does not exist"):
        plotting.require(tmp_path / "none" / "p.png")
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(
        MissingExtraError,
        match=r"matplotlib .*edge-experts\[train\]\): pip install",
    ):
        plotting.require()


def _dataset() -> Dataset:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 6))
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    return from_arrays("products", x[:300], y[:300], x[300:], y[300:])


def test_a_record_is_made_with_what_it_says(keras: Any, tmp_path: Path) -> None:
    from edge_experts.experiments.comparison import SeedResult
    from edge_experts.experiments.comparison.records import Record, read

    path = tmp_path / "sparse.json"
    made_with = {"config": {"experts": 4, "width": 1.0}, "data": {"sha256": "ab"}}
    assert read(path, made_with) is None
    measured = SeedResult(_share(0.9), _share(0.91), 100, 500, 4000, 3000, 2000, "int8")
    Record(made_with, measured).write(path)
    found = read(path, made_with)
    assert found is not None
    assert found.measured == measured
    other = {**made_with, "config": {"experts": 8, "width": 1.0}}
    with pytest.raises(UsageError, match=r"sparse\.json: .*config\.experts 4, not 8; .*--force"):
        read(path, other)
    path.write_text("{")
    with pytest.raises(UsageError, match="not what compare writes"):
        read(path, made_with)

    data = _dataset()
    assert data.fingerprint() == _dataset().fingerprint()
    changed = Split(data.test.inputs, 1 - data.test.targets)
    assert replace(data, test=changed).fingerprint() != data.fingerprint()


def test_all_rows_from_a_small_table(
    keras: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.experiments import comparison
    from edge_experts.training import config_for

    settings = {"epochs": 1, "choice_epochs": 1, "dense_epochs": 2, "teacher_epochs": 1}
    config = config_for("table", experts=3, **settings)
    found = comparison.compare(_dataset(), tmp_path, config=config)
    of_tables = [name for name in comparison.NAMES if name != "dense-buckets"]
    assert [row.name for row in found.rows] == of_tables
    assert not found.unavailable
    costs = {row.name: row.costs for row in found.rows}
    assert costs["sparse-top-2"].resident_bytes > costs["sparse"].resident_bytes
    assert costs["sparse-top-2"].macs > costs["sparse"].macs
    assert costs["sparse-top-2"].total_bytes == pytest.approx(costs["sparse"].total_bytes, rel=0.1)
    assert costs["dense-float"].quantization == "float32"
    assert costs["dense-pruned"].macs == costs["dense-all"].macs
    assert costs["article"].resident_bytes > costs["sparse"].resident_bytes
    pruned = json.loads((tmp_path / "seed-0/dense-pruned.run/run.json").read_text())
    active = json.loads((tmp_path / "seed-0/dense-active.run/run.json").read_text())
    assert pruned["metrics"]["nonzero"] == pytest.approx(active["metrics"]["parameters"], rel=0.1)

    # Again: what is finished stays; what has no record is made anew.
    capsys.readouterr()
    (tmp_path / "seed-0/sparse-top-2.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("seed-0/*.json")}
    again = comparison.compare(_dataset(), tmp_path, config=config)
    assert "11 of 12 rows are finished" in capsys.readouterr().err
    assert again.to_json() == found.to_json()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    other = replace(_dataset(), test=_dataset().validation)
    with pytest.raises(UsageError, match=r"sparse\.json: was made with data\.sha256"):
        comparison.compare(other, tmp_path, config=config, rows=["sparse"])
    comparison.write(found, tmp_path, command="edge-experts compare ...")
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert written["rows"][0]["name"] == "sparse"
    assert written["command"] == "edge-experts compare ..."
    assert (tmp_path / "comparison.png").stat().st_size > 1000

    # Without ONNX Runtime its row is left out, and the others stay.
    (tmp_path / "seed-0/dense-onnx.json").unlink()
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else real(name)
    )
    found = comparison.compare(_dataset(), tmp_path, config=config)
    assert set(found.unavailable) == {"dense-onnx"}
    assert found.unavailable["dense-onnx"].startswith("onnxruntime is not installed (edge-experts[")


def test_a_quick_look_leaves_the_test_split_alone(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.experiments import comparison
    from edge_experts.experiments.comparison import SeedResult, making
    from edge_experts.training import config_for

    seen = []

    def make(maker: Any, contender: Any) -> Any:
        seen.append(maker.dataset)
        if contender.name == "hash-routed":
            from edge_experts.errors import UnsuitableError

            raise UnsuitableError("it does not hold")
        return SeedResult(_share(0.9), _share(0.91), 100, 500, 4000, 3000, 2000, "int8")

    monkeypatch.setattr(making.Maker, "make", make)
    config = config_for("table", teacher_epochs=0)
    found = comparison.compare(_dataset(), tmp_path, config=config, quick=True, seeds=(0, 1))
    assert len(seen) == 2 * (len(comparison.NAMES) - 1), "more buckets are for texts"
    np.testing.assert_array_equal(
        np.sort(seen[0].test.inputs, axis=0), np.sort(_dataset().validation.inputs, axis=0)
    )
    assert "validation examples" in comparison.as_text(found)
    assert found.unavailable == {"hash-routed": "it does not hold"}
    assert found.row("hash-routed") is None
