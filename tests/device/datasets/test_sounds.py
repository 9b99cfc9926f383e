"""Folders of sounds: rate, window, noise, speakers, copies and splits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from device_tests.sound_spectra import wav_file
from edge_experts import datasets
from edge_experts.datasets import Columns, held_out
from edge_experts.datasets.inputs import InputReader
from edge_experts.errors import DataError, UsageError
from edge_experts.features import SoundFeatures, TextFeatures
from edge_experts.features.log_mel import LogMel
from tests.sounds import LABELS, NOISE, RATE, made, write_sounds

EACH = 30


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sounds(tmp_path_factory.mktemp("sounds") / "sounds", EACH)


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    """A copy to change, with few files."""
    for label in (*LABELS, NOISE):
        (tmp_path / "few" / label).mkdir(parents=True)
        for path in sorted((whole / label).iterdir())[:12]:
            shutil.copy(path, tmp_path / "few" / label)
    return tmp_path / "few"


def test_rate_and_window_follow_the_data(whole: Path) -> None:
    dataset = datasets.load(str(whole))
    assert dataset.kind == "sound"
    assert dataset.labels == (NOISE, *LABELS)
    assert dataset.log_mel == LogMel.of(RATE, RATE // 2)
    inputs = dataset.train.inputs
    assert isinstance(inputs, np.ndarray)
    assert (inputs.dtype, inputs.shape[1:]) == (np.int16, (RATE // 2,))
    told = "\n".join(dataset.notes)
    assert "windows of 0.5 s at 16,000 Hz" in told
    assert "sounds of 6 speakers, each in one split" in told
    assert "nearly equal" not in told


def test_no_two_splits_share_a_speaker(whole: Path) -> None:
    dataset = datasets.load(str(whole))
    groups = [set(part.groups) for part in (dataset.train, dataset.validation, dataset.test)
              if part.groups is not None]  # fmt: skip
    assert len(groups) == 3
    for place, own in enumerate(groups):
        for other in groups[:place]:
            assert not own & other


def test_noise_is_cut_into_windows(whole: Path) -> None:
    dataset = datasets.load(str(whole))
    parts = (dataset.train, dataset.validation, dataset.test)
    counts = [int((part.targets == 0).sum()) for part in parts]
    assert sum(counts) == EACH
    assert min(counts) > 0


def test_folders_name_speakers_too(folder: Path) -> None:
    for label in LABELS:
        for place, path in enumerate(sorted((folder / label).iterdir())):
            own = folder / label / f"machine {place % 4}"
            own.mkdir(exist_ok=True)
            path.rename(own / f"{place}.wav")
    assert "sounds of 4 speakers, each in one split" in datasets.load(str(folder)).notes


def test_one_speaker_and_speakers_in_several_splits_are_told(folder: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for split in ("train", "validation", "test"):
        for label in LABELS:
            (tmp_path / "of" / split / label).mkdir(parents=True)
            for place in range(4):
                content = wav_file(made(label, random), RATE)
                (tmp_path / "of" / split / label / f"a_nohash_{place}.wav").write_bytes(content)
    told = "\n".join(datasets.load(str(tmp_path / "of")).notes)
    assert "Warning: 1 of 1 speakers are in several splits" in told


def test_copies_are_in_one_split_and_told(folder: Path) -> None:
    from edge_experts.features.wav_files import read_wav

    for path in list(folder.glob("*/*nohash*")):
        path.rename(path.with_name(path.name.replace("_nohash_", "-")))
    for path in sorted((folder / "chirp").iterdir())[:3]:
        samples, rate = read_wav(path)
        softer = np.rint(samples[:, None] * 0.4).astype("<i2")
        path.with_name(f"copy of {path.name}").write_bytes(wav_file(softer, rate))
    told = "\n".join(datasets.load(str(folder)).notes)
    assert "3 sounds are nearly equal to another one, and in the same split" in told


def test_silent_broken_and_other_files_are_told(folder: Path) -> None:
    (folder / "hum" / "silent.wav").write_bytes(wav_file(np.zeros((50, 1), "<i2"), RATE))
    (folder / "hum" / "broken.wav").write_bytes(b"no sound")
    (folder / "hum" / "notes.txt").write_text("x")
    (folder / "outside.wav").write_bytes(b"")
    told = "\n".join(datasets.load(str(folder)).notes)
    assert "1 sound is silent: hum/silent.wav" in told
    assert "cannot be read and are left out: hum/broken.wav: not a WAV file" in told
    assert "1 file not of sounds left out: 1 .txt" in told
    assert "1 sound outside of a label's folder left out: outside.wav" in told


def test_a_folder_of_broken_files_is_refused(folder: Path) -> None:
    for path in list(folder.glob("*/*.wav"))[::2]:
        path.write_bytes(b"RIFF")
    with pytest.raises(DataError, match="sounds cannot be read, more than 20%"):
        datasets.load(str(folder))


def test_the_files_tell_sounds_from_photos(folder: Path) -> None:
    (folder / "hum" / "cover.jpg").write_bytes(b"")
    assert datasets.load(str(folder)).kind == "sound"


def test_unsuitable_options_and_folders_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="has sounds; options that name columns"):
        datasets.load(str(folder), columns=Columns(label="a"))
    with pytest.raises(UsageError, match="sounds are for --task classification"):
        datasets.load(str(folder), task_type="regression")
    with pytest.raises(UsageError, match="--image-size is for folders of photos"):
        datasets.load(str(folder), image_size=32)
    text = TextFeatures.fit(["a", "b"], np.array([0, 1]))
    with pytest.raises(DataError, match="holds sounds, and the bundle takes text"):
        datasets.load(str(folder), features=text)
    for path in sorted((folder / "tick").iterdir())[3:] + sorted((folder / "hum").iterdir())[3:]:
        path.unlink()
    with pytest.raises(DataError, match=r"at least 10 are needed for each label\. Add sounds"):
        datasets.load(str(folder))


def test_a_bundle_says_how_sounds_are_read(folder: Path) -> None:
    log_mel = LogMel.of(8000, 8000)
    features = SoundFeatures(log_mel, np.zeros(()), np.ones(()))
    shutil.rmtree(folder / "tick")
    found = held_out.read(str(folder), 0, "classification", None, features)
    assert found.dataset.labels == (NOISE, "chirp", "hum")
    assert np.shape(found.dataset.test.inputs)[1:] == (8000,)
    reader = InputReader(features)
    assert len(list(reader.arguments([str(folder / "hum")]))) == 12
    assert len(list(reader.file(folder))) == 25
