"""`python -m benchmarks gains`: its sets, its file of measurements, its intervals, one tiny run."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.gains import measurement_records, package_readers, public_sets
from benchmarks.gains.measurement_records import Measurement, TrainedModel
from benchmarks.gains.public_sets import SETS, PublicSet
from edge_experts import datasets
from edge_experts.errors import UsageError


def _measurement(
    name: str = "one", seed: int = 0, gain: float = 0.0, losses: tuple[float, ...] = (0.0,) * 50
) -> Measurement:
    return Measurement(
        name=name,
        kind="table",
        seed=seed,
        code=measurement_records.code_digest(),
        deployed=False,
        train_rows=100,
        test_rows=len(losses),
        sparse=TrainedModel(0.5 + gain, 4, 100, 1.0),
        dense=TrainedModel(0.5, 1, 100, 1.0),
        losses=losses,
    )


def test_measurements_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "gains.jsonl"
    assert measurement_records.read(path, deployed=False) == []
    written = [_measurement(seed=seed, losses=(0.0, 1.0, -0.25)) for seed in range(3)]
    for one in written:
        measurement_records.append(path, one)
    assert measurement_records.read(path, deployed=False) == written


def test_an_unfinished_last_line_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "gains.jsonl"
    measurement_records.append(path, _measurement(seed=0))
    whole = path.read_bytes()
    measurement_records.append(path, _measurement(seed=1))
    path.write_bytes(path.read_bytes()[:-5])
    assert [one.seed for one in measurement_records.read(path, deployed=False)] == [0]
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"code": "0" * 12}, "measured with other code"),
        ({"deployed": True}, "measured with --deployed"),
    ],
)
def test_other_measurements_are_not_continued(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "gains.jsonl"
    measurement_records.append(path, replace(_measurement(), **change))
    with pytest.raises(UsageError, match=f"{message}.*--out"):
        measurement_records.read(path, deployed=False)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_text('{"seed": 1}\n')
    with pytest.raises(UsageError, match="line 1 is not a line of this program"):
        measurement_records.read(path, deployed=False)
    assert path.read_text() == '{"seed": 1}\n'


def test_equal_models_have_no_gain() -> None:
    from benchmarks.gains import summary

    (gain,) = summary.gains([_measurement(seed=seed) for seed in range(3)])
    assert (gain.gain, gain.over_seeds, gain.over_rows) == (0, (0, 0), (0, 0))
    assert gain.verdict == "equal"


def test_intervals_over_seeds_and_rows() -> None:
    from benchmarks.gains import summary

    rows = np.random.default_rng(1).choice([0.0, 1.0], 1000, p=[0.9, 0.1])
    seeds = [_measurement(seed=seed, gain=rows.mean(), losses=tuple(rows)) for seed in range(3)]
    (gain,) = summary.gains(seeds)
    assert gain.gain == pytest.approx(100 * rows.mean())
    assert gain.over_seeds == pytest.approx((gain.gain, gain.gain))
    half = 196 * rows.std() / np.sqrt(len(rows))  # all seeds have the same rows: no narrower
    assert gain.over_rows == pytest.approx((gain.gain - half, gain.gain + half), abs=0.3)
    assert gain.verdict == "better"


def test_a_single_seed_has_an_interval_over_rows_only() -> None:
    from benchmarks.gains import summary

    (gain,) = summary.gains([_measurement(gain=-1, losses=(-1.0,) * 20)])
    assert gain.over_seeds is None
    assert gain.verdict == "worse"
    assert summary.as_table([gain])[1][8] == "-"


@pytest.mark.parametrize(
    ("over_seeds", "over_rows", "verdict"),
    [
        ((-2.0, -1.0), (-3.0, -0.1), "worse"),
        ((-2.0, 1.0), (-3.0, -0.1), "worse?"),
        ((-2.0, -1.0), (-3.0, 0.1), "worse?"),
        ((-2.0, 1.0), (-3.0, 0.1), "equal"),
        ((0.1, 1.0), (-3.0, 3.0), "better?"),
        ((0.1, 1.0), (0.2, 3.0), "better"),
    ],
)
def test_verdicts(
    over_seeds: tuple[float, float], over_rows: tuple[float, float], verdict: str
) -> None:
    from benchmarks.gains import summary

    (gain,) = summary.gains([_measurement()])
    assert replace(gain, over_seeds=over_seeds, over_rows=over_rows).verdict == verdict


def test_a_study_measures_what_its_file_has_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.gains import study

    measured: list[Any] = []

    def measure(
        name: str, kind: str, file: Path, seed: int, folder: Path, deployed: bool
    ) -> Measurement:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append((name, seed))
        return _measurement(name, seed)

    monkeypatch.setattr(study, "measure", measure)
    monkeypatch.setattr(PublicSet, "file", lambda self: tmp_path / self.name)
    sets = [replace(SETS["letter"], name=name) for name in ("one", "other")]
    out = tmp_path / "gains.jsonl"
    with pytest.raises(KeyboardInterrupt):
        study.study(sets, 2, out, deployed=False)
    first = list(measured)
    measured.clear()
    done = study.study(sets, 2, out, deployed=False)
    assert [*first, *measured] == [("one", 0), ("other", 0), ("one", 1), ("other", 1)]
    assert [one.key for one in done] == [("one", 0), ("one", 1), ("other", 0), ("other", 1)]


def test_there_are_ten_sets_of_every_kind_of_data() -> None:
    assert len(SETS) >= 10
    assert {one.kind for one in SETS.values()} == {"table", "window", "image", "text"}
    assert {"by person", "by speaker", "by writer"} <= {one.split for one in SETS.values()}


def _file(monkeypatch: pytest.MonkeyPatch, folder: Path, one: PublicSet) -> Path:
    monkeypatch.setattr(public_sets, "cache_folder", lambda: folder)
    return one.file()


def test_tables_keep_their_test_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [[str(row), "x", str(row % 3), "ab"[row % 2]] for row in range(50)]
    monkeypatch.setattr(package_readers, "keel_rows", lambda name: rows)
    drawn = replace(SETS["spam"], name="drawn")
    path = _file(monkeypatch, tmp_path, drawn)
    content = path.read_bytes()
    loaded = [datasets.load(str(path), seed) for seed in (0, 1)]
    assert [len(one.test) for one in loaded] == [10, 10]
    assert loaded[0].test.inputs == loaded[1].test.inputs
    assert loaded[0].validation.inputs != loaded[1].validation.inputs
    path.unlink()
    path.parent.rmdir()
    assert _file(monkeypatch, tmp_path, drawn).read_bytes() == content

    vowels = replace(SETS["vowels"], name="skipped", make=public_sets._keel("x", first=40, skip=1))
    with _file(monkeypatch, tmp_path, vowels).open(newline="") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == ["x1", "x2", "label", "split"]
    assert [one["split"] for one in written] == ["train"] * 40 + ["test"] * 10


def test_windows_of_a_person_are_on_one_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    persons = np.arange(1, 11)
    recordings = [np.full((200, 6), person, np.float32) for person in persons]
    monkeypatch.setattr(
        package_readers, "watch_recordings", lambda: (recordings, persons % 2, persons)
    )
    arrays = np.load(_file(monkeypatch, tmp_path, SETS["shoulder-exercises"]))
    assert arrays["x_train"].shape == (14, 128, 6)
    assert set(arrays["x_test"].ravel()) == {8, 9, 10}
    assert not set(arrays["x_train"].ravel()) & {8, 9, 10}


def test_series_have_their_channels_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel = tmp_path / "series.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "aeon/datasets/data/Motions/Motions_TRAIN.ts",
            "#Comment\n@seriesLength 3\n@data\n1,2,3:4,5,6:2\n7,8,9:0,0,1:1\n",
        )
    monkeypatch.setattr("edge_experts.datasets.fetch.wheel", lambda *package: wheel)
    package_readers._wheel.cache_clear()
    x, y = package_readers.aeon_series("Motions", "TRAIN")
    package_readers._wheel.cache_clear()
    assert x.shape == (2, 3, 2)
    assert x[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert y.tolist() == [1, 0]


@pytest.mark.parametrize("deployed", [False, True])
def test_a_tiny_set_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deployed: bool
) -> None:
    from benchmarks.gains import measuring
    from edge_experts.training import default_settings

    config_of: Callable[..., Any] = default_settings.config_of
    monkeypatch.setattr(
        measuring,
        "config_of",
        lambda dataset, **settings: config_of(
            dataset, experts=2, epochs=1, choice_epochs=1, **settings
        ),
    )
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    path = tmp_path / "tiny.npz"
    np.savez(path, x_train=x[:80], y_train=y[:80], x_test=x[80:], y_test=y[80:])
    folder = tmp_path / "runs"
    found = measuring.measure("tiny", "table", path, 1, folder, deployed)
    assert not folder.exists()
    assert (found.train_rows, found.test_rows, len(found.losses)) == (80, 40, 40)
    assert found.deployed == deployed
    assert found.sparse.score - found.dense.score == pytest.approx(np.mean(found.losses), abs=1e-4)
    assert min(found.sparse.macs, found.dense.macs) > 0
