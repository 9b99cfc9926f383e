"""Files of a folder with one folder of photos for each label."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from ...features.photo_files import SUFFIXES, is_photo_name
from ..file_walk import files_below

# Names of folders of splits, which may stand above those of labels.
SPLITS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_NAMED = 3


@dataclass(frozen=True)
class PhotoFile:
    """A file with its label, and the split that its folder states, or ""."""

    path: Path
    label: str
    split: str = ""


@dataclass(frozen=True)
class PhotoFolder:
    """Files of photos in the order of their paths, and sentences on what is not used."""

    files: tuple[PhotoFile, ...]
    notes: tuple[str, ...] = ()


def has_photos(folder: Path) -> bool:
    """Test if a folder has an image file, at any depth."""
    return any(is_photo_name(path.name) for path in files_below(folder))


def read_folder(folder: Path) -> PhotoFolder:
    """List the photos of a folder.

    The label is the name of the first folder below `folder`, also for photos in folders within it.
    If all first folders are named as splits (train, val, validation, test), the second one is the
    label. Hidden files are left out. Links are followed.

    Raises:
        DataError: there are no photos in folders, or too many files.
    """
    files, outside, others = [], [], Counter[str]()
    for path in files_below(folder):
        *parents, name = path.relative_to(folder).parts
        if not is_photo_name(name):
            others[path.suffix.lower() or "no suffix"] += 1
        elif not parents:
            outside.append(name)
        else:
            files.append((path, parents))
    firsts = {parents[0] for _, parents in files}
    if not files:
        found = f"; found {len(outside)} image files outside of such folders" if outside else ""
        raise DataError(
            f"{folder}: must have one folder of photos ({', '.join(SUFFIXES)}) for each label, as "
            f"photos/cat/1.jpg and photos/dog/2.jpg{found}"
        )
    notes = []
    stated = {first: SPLITS.get(first.lower(), "") for first in firsts}
    has_splits = all(stated.values()) and "train" in stated.values() and len(stated) > 1
    if has_splits:
        outside += [path.name for path, parents in files if len(parents) < 2]
        files = [(path, parents) for path, parents in files if len(parents) > 1]
    if outside:
        notes.append(
            f"{_count(len(outside), 'photo')} outside of a label's folder left out: "
            f"{_listed(outside)}"
        )
    if others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items())[:_NAMED])
        notes.append(f"{_count(sum(others.values()), 'file')} not of photos left out: {kinds}")
    if has_splits:
        made = (PhotoFile(path, parts[1], stated[parts[0]]) for path, parts in files)
    else:
        made = (PhotoFile(path, parts[0]) for path, parts in files)
    return PhotoFolder(tuple(made), tuple(notes))


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more
