"""Recordings of sensors as data sets of windows: splits, labels, times, odd files, live rows."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from device_tests import sensor_windows
from edge_experts import datasets
from edge_experts.datasets import Columns, held_out
from edge_experts.datasets.inputs import InputReader
from edge_experts.errors import DataError, UsageError
from edge_experts.features import ArrayFeatures, restore

LENGTH = 8


def _rows(persons: int, each: int = 60, *, header: str = "person,t,ax,ay,label") -> list[str]:
    lines = [header]
    for person in range(persons):
        for place in range(each):
            label = "rest" if place < each // 2 else "walk"
            lines.append(f"p{person},{place / 50:.2f},{person}.5,{place},{label}")
    return lines


def _file(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _load(path: Path, **options: object) -> datasets.Dataset:
    given = {"columns": Columns(group="person", time="t"), "window": LENGTH, **options}
    return datasets.load(str(path), **given)  # type: ignore[arg-type]


def _features(dataset: datasets.Dataset) -> ArrayFeatures:
    made = ArrayFeatures.fit(
        np.asarray(dataset.train.inputs), channels=True, kind="window", stream=dataset.stream
    )
    again = restore("array", made.settings, made.arrays)
    assert isinstance(again, ArrayFeatures)
    assert again.stream == dataset.stream
    return again


def test_no_recording_is_in_two_splits_and_labels_are_not_mixed(tmp_path: Path) -> None:
    found = _load(_file(tmp_path / "m.csv", _rows(10)))
    assert found.kind == "window"
    assert found.labels == ("rest", "walk")
    parts = [found.train, found.validation, found.test]
    groups = [set(part.groups.tolist()) for part in parts if part.groups is not None]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 10
    # 60 rows have 14 windows of 8 by 4; the two across the label's change are left out.
    assert sum(map(len, parts)) == 10 * 12
    for part in parts:
        for window, target in zip(part.inputs, part.targets, strict=True):
            assert (window[:, 1] >= 30).all() == bool(target)
            assert (np.diff(window[:, 1]) == 1).all()
    assert any("20 with several labels" in note for note in found.notes)
    assert found.stream is not None
    assert found.stream.channels == ("ax", "ay")
    assert found.stream.interval == pytest.approx(0.02)


def test_one_recording_is_cut_into_pieces_that_no_window_crosses(tmp_path: Path) -> None:
    lines = ["a,label"] + [
        f"{place},{'on' if place % 200 < 100 else 'off'}" for place in range(2000)
    ]
    found = datasets.load(str(_file(tmp_path / "one.csv", lines)), window=LENGTH)
    seen: dict[int, str] = {}
    for name in ("train", "validation", "test"):
        for window in getattr(found, name).inputs:
            for value in window[:, 0].astype(int):
                assert seen.setdefault(int(value), name) == name
    assert any("--group-column" in note for note in found.notes)
    with pytest.raises(DataError, match="at least 48 are needed"):
        datasets.load(str(_file(tmp_path / "short.csv", lines[:40])), window=LENGTH)


def test_files_of_a_folder_are_recordings(tmp_path: Path) -> None:
    for person in range(6):
        lines = ["a,label"] + [f"{place},{'on' if place < 40 else 'off'}" for place in range(80)]
        _file(tmp_path / f"p{person}.csv", lines)
    found = datasets.load(str(tmp_path), window=LENGTH, stride=LENGTH)
    groups = {name for part in (found.train, found.validation, found.test) for name in part.groups}  # type: ignore[union-attr]
    assert len(groups) == 6
    assert len(found.train) + len(found.validation) + len(found.test) == 6 * 10


def _groups(found: datasets.Dataset) -> list[set[str]]:
    """Recordings of each split."""
    parts = (found.train, found.validation, found.test)
    return [set(part.groups.tolist()) for part in parts if part.groups is not None]


def _folder(path: Path, *, by_label: bool = False) -> Path:
    """Ten folders of four files of equal names, of a person or of a label each."""
    for folder in range(10):
        for file in range(4):
            (path / f"f{folder}").mkdir(parents=True, exist_ok=True)
            rows = [
                f"{folder}.5,{place},{folder % 2 if by_label else place // 30}"
                for place in range(60)
            ]
            _file(path / f"f{folder}" / f"{file}.csv", ["ax,ay,label", *rows])
    return path


def test_files_of_equal_names_in_subfolders_are_different_recordings(tmp_path: Path) -> None:
    found = datasets.load(str(_folder(tmp_path / "persons")), window=LENGTH)
    groups = _groups(found)
    assert len(set.union(*groups)) == sum(map(len, groups)) == 40
    assert "f0/0.csv" in set.union(*groups)
    (told,) = (note for note in found.notes if "each file is a recording" in note)
    assert "folders" in told
    assert "(f0, f1, f2 and " in told
    assert "name that by --group-column" in told


def test_folders_of_labels_are_no_persons(tmp_path: Path) -> None:
    found = datasets.load(str(_folder(tmp_path / "labels", by_label=True)), window=LENGTH)
    assert not any("Warning" in note for note in found.notes)


def test_a_person_in_several_files_is_in_one_split(tmp_path: Path) -> None:
    lines = _rows(10)
    for number in range(3):
        _file(tmp_path / f"{number}.csv", lines)
    found = _load(tmp_path)
    groups = _groups(found)
    assert len(set.union(*groups)) == sum(map(len, groups)) == 10


def test_values_to_predict_are_those_of_the_last_row(tmp_path: Path) -> None:
    lines = ["a,target"] + [f"{place},{2 * place}" for place in range(600)]
    found = datasets.load(str(_file(tmp_path / "v.csv", lines)), window=LENGTH)
    assert found.task_type == "regression"
    for window, target in zip(found.test.inputs, found.test.targets, strict=True):
        assert target[0] == 2 * window[-1, 0]


def test_gaps_and_missing_values(tmp_path: Path) -> None:
    lines = _rows(6)
    del lines[20:30]  # a fifth of a second of the first person
    lines[40] = lines[40].replace(".5,", ",", 1).replace(",0,", ",,")
    cells = lines[50].split(",")
    lines[50] = ",".join([*cells[:3], "", cells[4]])
    found = _load(_file(tmp_path / "m.csv", lines))
    every = np.concatenate(
        [np.asarray(part.inputs) for part in (found.train, found.validation, found.test)]
    )
    assert np.isnan(every).any()
    assert any("1 gaps end a window" in note for note in found.notes)
    steps = np.diff(every[:, :, 1], axis=1)
    assert (steps[np.isfinite(steps)] == 1).all()


def _change(line: int, old: str, new: str) -> Callable[[list[str]], list[str]]:
    """Replace a text once in a line of the file, from 1."""

    def changed(lines: list[str]) -> list[str]:
        assert old in lines[line - 1]
        lines[line - 1] = lines[line - 1].replace(old, new, 1)
        return lines

    return changed


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda lines: lines[:1], "no rows"),
        (lambda lines: lines[:61], r"has 1 recording\(s\)"),
        (lambda lines: [line.rpartition(",")[0] for line in lines], "no column 'label'"),
        (lambda lines: [line.rpartition(",")[0] + ",label"[: 6 * (place < 1)] + "," * (place > 0)
                        for place, line in enumerate(lines)], "no window of 8 rows"),
        (_change(6, "0.5", "high"), "line 6: column 'ax': 'high'"),
        (_change(10, ",0.16,", ",0.06,"), "line 10: the time '0.06' is before"),
        (_change(10, "0.16", "noon"), "neither a date nor"),
        (_change(10, "p0", "p0,1"), "6 cells"),
        (_change(10, ",8,", ",1e39,"), "too large"),
        (_change(4, "p0", ""), "'person' is empty"),
    ],
)  # fmt: skip
def test_odd_files_are_refused_by_line_and_column(
    tmp_path: Path, change: Callable[[list[str]], list[str]], wrong: str
) -> None:
    path = _file(tmp_path / "m.csv", change(_rows(5)))
    with pytest.raises((DataError, UsageError), match=wrong):
        _load(path)


def test_unsteady_rows_are_told_or_refused(tmp_path: Path) -> None:
    drawn = random.Random(0)
    for share, refused in ((0.1, False), (1.0, True)):
        lines, now = ["person,t,ax,ay,label"], 0.0
        for row in _rows(5)[1:]:
            cells = row.split(",")
            now += 0.02 * (drawn.uniform(0.1, 2.9) if drawn.random() < share else 1)
            lines.append(",".join([cells[0], f"{now:.5f}", *cells[2:]]))
        path = _file(tmp_path / "m.csv", lines)
        if refused:
            with pytest.raises(DataError, match="resample"):
                _load(path)
        else:
            assert any("are interpolated" in note for note in _load(path).notes)


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = _file(tmp_path / "m.csv", _rows(5))
    for options, wrong in (
        ({"window": 1}, "at least 2"),
        ({"window": None, "stride": 4}, "give --window too"),
        ({"window": 1000}, "Lower --window"),
    ):
        with pytest.raises((DataError, UsageError), match=wrong):
            _load(path, **options)
    for source, wrong in (
        ("sentiment", "not for sentiment"),
        ("none.csv", "no such file"),
        ("x.npz", "none"),
    ):
        with pytest.raises((DataError, UsageError), match=wrong):
            datasets.load(source, window=LENGTH)
    with pytest.raises(UsageError, match="give one of them only"):
        datasets.load(str(path), columns=Columns(group="person", time="t"))


def test_a_bundle_is_evaluated_on_windows_it_was_not_trained_on(tmp_path: Path) -> None:
    path = _file(tmp_path / "m.csv", _rows(10))
    trained = _load(path)
    features = _features(trained)
    columns = Columns.from_json(trained.columns.to_json())
    again = held_out.read(str(path), 0, "classification", columns, features)
    assert len(again.dataset.test) == len(trained.test)
    assert (np.asarray(again.dataset.test.inputs) == np.asarray(trained.test.inputs)).all()
    other = _file(tmp_path / "other.csv", ["ay,ax,label", *(f"{p},1,rest" for p in range(20))])
    few = held_out.read(str(other), 0, "classification", columns, features)
    assert len(held_out.whole(few.dataset)) == 4
    assert (np.asarray(held_out.whole(few.dataset).inputs)[:, :, 0] == 1).all()


def _live(features: ArrayFeatures, text: str) -> list[object]:
    reader = InputReader(features)
    return list(reader.sensor_rows(io.BytesIO(text.encode()), "stdin"))


def test_live_rows_give_the_windows_of_training(tmp_path: Path) -> None:
    path = _file(tmp_path / "m.csv", _rows(6))
    trained = _load(path)
    features = _features(trained)
    every = {
        window.tobytes()
        for part in (trained.train, trained.validation, trained.test)
        for window in part.inputs
    }
    lines = _rows(6)
    for text in (
        "\n".join(lines),  # all columns, by names
        "\n".join(",".join(line.split(",")[1:4]) for line in lines[1:61]),  # time and channels
        "\n".join(",".join(line.split(",")[2:4]) for line in lines[1:61]),  # channels alone
        "\n".join("\t".join(line.split(",")[1:4]) for line in lines[1:61]),
    ):
        found = _live(features, text)
        assert len(found) in (6 * 14, 14)
        assert all(one.problem is None for one in found)  # type: ignore[attr-defined]
        known = [one.example.tobytes() in every for one in found]  # type: ignore[attr-defined]
        assert sum(known) in (6 * 12, 12)


def test_a_broken_row_ends_its_window_and_is_told(tmp_path: Path) -> None:
    features = _features(_load(_file(tmp_path / "m.csv", _rows(6))))
    rows = [f"{place / 50:.2f},1,{place}" for place in range(30)]
    rows[10] = "0.20,1,what"
    rows[20] = "0.10,1,20"  # the clock was set back
    rows[25] = "0.2"
    found = _live(features, "\n".join(rows))
    problems = [str(one.problem) for one in found if one.problem is not None]  # type: ignore[attr-defined]
    assert len(problems) == 3
    assert "'what' is not a number" in problems[0]
    assert "is before" in problems[1]
    assert "1 cells instead of 3" in problems[2]
    with pytest.raises(UsageError, match="rows need the columns t, ax, ay"):
        _live(features, "1,2,3,4,5,6\n")


def _with_session(lines: list[str], splits: bool) -> list[str]:
    """Add columns of the session, a third of a person's rows each, and of splits in turn."""
    made = [lines[0] + ",session" + ",split" * splits]
    for place, line in enumerate(lines[1:]):
        split = ("train", "validation", "test", "train")[place // 20 % 4]
        made.append(f"{line},{place // 20}" + f",{split}" * splits)
    return made


@pytest.mark.parametrize(
    ("columns", "splits", "warned"),
    [
        (Columns(group="person", time="t", drop=("session",)), False, ""),
        (Columns(group="session", drop=("person",)), False, "--group-column person"),
        (Columns(drop=("person", "session")), False, "--group-column person"),
        (Columns(group="person", time="t", drop=("session",)), True, "remove the column 'split'"),
        (Columns(drop=("person", "session", "t")), True, "--group-column person"),
    ],
)
def test_persons_in_several_splits_are_told(
    tmp_path: Path, columns: Columns, splits: bool, warned: str
) -> None:
    path = _file(tmp_path / "m.csv", _with_session(_rows(10), splits))
    told = [note for note in _load(path, columns=columns).notes if "Warning" in note]
    assert bool(told) is bool(warned)
    assert warned in " ".join(told)
    assert not warned or "of 10 values of column 'person'" in " ".join(told)


def test_a_thousand_windows_have_the_stored_digest() -> None:
    assert sensor_windows.digest() == sensor_windows.DIGEST
