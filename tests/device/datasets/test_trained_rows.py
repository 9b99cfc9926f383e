"""Hashes of trained rows: as a file, in a bundle, and what `evaluate` leaves out by them."""

from __future__ import annotations

import csv
import json
import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.datasets import from_arrays, held_out, load
from edge_experts.datasets.row_hashes import hashes, trained_rows
from edge_experts.errors import BundleError, DataError, DigestError, ManifestError
from edge_experts.features import ArrayFeatures, TableFeatures
from edge_experts.format.checked_files import read_trained_rows
from edge_experts.format.manifest import LIMITS, MANIFEST, FileEntry, canonical_digest
from edge_experts.format.manifest_parser import parse_manifest, read_manifest
from edge_experts.format.trained_rows import BITS, TrainedRows, rows_path
from tests.tiny import tiny_bundle

DATA = Path(__file__).parents[2] / "data"
OWN = DATA / "one_number_and_label.csv"
ROWS = st.lists(st.integers(0, 2**BITS - 1), max_size=200).map(sorted)


@given(ROWS, st.floats(0, 1))
def test_a_file_holds_any_rows(rows: list[int], chance: float) -> None:
    trained = TrainedRows(np.array(rows, np.uint64), chance)
    found = TrainedRows.from_bytes(trained.to_bytes())
    assert (found.hashes.tolist(), found.chance) == (rows, chance)


@given(ROWS, st.data())
def test_a_damaged_file_is_refused_or_other_rows(rows: list[int], data: st.DataObject) -> None:
    content = bytearray(TrainedRows(np.array(rows, np.uint64), 0.5).to_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    content = content[: data.draw(st.integers(0, len(content)))]
    try:
        found = TrainedRows.from_bytes(bytes(content))
    except ValueError:
        return
    assert len(found.hashes) == len(rows)


@pytest.mark.parametrize(("rows", "most"), [(15_009, 54_000), (60_000, 200_000)])
def test_a_row_takes_less_than_four_bytes(rows: int, most: int) -> None:
    drawn = np.sort(np.random.default_rng(0).integers(0, 2**BITS, rows, dtype=np.uint64))
    assert len(TrainedRows(drawn).to_bytes()) < most


def _fitted(path: Path, seed: int = 0) -> tuple[TableFeatures, TrainedRows]:
    dataset = load(str(path), seed)
    features = TableFeatures.fit(list(dataset.train.inputs))
    return features, trained_rows(features, dataset)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    ("name", "count"),
    [("held_out_rows_some_like_trained_ones.csv", 50), ("held_out_rows_of_one_label.csv", 25)],
)
def test_a_held_out_file_counts_whole(name: str, count: int, seed: int) -> None:
    features, trained = _fitted(OWN, seed)
    found = held_out.select(held_out.read(str(DATA / name), 0, "classification"), features, trained)
    assert (len(found.split), found.left_out) == (count, 0)


@pytest.mark.parametrize("seed", range(10))
def test_of_its_own_file_the_test_rows_count_in_their_order(seed: int) -> None:
    features, trained = _fitted(OWN, seed)
    dataset = load(str(OWN), seed)
    found = held_out.select(held_out.read(str(OWN), seed, "classification"), features, trained)
    assert list(found.split.inputs) == list(dataset.test.inputs)
    assert found.split.targets.tolist() == dataset.test.targets.tolist()
    assert found.left_out == len(dataset.train) + len(dataset.validation)


