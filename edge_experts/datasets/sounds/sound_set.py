"""Data sets of sounds: files to windows of one rate and length, and their splits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DataError, UsageError
from ...features import Features, SoundFeatures
from ...features.log_mel import LogMel
from ...features.resizing import resized
from ...features.wav_files import SUFFIXES, read_header, read_wav
from ..dataset import Dataset
from ..label_folders import file_splits, near_duplicates
from ..label_folders.file_reading import FileReading
from ..label_folders.label_folder import LabelledFile, Medium, read_folder
from ..label_folders.labelled_files import LabelledFiles, numbered, refuse_few
from . import speakers, windows

KIND, TASK_TYPE = "sound", "classification"
MEDIUM = Medium("sound", SUFFIXES, "sounds/yes/1.wav and sounds/no/2.wav")
NOISE = "_background_noise_"  # label of recordings that are cut into windows
_NUMBERS = 2**30  # samples of all windows
_PARTS = 10  # of a recording of noise, of which no two splits share one
_STEPS_OF_LOUDNESS = 1 / 8  # of a small version: 32 for each nat of 256
# Of small versions of copies: another loudness or rate makes 0.3, 8 bits up to 1; other takes of a
# word by the same voice are 2 or more apart.
_DIFFERENCE = 1.0
_NAMED = 3


@dataclass(frozen=True)
class Sounds(LabelledFiles):
    """Windows of the sounds of a folder; inputs are (windows, samples) int16."""

    log_mel: LogMel = field(kw_only=True)


@dataclass(frozen=True)
class _Window:
    """One window of a file; `part` is the tenth of a recording of noise that it is in."""

    samples: np.ndarray
    small: np.ndarray
    part: str = ""

    @property
    def key(self) -> bytes:
        return hashlib.blake2b(self.samples.tobytes(), digest_size=16).digest()

    @property
    def is_silent(self) -> bool:
        return bool((self.samples == self.samples[0]).all())


def load(
    folder: Path, seed: int, task_type: str | None = None, features: Features | None = None
) -> Dataset:
    """Load a data set of sounds for a training.

    Args:
        features: of a bundle or run, whose rate and window are used.

    Raises:
        DataError: the folder has no sounds, too few for its labels, or too many broken files.
        UsageError: another task is wanted, or the features are of another kind.
    """
    if task_type not in (None, TASK_TYPE):
        raise UsageError(f"{folder}: sounds are for --task {TASK_TYPE}, not {task_type}")
    words = [file for file in read_folder(folder, MEDIUM).files if file.label != NOISE]
    refuse_few(folder, words, MEDIUM)
    sounds = read(folder, seed, features)
    return Dataset(
        name=sounds.name,
        kind=KIND,
        task=f"{KIND} classification",
        labels=sounds.labels,
        train=sounds.split("train"),
        validation=sounds.split("validation"),
        test=sounds.split("test"),
        origin=f"the folder {sounds.name}",
        log_mel=sounds.log_mel,
        notes=sounds.notes,
    )


def read(folder: Path, seed: int, features: Features | None = None) -> Sounds:
    """Read all sounds of a folder; see `load`."""
    if features is not None and not isinstance(features, SoundFeatures):
        raise DataError(
            f"{folder}: holds sounds, and the bundle takes {', '.join(features.fields)} of the "
            f"kind {features.kind}"
        )
    found = read_folder(folder, MEDIUM)
    reading = FileReading(folder, MEDIUM.word, len(found.files))
    files = list(found.files)
    if features is None:
        headers = reading.each(files, lambda file: read_header(file.path), "Reading lengths")
        files = [file for file, _ in headers]
        words = [header for file, header in headers if file.label != NOISE]
        log_mel = windows.chosen(words or [header for _, header in headers])
    else:
        log_mel = features.log_mel
    reader = _Reader(log_mel, files)
    if reader.most * log_mel.samples > _NUMBERS:
        raise DataError(
            f"{folder}: {len(files):,} sounds with windows of {log_mel.samples:,} samples; at most "
            f"{_NUMBERS:,} samples are read. Name fewer sounds"
        )
    read = reading.each(files, reader.windows, "Reading sounds")
    pairs = [(file, window) for file, own in read for window in own]
    paths = [str(file.path.relative_to(folder)) for file, _ in pairs]
    labels, targets = numbered([file.label for file, _ in pairs])
    names = [speakers.speaker_of(file) for file, _ in pairs]
    alike = _alike(pairs)
    groups = speakers.joined(alike, names)
    groups = speakers.joined(groups, [f"{file.path} {window.part}" for file, window in pairs])
    wishes = np.array([file.split for file, _ in pairs], "<U10")
    splits = file_splits.assign(wishes, targets, groups, [window.key for _, window in pairs], seed)
    return Sounds(
        name=folder.resolve().name,
        labels=labels,
        inputs=np.stack([window.samples for _, window in pairs]),
        targets=targets,
        splits=splits,
        has_splits=bool((wishes != "").any()),
        groups=groups.astype(str) if any(names) else None,
        log_mel=log_mel,
        notes=(
            *found.notes,
            *reading.notes,
            *file_splits.notes(splits, targets, alike, paths, MEDIUM.word),
            *speakers.notes(names, splits),
            *_silent_note([path for path, (_, one) in zip(paths, pairs, strict=True)
                           if one.is_silent]),
            f"windows of {log_mel.samples / log_mel.rate:g} s at {log_mel.rate:,} Hz; of a longer "
            "sound the loudest one is used",
        ),
    )  # fmt: skip


def _alike(pairs: Sequence[tuple[LabelledFile, _Window]]) -> np.ndarray:
    """Groups of nearly equal windows; those of noise, which is the same all along, are no group."""
    groups = np.arange(len(pairs))
    words = np.array([place for place, (file, _) in enumerate(pairs) if file.label != NOISE], int)
    if len(words):
        small = np.stack([pairs[place][1].small for place in words])
        groups[words] = words[near_duplicates.groups(small, _DIFFERENCE)]
    return groups


class _Reader:
    """Reads files to windows."""

    def __init__(self, log_mel: LogMel, files: Sequence[LabelledFile]):
        counts = Counter(file.label for file in files)
        noises = counts.pop(NOISE, 0)
        self._features = SoundFeatures(log_mel, np.zeros(()), np.ones(()))
        # As many windows of noise as the most frequent label has.
        self._each = -(-max(counts.values(), default=1000) // max(1, noises))
        self.most = counts.total() + self._each * noises

    def windows(self, file: LabelledFile) -> list[_Window]:
        """One window, or of noise several.

        Raises:
            UsageError: the file is broken.
        """
        features = self._features
        samples = features.resampled(*read_wav(file.path))
        length = features.log_mel.samples
        if file.label != NOISE or len(samples) <= length:
            return [self._window(features.window(samples))]
        cut = windows.cut(samples, length, self._each)
        return [
            self._window(window, str(place * _PARTS // len(cut)))
            for place, window in enumerate(cut)
        ]

    def _window(self, samples: np.ndarray, part: str = "") -> _Window:
        return _Window(samples, small_version(self._features.log_mel.apply(samples)), part)


def small_version(spectrum: np.ndarray) -> np.ndarray:
    """Small version of a spectrum for `near_duplicates.groups`, (16, 16, 1) uint8.

    It is relative to the loudest value, so that copies of another loudness are equal, and ends 8
    nats (35 dB) below it.
    """
    below = (int(spectrum.max()) - spectrum.astype(np.int32)) * _STEPS_OF_LOUDNESS
    levels = (255 - np.minimum(below, 255)).astype(np.uint8)
    return resized(levels[:, :, None], near_duplicates.SIDE, near_duplicates.SIDE)


def _silent_note(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    are = "sound is" if len(names) == 1 else "sounds are"
    return [f"Warning: {len(names):,} {are} silent: {', '.join(names[:_NAMED])}{more}"]
