"""Speakers, machines or places of recordings, as names of files and folders state them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..label_folders.label_folder import LabelledFile

_MARK = "_nohash_"  # of Speech Commands: 004ae714_nohash_0.wav is of the speaker 004ae714
_NAMED = 3


def speaker_of(file: LabelledFile) -> str:
    """The folder between a file and its label's, else the name before `_nohash_`, else ""."""
    if file.between:
        return "/".join(file.between)
    before, mark, _ = file.path.name.partition(_MARK)
    return before if mark else ""


def joined(groups: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Join groups that have a name in common.

    Args:
        groups: index of the first example of each one's group, (examples,).
        names: of each example; "" for none.

    Returns:
        Indices of the same form.
    """
    owner = groups.copy()

    def root(place: int) -> int:
        while owner[place] != place:
            owner[place] = owner[owner[place]]
            place = owner[place]
        return place

    first: dict[str, int] = {}
    for place, name in enumerate(names):
        if name:
            low, high = sorted((root(place), root(first.setdefault(name, place))))
            owner[high] = low
    return np.array([root(place) for place in range(len(owner))], np.int64)


def notes(names: Sequence[str], splits: np.ndarray) -> list[str]:
    """Sentences on the speakers: how many, and those in several splits."""
    of_speaker: dict[str, set[str]] = {}
    for name, split in zip(names, splits.tolist(), strict=True):
        if name:
            of_speaker.setdefault(name, set()).add(split)
    several = sorted(name for name, found in of_speaker.items() if len(found) > 1)
    if several:
        more = f" and {len(several) - _NAMED:,} more" if len(several) > _NAMED else ""
        return [
            f"Warning: {len(several):,} of {len(of_speaker):,} speakers are in several splits, so "
            f"that the accuracy is too high: {', '.join(several[:_NAMED])}{more}"
        ]
    if len(of_speaker) > 1:
        return [f"sounds of {len(of_speaker):,} speakers, each in one split"]
    if of_speaker:
        return ["Warning: all sounds are of one speaker; the accuracy for others is not known"]
    return []
