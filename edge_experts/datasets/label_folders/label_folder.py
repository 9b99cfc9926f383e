"""Files of a folder with one folder of photos or sounds for each label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
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
class Medium:
    """Files that are one example each.

    Attributes:
        word: one of them, in words.
        suffixes: ends of their names, in lower case.
        shown: two paths, as an example.
    """

    word: str
    suffixes: tuple[str, ...]
    shown: str

    def has(self, path: Path) -> bool:
        return path.name.lower().endswith(self.suffixes)

    def counted(self, count: int) -> str:
        """ "1 photo", "2 photos"."""
        return _count(count, self.word)


@dataclass(frozen=True)
class LabelledFile:
    """A file with its label, the folders between it and its label's, and its split, or ""."""

    path: Path
    label: str
    between: tuple[str, ...] = ()
    split: str = ""


@dataclass(frozen=True)
class LabelFolder:
    """Files in the order of their paths, and sentences on what is not used."""

    files: tuple[LabelledFile, ...]
    notes: tuple[str, ...] = ()


def most_frequent(folder: Path, media: Sequence[Medium]) -> Medium | None:
    """The medium that most files of a folder have, at any depth; None without such files."""
    counts = Counter(medium for path in files_below(folder) for medium in media if medium.has(path))
    return max(counts, key=lambda medium: counts[medium], default=None)


def read_folder(folder: Path, medium: Medium) -> LabelFolder:
    """List the files of a medium.

    The label is the name of the first folder below `folder`, also for files in folders within it.
    If all first folders are named as splits (train, val, validation, test), the second one is the
    label. Hidden files are left out. Links are followed.

    Raises:
        DataError: there are none in folders, or too many files.
    """
    files, outside, others = [], [], Counter[str]()
    for path in files_below(folder):
        *parents, name = path.relative_to(folder).parts
        if not medium.has(path):
            others[path.suffix.lower() or "no suffix"] += 1
        elif not parents:
            outside.append(name)
        else:
            files.append((path, parents))
    firsts = {parents[0] for _, parents in files}
    if not files:
        found = f"; found {medium.counted(len(outside))} outside of such folders" if outside else ""
        raise DataError(
            f"{folder}: must have one folder of {medium.word}s ({', '.join(medium.suffixes)}) for "
            f"each label, as {medium.shown}{found}"
        )
    notes = []
    stated = {first: SPLITS.get(first.lower(), "") for first in firsts}
    has_splits = all(stated.values()) and "train" in stated.values() and len(stated) > 1
    if has_splits:
        outside += [path.name for path, parents in files if len(parents) < 2]
        files = [(path, parents) for path, parents in files if len(parents) > 1]
    if outside:
        notes.append(
            f"{medium.counted(len(outside))} outside of a label's folder left out: "
            f"{_listed(outside)}"
        )
    if others:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(others.items())[:_NAMED])
        files_told = _count(sum(others.values()), "file")
        notes.append(f"{files_told} not of {medium.word}s left out: {kinds}")
    if has_splits:
        made = (
            LabelledFile(path, label, tuple(between), stated[split])
            for path, (split, label, *between) in files
        )
    else:
        made = (LabelledFile(path, label, tuple(rest)) for path, (label, *rest) in files)
    return LabelFolder(tuple(made), tuple(notes))


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(sorted(names)[:_NAMED]) + more
