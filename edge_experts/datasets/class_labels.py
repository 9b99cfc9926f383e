"""Class labels as written by people: spellings of one class are merged, or rejected by line."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from ..errors import DataError
from ..features.cells.gaps import is_gap, values_spelled_as_gaps

_NUMBER = re.compile(r"[+-]?\d+(?:\.0*)?")
_SEVERAL = ("|", ",")  # separators of labels in one cell; `;` is that of multi-label data
_OF_NUMBERS = ","  # among them


def merged(
    name: str, cells: Sequence[str], lines: Sequence[int]
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Map each spelling to its label; returns the mapping and notes on merged labels.

    Spellings that only differ in their Unicode form are one label, and so are 1 and 1.0.

    Args:
        name: the file, for messages.
        cells: stripped label of each row.
        lines: line of each row in the file.

    Raises:
        DataError: a label is a missing value, names several classes, or differs from another in
            case only.
    """
    counts = Counter(cells)
    first: dict[str, int] = {}
    for cell, line in zip(cells, lines, strict=True):
        first.setdefault(cell, line)
    _refuse_gaps(name, counts, first)
    spelled, notes = _one_spelling(counts)
    _refuse_several(name, spelled, first)
    _refuse_cases(name, spelled, first)
    return spelled, notes


def _refuse_gaps(name: str, counts: Mapping[str, int], first: Mapping[str, int]) -> None:
    values = values_spelled_as_gaps(counts)
    gaps = [cell for cell in counts if is_gap(cell) and cell not in values]
    if gaps:
        count = sum(counts[cell] for cell in gaps)
        raise DataError(
            f"{name}: line {first[gaps[0]]}: the label {gaps[0]!r} means a missing value "
            f"({count} rows); leave such rows out, or rename the class"
        )


def _one_spelling(counts: Mapping[str, int]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Map each spelling to its label: the shortest equal one, then the most frequent."""
    classes: dict[str, list[str]] = defaultdict(list)
    for cell in counts:
        composed = unicodedata.normalize("NFC", cell)
        whole = _NUMBER.fullmatch(composed)
        classes[composed.partition(".")[0] if whole else composed].append(cell)
    spelled: dict[str, str] = {}
    notes = []
    for alike in classes.values():
        label = min(alike, key=lambda cell: (len(cell), -counts[cell]))
        spelled |= dict.fromkeys(alike, label)
        if len(alike) > 1:
            shown = ", ".join(f"{cell!r} ({counts[cell]} rows)" for cell in alike)
            notes.append(f"labels that are the same, read as {label!r}: {shown}")
    return spelled, tuple(notes)


def _refuse_several(name: str, spelled: Mapping[str, str], first: Mapping[str, int]) -> None:
    """Reject cells that name several labels which other cells name alone."""
    labels = set(spelled.values())
    for mark in _SEVERAL:
        parts = {
            cell: [part.strip() for part in cell.split(mark)] for cell in spelled if mark in cell
        }
        shared = Counter(part for several in parts.values() for part in set(several))
        for cell, several in parts.items():
            known = [
                part in labels or (mark != _OF_NUMBERS and shared[part] > 1) for part in several
            ]
            if all(several) and all(known):
                raise DataError(
                    f"{name}: line {first[cell]}: the label {cell!r:.40} names several classes; "
                    f"keep one of them, name the combination without {mark!r}, or separate several "
                    "labels of one example by ';' (multi-label)"
                )


def _refuse_cases(name: str, spelled: Mapping[str, str], first: Mapping[str, int]) -> None:
    """Reject labels that differ in case only, unless they are single letters."""
    seen: dict[str, str] = {}
    for label in set(spelled.values()):
        other = seen.setdefault(label.casefold(), label)
        if other != label and len(label) > 1:
            low, high = sorted((label, other), key=first.__getitem__)
            raise DataError(
                f"{name}: line {first[high]}: the label {high!r:.40} differs from {low!r:.40} in "
                "capitals only; use one spelling for a class"
            )
