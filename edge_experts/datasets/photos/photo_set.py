"""Data sets of photos: files to arrays of one size, and their splits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from ...errors import DataError, UsageError
from ...features import Features, PhotoFeatures
from ...features.photo_files import PhotoHeader, decode_photo, read_content, read_header
from ...features.resizing import COLOUR, GREY, Resizing
from ...progress import Progress
from ..dataset import Dataset, Split
from . import near_duplicates, photo_sizes, photo_splits
from .photo_folder import PhotoFile, read_folder

KIND, TASK_TYPE = "photo", "classification"
_MOST_BROKEN = 0.2  # share of files that may be no images
_LEAST_PHOTOS = 10  # least mean number of photos of each label
_NUMBERS = 2**29  # of all photos after resizing
_NAMED = 3
_STEPS = 20

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Photos:
    """Photos of a folder.

    Attributes:
        pixels: (photos, height, width, channels) uint8.
        targets: index of each photo's label, (photos,) int64.
        splits: "train", "validation" or "test" for each photo.
        has_splits: True if the folder states them.
        notes: sentences for the user.
    """

    name: str
    labels: tuple[str, ...]
    pixels: np.ndarray
    targets: np.ndarray
    splits: np.ndarray
    has_splits: bool
    resizing: Resizing
    notes: tuple[str, ...]

    def split(self, name: str) -> Split:
        rows = np.flatnonzero(self.splits == name)
        return Split(self.pixels[rows], self.targets[rows])


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
    photos = read(folder, seed, features, image_size, least=_LEAST_PHOTOS)
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
    *,
    least: int = 0,
) -> Photos:
    """Read all photos of a folder; see `load`.

    Args:
        least: least mean number of photos for each label.
    """
    if features is not None and not isinstance(features, PhotoFeatures):
        raise DataError(
            f"{folder}: holds photos, and the bundle takes {', '.join(features.fields)} of the "
            f"kind {features.kind}"
        )
    found = read_folder(folder)
    names = {file.label for file in found.files}
    if len(names) > 1 and len(found.files) < least * len(names):
        raise DataError(
            f"{folder}: {len(found.files):,} photos in {len(names):,} folders; on average at least "
            f"{least} are needed for each label. Add photos, or name the folder whose folders are "
            "labels"
        )
    broken: dict[str, str] = {}
    files = list(found.files)
    if features is None:
        headers = _each(files, read_header, "Reading sizes of photos", broken, folder)
        files = [file for file, header in zip(files, headers, strict=True) if header is not None]
        _refuse_broken(folder, broken, len(found.files))
        resizing = _resizing([header for header in headers if header is not None], image_size)
    else:
        resizing = features.resizing
    numbers = len(files) * int(np.prod(resizing.shape))
    if numbers > _NUMBERS:
        raise DataError(
            f"{folder}: {len(files):,} photos of {resizing.width} x {resizing.height} pixels have "
            f"{numbers:,} numbers; at most {_NUMBERS:,} are read. Set a smaller --image-size, or "
            "name fewer photos"
        )

    def decoded(path: Path) -> tuple[np.ndarray, np.ndarray, bytes]:
        content = read_content(path)
        pixels = decode_photo(content, str(path), resizing)
        key = hashlib.blake2b(content, digest_size=16).digest()
        return resizing.apply(pixels), near_duplicates.signature(pixels), key

    read = _each(files, decoded, "Decoding photos", broken, folder)
    _refuse_broken(folder, broken, len(found.files))
    files = [file for file, one in zip(files, read, strict=True) if one is not None]
    pixels, small, keys = zip(*(one for one in read if one is not None), strict=True)
    labels = tuple(sorted({file.label for file in files}))
    index = {label: place for place, label in enumerate(labels)}
    targets = np.array([index[file.label] for file in files], np.int64)
    groups = near_duplicates.groups(np.stack(small))
    wishes = np.array([file.split for file in files], "<U10")
    splits = photo_splits.assign(wishes, targets, groups, keys, seed)
    paths = [str(file.path.relative_to(folder)) for file in files]
    return Photos(
        name=folder.resolve().name,
        labels=labels,
        pixels=np.stack(pixels),
        targets=targets,
        splits=splits,
        has_splits=bool((wishes != "").any()),
        resizing=resizing,
        notes=(
            *found.notes,
            *_broken_note(broken, len(found.files)),
            *photo_splits.notes(splits, targets, groups, paths),
            _resizing_note(resizing, chosen=features is None and image_size is None),
        ),
    )


def _resizing(headers: Sequence[PhotoHeader], image_size: int | None) -> Resizing:
    sizes = [(header.height, header.width) for header in headers]
    channels = GREY if all(header.is_grey for header in headers) else COLOUR
    try:
        return photo_sizes.chosen(sizes, channels, image_size)
    except ValueError as error:
        raise UsageError(f"--image-size {image_size}: {error}") from None


def _each(
    files: Sequence[PhotoFile],
    act: Callable[[Path], _Result],
    what: str,
    broken: dict[str, str],
    folder: Path,
) -> list[_Result | None]:
    """Apply a function to each file, in threads; None for broken ones, which are recorded."""

    def of(file: PhotoFile) -> _Result | UsageError:
        try:
            return act(file.path)
        except UsageError as error:
            return error

    results: list[_Result | None] = []
    step = max(1, len(files) // _STEPS)
    with (
        Progress(f"{what} ({len(files):,})", len(files) // step) as progress,
        ThreadPoolExecutor(os.cpu_count()) as threads,
    ):
        for place, (file, made) in enumerate(zip(files, threads.map(of, files), strict=True), 1):
            if isinstance(made, UsageError):
                name = str(file.path)
                reason = str(made).removeprefix(name).removeprefix(": ")
                broken[str(file.path.relative_to(folder))] = reason
                results.append(None)
            else:
                results.append(made)
            if place % step == 0:
                progress.step()
    return results


def _refuse_broken(folder: Path, broken: dict[str, str], count: int) -> None:
    if len(broken) > _MOST_BROKEN * count:
        raise DataError(
            f"{folder}: {len(broken):,} of {count:,} photos cannot be read, more than "
            f"{_MOST_BROKEN:.0%}: {_listed(broken)}. Repair or remove them"
        )


def _broken_note(broken: dict[str, str], count: int) -> tuple[str, ...]:
    if not broken:
        return ()
    return (
        f"Warning: {len(broken):,} of {count:,} photos cannot be read and are left out: "
        f"{_listed(broken)}",
    )


def _listed(broken: dict[str, str]) -> str:
    shown = "; ".join(f"{name}: {reason}" for name, reason in list(broken.items())[:_NAMED])
    more = f"; and {len(broken) - _NAMED:,} more" if len(broken) > _NAMED else ""
    return shown + more


def _resizing_note(resizing: Resizing, *, chosen: bool) -> str:
    how = {
        "crop": "the middle of each is used",
        "fit": "each is used whole, padded with grey",
        "stretch": "each is used whole, in other proportions",
    }[resizing.policy]
    colours = "grey, " if resizing.channels == GREY else ""
    option = "; another size: --image-size" if chosen else ""
    return f"photos of {resizing.width} x {resizing.height} pixels, {colours}{how}{option}"