def _write(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def _numbers(seed: int, count: int) -> list[dict[str, str]]:
    draw = random.Random(seed)
    return [
        {"a": f"{draw.gauss(0, 1):.6f}", "b": f"{draw.gauss(0, 1):.6f}", "label": f"c{row % 2}"}
        for row in range(count)
    ]


@settings(max_examples=15)
@given(st.integers(0, 99), st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_trained_rows_are_left_out_of_any_file(
    tmp_path_factory: pytest.TempPathFactory, seed: int, old: int, new: int, again: bool
) -> None:
    """In another order, separator and spelling, among new rows, some of them twice."""
    folder = tmp_path_factory.mktemp("rows")
    own = _write(folder / "own.csv", _numbers(seed, 80))
    features, trained = _fitted(own)
    dataset = load(str(own), 0)
    known = [
        {**row, "label": dataset.labels[target]}
        for row, target in zip(dataset.train.inputs, dataset.train.targets, strict=True)
    ][:old]
    known = [{**row, "a": f" {float(row['a']):.9e}"} for row in known]
    fresh = _numbers(seed + 1000, new)
    rows = [*known, *fresh, *(fresh if again else [])]
    random.Random(seed).shuffle(rows)
    path = _write(folder / "other.tsv", rows, "\t")
    found = held_out.select(held_out.read(str(path), 0, "classification"), features, trained)
    assert found.left_out == len(known)
    assert len(found.split) == len(rows) - len(known)


def test_a_file_of_trained_rows_only_is_refused(tmp_path: Path) -> None:
    own = _write(tmp_path / "own.csv", _numbers(0, 80))
    features, trained = _fitted(own)
    dataset = load(str(own), 0)
    rows = [
        {**row, "label": dataset.labels[target]}
        for row, target in zip(dataset.train.inputs, dataset.train.targets, strict=True)
    ]
    path = _write(tmp_path / "trained.csv", rows)
    with pytest.raises(DataError, match=r"trained on all of its \d+ rows.*--all-rows"):
        held_out.select(held_out.read(str(path), 0, "classification"), features, trained)


def test_rows_of_few_different_values_are_not_left_out_for_being_alike(tmp_path: Path) -> None:
    draw = random.Random(0)
    rows = [{"on": draw.choice("01"), "label": draw.choice("ab")} for _ in range(100)]
    features, trained = _fitted(_write(tmp_path / "own.csv", rows))
    other = _write(tmp_path / "other.csv", rows[10:40])
    found = held_out.select(held_out.read(str(other), 0, "classification"), features, trained)
    assert (len(found.split), found.left_out, found.alike) == (30, 0, 30)


@pytest.mark.parametrize("names", [("x_test", "y_test"), ("x", "y"), ("x_train", "y_train")])
def test_arrays_of_one_split_count_whole(tmp_path: Path, names: tuple[str, str]) -> None:
    random_numbers = np.random.default_rng(0)
    x, y = random_numbers.normal(size=(100, 6, 3)), np.arange(100) % 2
    dataset = from_arrays("own", x[:80], y[:80], x[80:], y[80:])
    features = ArrayFeatures.fit(np.asarray(dataset.train.inputs), channels=True)
    trained = trained_rows(features, dataset)
    path = tmp_path / "other.npz"
    np.savez(path, **{names[0]: x[75:82].astype(np.float32), names[1]: np.zeros(7, int)})
    source = held_out.read(str(path), 0, "classification")
    assert not source.has_splits
    assert len(hashes(features, source.dataset, source.dataset.test)) == 7
    found = held_out.select(source, features, trained)
    wrong_label = sum(y[75:80] == 0)  # the same input with another label is another row
    assert (len(found.split), found.left_out) == (7 - wrong_label, wrong_label)


def test_a_file_with_splits_keeps_them(tmp_path: Path) -> None:
    rows = _numbers(3, 90)
    for place, row in enumerate(rows):
        row["split"] = "test" if place % 3 == 0 else "train"
    path = _write(tmp_path / "own.csv", rows)
    features, trained = _fitted(path)
    found = held_out.select(held_out.read(str(path), 0, "classification"), features, trained)
    assert (len(found.split), found.left_out, found.name) == (30, 0, "test")
    for row in rows[1:30]:
        row["split"] = "test"  # now some that it was trained on are called so
    found = held_out.select(
        held_out.read(str(_write(tmp_path / "other.csv", rows)), 0, "classification"),
        features,
        trained,
    )
    assert found.left_out > 0
    assert len(found.split) == 30


def test_classes_of_an_npz_have_its_names(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    x = np.random.default_rng(0).normal(size=(9, 4))
    names = np.array(["cat", "dog", "owl"])
    np.savez(path, x_test=x, y_test=np.array([1, 2] * 4 + [2]), labels=names)
    dataset = held_out.read(str(path), 0, "classification").dataset
    assert [dataset.labels[target] for target in dataset.test.targets[:2]] == ["dog", "owl"]


@given(st.binary(max_size=100), st.integers(0, 255), st.integers(0, 2**64 - 1), st.floats())
def test_any_bytes_are_rows_or_an_error(
    rest: bytes, low_bits: int, count: int, chance: float
) -> None:
    for content in (rest, struct.pack("<4sBBQd", b"EETR", 1, low_bits, count, chance) + rest):
        try:
            found = TrainedRows.from_bytes(content)
        except ValueError:
            continue
        assert (np.diff(found.hashes.astype(np.int64)) >= 0).all()


def _with_rows(bundle: Path, rows: list[TrainedRows]) -> Path:
    """The bundle as of format 2.0, with these rows."""
    manifest = read_manifest(bundle)
    settings = ArrayFeatures.fit(np.zeros((4, 2)), channels=True).settings
    entries = []
    for index, one in enumerate(rows):
        path = bundle / rows_path(index)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(one.to_bytes())
        entries.append(FileEntry.of(rows_path(index), one.to_bytes()))
    features = replace(manifest.features, config={**manifest.features.config, **settings})
    made = replace(manifest, features=features, trained_rows=tuple(entries))
    (bundle / MANIFEST).write_text(made.to_json())
    return bundle


def test_a_bundle_pins_its_rows(tmp_path: Path) -> None:
    parts = [TrainedRows(np.array(rows, np.uint64)) for rows in ([3, 9], [4, 9])]
    bundle = _with_rows(tiny_bundle(tmp_path / "tiny.bundle"), parts)
    manifest = read_manifest(bundle)
    assert manifest.format_version == "2.0"
    found = read_trained_rows(bundle, manifest)
    assert found is not None
    assert found.hashes.tolist() == [3, 4, 9, 9]
    (bundle / rows_path(1)).write_bytes(b"")
    with pytest.raises(DigestError):
        read_trained_rows(bundle, manifest)
    old = tiny_bundle(tmp_path / "old.bundle")
    assert read_trained_rows(old, read_manifest(old)) is None


def test_a_file_that_holds_no_rows_is_refused(tmp_path: Path) -> None:
    bundle = _with_rows(
        tiny_bundle(tmp_path / "tiny.bundle"), [TrainedRows(np.empty(0, np.uint64))]
    )
    manifest, other = read_manifest(bundle), b"not rows"
    (bundle / rows_path(0)).write_bytes(other)
    entry = FileEntry.of(rows_path(0), other)
    with pytest.raises(BundleError, match="not hashes of rows"):
        read_trained_rows(bundle, replace(manifest, trained_rows=(entry,)))
    huge = replace(entry, bytes=LIMITS.array_file_bytes + 1)
    with pytest.raises(BundleError, match=r"larger than [\d,]+ bytes"):
        read_trained_rows(bundle, replace(manifest, trained_rows=(huge,)))


@pytest.mark.parametrize("odd", [{}, "x", [1], [{"path": "../x"}], [None], 5])
def test_odd_rows_in_a_manifest_are_refused(tmp_path: Path, odd: object) -> None:
    bundle = _with_rows(
        tiny_bundle(tmp_path / "tiny.bundle"), [TrainedRows(np.empty(0, np.uint64))]
    )
    content = json.loads((bundle / MANIFEST).read_text())
    content["trained_rows"] = odd
    content["digest"] = canonical_digest(content)
    with pytest.raises(ManifestError, match="trained_rows"):
        parse_manifest(json.dumps(content).encode())


@pytest.mark.parametrize("names", [("x_test", "y_test"), ("x", "y")])
def test_arrays_without_an_example_are_refused(tmp_path: Path, names: tuple[str, str]) -> None:
    path = tmp_path / "empty.npz"
    np.savez(path, **{names[0]: np.zeros((0, 3)), names[1]: np.zeros(0, int)})
    with pytest.raises(DataError, match="empty"):
        held_out.read(str(path), 0, "classification")


@pytest.mark.parametrize("scale", [1.0, 1 / 255])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_image_on_another_scale_is_the_same_row(
    tmp_path: Path, scale: float, dtype: type[np.floating]
) -> None:
    x = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    y = np.arange(60) % 2
    dataset = from_arrays("own", x[:50], y[:50], x[50:], y[50:])
    features = ArrayFeatures.fit(np.asarray(dataset.train.inputs), channels=False)
    path = tmp_path / "scaled.npz"
    np.savez(path, x=(x * scale).astype(dtype), y=y)
    source = held_out.read(str(path), 0, "classification")
    found = held_out.select(source, features, trained_rows(features, dataset))
    assert (len(found.split), found.left_out) == (10, 50)
