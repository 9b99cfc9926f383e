"""Folders of photos become data sets, whatever lies in them, or are refused by name."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edge_experts import datasets
from edge_experts.datasets import Columns, held_out
from edge_experts.datasets.inputs import InputReader
from edge_experts.datasets.label_folders import file_splits, near_duplicates
from edge_experts.datasets.photos import photo_sizes
from edge_experts.datasets.photos.photo_set import small_version
from edge_experts.errors import DataError, UsageError
from edge_experts.features import PhotoFeatures, TextFeatures
from edge_experts.features.resizing import Resizing
from tests.photos import LABELS, drawn, encoded, png_claiming, write_photos

pytest.importorskip("PIL")

EACH = 20


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos", EACH)


def test_a_folder_is_a_data_set(folder: Path) -> None:
    dataset = datasets.load(str(folder))
    assert (dataset.name, dataset.kind, dataset.task) == ("photos", "photo", "photo classification")
    assert dataset.labels == LABELS
    assert dataset.resizing == Resizing(48, 48, 3, "crop")
    for split, share in (("test", 4), ("validation", 2), ("train", 14)):
        found = getattr(dataset, split)
        assert found.inputs.shape == (share * len(LABELS), 48, 48, 3)
        assert found.inputs.dtype == np.uint8
        assert np.bincount(found.targets).tolist() == [share] * len(LABELS)


def test_splits_depend_on_content_and_seed_only(folder: Path, tmp_path: Path) -> None:
    first = datasets.load(str(folder))
    other = tmp_path / "elsewhere"
    for place, path in enumerate(sorted(folder.glob("*/*"), reverse=True)):
        (other / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, other / path.parent.name / f"{place}{path.suffix}")
    same = datasets.load(str(other))
    assert _contents(same.test.inputs) == _contents(first.test.inputs)
    assert first.fingerprint() == datasets.load(str(folder)).fingerprint()
    assert _contents(datasets.load(str(folder), seed=1).test.inputs) != _contents(first.test.inputs)
    (other / "disc" / "one more.png").write_bytes(encoded(drawn("disc", np.random.default_rng(9))))
    grown = datasets.load(str(other))
    kept = _contents(grown.test.inputs) & _contents(first.test.inputs)
    assert len(kept) >= len(first.test) - 1


def _contents(photos: object) -> set[bytes]:
    assert isinstance(photos, np.ndarray)
    return {photo.tobytes() for photo in photos}


def test_odd_files_are_left_out_and_named(folder: Path) -> None:
    inside = folder / "disc"
    (inside / "deeper" / "still").mkdir(parents=True)
    shutil.move(inside / "000.jpg", inside / "deeper" / "still" / "000.jpg")
    shutil.copy(inside / "001.png", inside / "WRONG.JPG")
    (inside / ".hidden.png").write_bytes(b"x")
    (inside / ".folder").mkdir()
    (inside / ".folder" / "1.png").write_bytes(b"x")
    (inside / "Thumbs.db").write_bytes(b"x")
    (inside / "empty.png").write_bytes(b"")
    (inside / "half.png").write_bytes((inside / "001.png").read_bytes()[:300])
    (inside / "huge.png").write_bytes(png_claiming(20_000, 20_000))
    (inside / "notes.txt").write_text("not a photo")
    (folder / "outside.png").write_bytes((inside / "001.png").read_bytes())
    (folder / "loop").symlink_to(folder)
    (folder / "disc" / "loop").symlink_to(folder / "disc")
    elsewhere = folder.with_name("elsewhere")
    shutil.move(folder / "square", elsewhere)
    (folder / "square").symlink_to(elsewhere)
    (folder / "dangling.png").symlink_to(folder / "none.png")
    dataset = datasets.load(str(folder))
    assert dataset.labels == LABELS
    told = "\n".join(dataset.notes)
    assert "3 of 64 photos cannot be read" in told
    for reason in ("disc/empty.png: is empty", "disc/half.png: a damaged", "disc/huge.png: has"):
        assert reason in told
    assert "1 photo outside of a label's folder left out: outside.png" in told
    assert "1 file not of photos left out: 1 .txt" in told
    # The renamed copy is a near-duplicate of its original, not broken.
    assert "disc/WRONG.JPG" in told
    sizes = Counter(dataset.train.targets) + Counter(dataset.test.targets)
    assert sum(sizes.values()) + len(dataset.validation) == 3 * EACH + 1


def test_too_many_broken_photos_are_refused(folder: Path) -> None:
    for path in list(folder.glob("disc/*"))[:15]:
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DataError, match=r"15 of 60 photos cannot be read, more than 20%: disc/"):
        datasets.load(str(folder))


def test_one_label_and_ten_thousand_are_refused(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(folder / "disc", alone / "disc")
    with pytest.raises(DataError, match="one class only"):
        datasets.load(str(alone))
    many = tmp_path / "many"
    content = encoded(np.zeros((8, 8, 3), np.uint8))
    for place in range(10_000):
        (many / str(place)).mkdir(parents=True)
        (many / str(place) / "1.png").write_bytes(content)
    with pytest.raises(DataError, match=r"10,000 photos in 10,000 folders; on average at least 10"):
        datasets.load(str(many))


def test_folders_without_photos_in_folders_are_refused(folder: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    shutil.copytree(folder / "disc", flat)
    with pytest.raises(DataError, match=r"one folder of photos .*found 20 photos outside"):
        datasets.load(str(flat))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="folder without"):
        datasets.load(str(tmp_path / "empty"))


def test_folders_of_splits_are_kept(folder: Path, tmp_path: Path) -> None:
    split = tmp_path / "split"
    for label in LABELS:
        files = sorted((folder / label).iterdir())
        for name, part in (("Train", files[:12]), ("val", files[12:15]), ("test", files[15:])):
            (split / name / label).mkdir(parents=True)
            for path in part:
                shutil.copy(path, split / name / label)
    shutil.copy(folder / "disc" / "001.png", split / "test" / "disc" / "copy.png")
    dataset = datasets.load(str(split))
    sizes = [len(part) for part in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == [36, 9, 16]
    assert dataset.labels == LABELS
    assert any("nearly equal to one of another split" in note for note in dataset.notes)


def test_a_label_named_test_is_a_label(folder: Path) -> None:
    (folder / "square").rename(folder / "test")
    assert datasets.load(str(folder)).labels == ("disc", "stripes", "test")


def test_near_duplicates_are_in_one_split_and_told(folder: Path) -> None:
    from PIL import Image

    for path in sorted(folder.glob("disc/*"))[:10]:
        with Image.open(path) as image:
            copy = image.convert("RGB").resize((image.width * 3 // 2, image.height * 3 // 2))
        copy.save(path.with_name(f"copy of {path.stem}.jpg"), quality=85)
    with Image.open(folder / "disc" / "001.png") as image:
        image.save(folder / "square" / "odd.png")
    dataset = datasets.load(str(folder))
    told = "\n".join(dataset.notes)
    assert "11 photos are nearly equal to another one, and in the same split" in told
    assert (
        "1 photo is nearly equal to one of another label: square/odd.png and disc/001.png" in told
    )
    photos = np.concatenate([dataset.train.inputs, dataset.validation.inputs, dataset.test.inputs])
    names = np.repeat(["train", "validation", "test"], [len(dataset.train), len(dataset.validation),
                                                        len(dataset.test)])  # fmt: skip
    groups = near_duplicates.groups(np.stack(list(map(small_version, photos))))
    assert (groups != np.arange(len(groups))).sum() == 11
    assert (names[groups] == names).all()


def test_different_photos_are_no_duplicates(folder: Path) -> None:
    dataset = datasets.load(str(folder))
    assert not any("nearly equal" in note for note in dataset.notes)


def test_the_size_follows_the_photos_and_the_budget() -> None:
    chosen = photo_sizes.chosen
    assert chosen([(3000, 4000)] * 200, 3, None) == Resizing(96, 96, 3, "crop")
    assert chosen([(70, 80)] * 200, 3, None).height == 64
    assert chosen([(20, 20)] * 200, 3, None).height == 32
    assert chosen([(480, 640)] * 20_000, 3, None).height == 32
    assert chosen([(480, 640)] * 8_000, 1, None) == Resizing(64, 64, 1, "crop")
    assert chosen([(400, 1000)] * 200, 3, None).policy == "fit"
    assert chosen([(480, 640)] * 200, 3, 112) == Resizing(112, 112, 3, "crop")


def test_an_unsuitable_size_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="--image-size 5000"):
        datasets.load(str(folder), image_size=5000)
    for source in ("sentiment", str(folder / "disc" / "001.png")):
        with pytest.raises(UsageError, match=r"--image-size is for folders"):
            datasets.load(source, image_size=32)


def test_options_for_other_data_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="options that name columns"):
        datasets.load(str(folder), columns=Columns(label="a"))
    with pytest.raises(UsageError, match="photos are for --task classification"):
        datasets.load(str(folder), task_type="regression")
    with pytest.raises(DataError, match="holds photos, and the bundle takes text"):
        datasets.load(str(folder), features=_text())


def _text() -> TextFeatures:
    return TextFeatures.fit(["a", "b"], np.array([0, 1]))


def test_grey_photos_stay_grey(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for label in LABELS:
        (tmp_path / label).mkdir()
        for place in range(10):
            content = encoded(drawn(label, random)[:, :, 0])
            (tmp_path / label / f"{place}.png").write_bytes(content)
    dataset = datasets.load(str(tmp_path))
    assert dataset.resizing is not None
    assert dataset.resizing.channels == 1


def test_photos_of_a_bundle_are_resized_as_it_says(folder: Path) -> None:
    dataset = datasets.load(str(folder))
    assert isinstance(dataset.train.inputs, np.ndarray)
    resizing = Resizing(24, 32, 1, "stretch")
    features = PhotoFeatures.of_photos(np.zeros((2, 24, 32, 1), np.uint8), resizing)
    again = datasets.load(str(folder), features=features)
    assert isinstance(again.test.inputs, np.ndarray)
    assert again.test.inputs.shape[1:] == (24, 32, 1)
    assert again.test.targets.tolist() == dataset.test.targets.tolist()


def test_any_photos_can_be_evaluated(folder: Path) -> None:
    features = PhotoFeatures.of_photos(np.zeros((2, 24, 24, 3), np.uint8), Resizing(24, 24))
    for path in list(folder.glob("square/*")) + sorted(folder.glob("disc/*"))[3:]:
        path.unlink()
    found = held_out.read(str(folder), 0, "classification", None, features)
    assert not found.has_splits
    assert len(held_out.whole(found.dataset)) == EACH + 3
    assert found.dataset.labels == ("disc", "stripes")


def test_a_split_of_one_label_keeps_photos_to_train_on() -> None:
    targets = np.zeros(3, np.int64)
    splits = file_splits.assign(
        np.full(3, "", "<U10"), targets, np.zeros(3, np.int64), [b"a", b"b", b"c"], 0
    )
    assert splits.tolist() == ["train"] * 3


def test_an_argument_is_a_folder_a_file_or_an_array(folder: Path) -> None:
    features = PhotoFeatures.of_photos(np.zeros((2, 24, 24, 3), np.uint8), Resizing(24, 24))
    reader = InputReader(features)
    rows = str(np.zeros((40, 40), int).tolist())
    file = folder / "disc" / "001.png"
    found = list(reader.arguments([str(folder / "disc"), str(file), rows]))
    assert len(found) == EACH + 2
    assert np.array_equal(found[1].example, found[-2].example)
    assert np.shape(found[-1].example) == (40, 40)
    assert len(list(reader.file(folder))) == 3 * EACH
    (folder / "empty").mkdir()
    with pytest.raises(UsageError, match="has no file in"):
        list(reader.arguments([str(folder / "empty")]))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_named(folder: Path) -> None:
    (folder / "disc").chmod(0)
    try:
        with pytest.raises(DataError, match=r"disc: cannot be read"):
            datasets.load(str(folder))
    finally:
        (folder / "disc").chmod(0o755)
