"""Data sets of photos: files to arrays of one size, and their splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...errors import DataError, UsageError
from ...features import Features, PhotoFeatures
from ...features.photo_files import SUFFIXES, PhotoHeader, decode_photo, read_content, read_header
from ...features.resizing import COLOUR, GREY, Resizing, coloured, resized
from ..dataset import Dataset
from ..label_folders import file_splits, near_duplicates
from ..label_folders.file_reading import FileReading
from ..label_folders.label_folder import LabelledFile, Medium, read_folder
from ..label_folders.labelled_files import LabelledFiles, numbered, refuse_few
from . import photo_sizes

KIND, TASK_TYPE = "photo", "classification"
MEDIUM = Medium("photo", SUFFIXES, "photos/cat/1.jpg and photos/dog/2.jpg")
_NUMBERS = 2**29  # of all photos after resizing


@dataclass(frozen=True)
class Photos(LabelledFiles):
    """Photos of a folder; inputs are (photos, height, width, channels) uint8."""

    resizing: Resizing = field(kw_only=True)


def load(
    folder: Path,
    seed: int,
    task_type: str | None = None,
    features: Features | None = None,
    image_size: int | None = None,
) -> Dataset:
    """Load a data set of photos for a training.

    Args:
        features: of a bundle or run, whose size of photos is used.
        image_size: side of the resized photos in pixels; None: chosen (`photo_sizes.chosen`).

    Raises:
        DataError: the folder has no photos, too few for its labels, or too many broken files.
        UsageError: another task is wanted, or the features are of another kind.
        MissingExtraError: Pillow is not installed.
    """
    if task_type not in (None, TASK_TYPE):
        raise UsageError(f"{folder}: photos are for --task {TASK_TYPE}, not {task_type}")
    refuse_few(folder, read_folder(folder, MEDIUM).files, MEDIUM)
    photos = read(folder, seed, features, image_size)
    return Dataset(
        name=photos.name,
        kind=KIND,
        task=f"{KIND} classification",
        labels=photos.labels,
        train=photos.split("train"),
        validation=photos.split("validation"),
        test=photos.split("test"),
        origin=f"the folder {photos.name}",
        resizing=photos.resizing,
        notes=photos.notes,
    )


def read(
    folder: Path,
    seed: int,
    features: Features | None = None,
    image_size: int | None = None,
) -> Photos:
    """Read all photos of a folder; see `load`."""
    if features is not None and not isinstance(features, PhotoFeatures):
        raise DataError(
            f"{folder}: holds photos, and the bundle takes {', '.join(features.fields)} of the "
            f"kind {features.kind}"
        )
    found = read_folder(folder, MEDIUM)
    reading = FileReading(folder, MEDIUM.word, len(found.files))
    files = list(found.files)
    if features is None:
        headers = reading.each(
            files, lambda file: read_header(file.path), "Reading sizes of photos"
        )
        files = [file for file, _ in headers]
        resizing = _resizing([header for _, header in headers], image_size)
    else:
        resizing = features.resizing
    numbers = len(files) * int(np.prod(resizing.shape))
    if numbers > _NUMBERS:
        raise DataError(
            f"{folder}: {len(files):,} photos of {resizing.width} x {resizing.height} pixels have "
            f"{numbers:,} numbers; at most {_NUMBERS:,} are read. Set a smaller --image-size, or "
            "name fewer photos"
        )

    def decoded(file: LabelledFile) -> tuple[np.ndarray, np.ndarray, bytes]:
        content = read_content(file.path)
        pixels = decode_photo(content, str(file.path), resizing)
        key = hashlib.blake2b(content, digest_size=16).digest()
        return resizing.apply(pixels), small_version(pixels), key

    read = reading.each(files, decoded, "Decoding photos")
    files = [file for file, _ in read]
    pixels, small, keys = zip(*(one for _, one in read), strict=True)
    labels, targets = numbered([file.label for file in files])
    groups = near_duplicates.groups(np.stack(small))
    wishes = np.array([file.split for file in files], "<U10")
    splits = file_splits.assign(wishes, targets, groups, keys, seed)
    paths = [str(file.path.relative_to(folder)) for file in files]
    return Photos(
        name=folder.resolve().name,
        labels=labels,
        inputs=np.stack(pixels),
        targets=targets,
        splits=splits,
        has_splits=bool((wishes != "").any()),
        resizing=resizing,
        notes=(
            *found.notes,
            *reading.notes,
            *file_splits.notes(splits, targets, groups, paths, MEDIUM.word),
            _resizing_note(resizing, chosen=features is None and image_size is None),
        ),
    )


def small_version(photo: np.ndarray) -> np.ndarray:
    """Small version of decoded pixels for `near_duplicates.groups`, (16, 16, 3) uint8."""
    return resized(coloured(photo, COLOUR), near_duplicates.SIDE, near_duplicates.SIDE)


def _resizing(headers: Sequence[PhotoHeader], image_size: int | None) -> Resizing:
    sizes = [(header.height, header.width) for header in headers]
    channels = GREY if all(header.is_grey for header in headers) else COLOUR
    try:
        return photo_sizes.chosen(sizes, channels, image_size)
    except ValueError as error:
        raise UsageError(f"--image-size {image_size}: {error}") from None


def _resizing_note(resizing: Resizing, *, chosen: bool) -> str:
    how = {
        "crop": "the middle of each is used",
        "fit": "each is used whole, padded with grey",
        "stretch": "each is used whole, in other proportions",
    }[resizing.policy]
    colours = "grey, " if resizing.channels == GREY else ""
    option = "; another size: --image-size" if chosen else ""
    return f"photos of {resizing.width} x {resizing.height} pixels, {colours}{how}{option}"
