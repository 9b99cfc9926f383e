"""Unicode tables of the running Python, for features created by a training."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

import numpy as np

from .unicode_tables import (
    CODE_POINTS,
    COMBINING_SHIFT,
    FOLDED,
    HIDDEN,
    MARK,
    SPACE,
    T_BASE,
    T_COUNT,
    UNSTABLE,
    V_BASE,
    V_COUNT,
    WORD,
    UnicodeTables,
)

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
VERSION = unicodedata.unidata_version
_FLAGS = {"Cc": HIDDEN, "Cf": HIDDEN, "Cs": HIDDEN, "Mn": MARK, "Mc": MARK, "Me": MARK}
_EMPTY = frozenset(("Cn", "Co"))


@lru_cache(2)
def unicode_tables(form: Form) -> UnicodeTables:
    """Build tables of this Python for a normalization form, "NFC" or "NFKC", in half a second."""
    categories = list(map(unicodedata.category, map(chr, range(CODE_POINTS))))
    flags = np.fromiter((_FLAGS.get(category, 0) for category in categories), np.int32, CODE_POINTS)
    # All other code points have no property: unassigned ones, and those for private use.
    assigned = [code for code, category in enumerate(categories) if category not in _EMPTY]
    characters = list(map(chr, assigned))
    decompositions = _decompositions(characters, "NFKD" if form == "NFKC" else "NFD")
    compositions = _compositions(decompositions)
    folds = {
        code: list(map(ord, folded))
        for code, one, folded in zip(
            assigned, characters, map(str.casefold, characters), strict=True
        )
        if folded != one
    }
    flags[assigned] |= np.fromiter(map(str.isalnum, characters), bool) * np.int32(WORD)
    flags[assigned] |= np.fromiter(map(str.isspace, characters), bool) * np.int32(SPACE)
    flags[ord("_")] |= WORD
    flags[list(folds)] |= FOLDED
    combining = np.fromiter(map(unicodedata.combining, characters), np.int32)
    flags[assigned] |= combining << COMBINING_SHIFT
    flags[_unstable(form, flags, decompositions, compositions)] |= UNSTABLE
    starts = np.flatnonzero(np.diff(flags, prepend=-1)).astype(np.int32)
    return UnicodeTables(
        np.stack([starts, flags[starts]], 1),
        _mapping(decompositions),
        compositions,
        _mapping(folds),
    )


def _decompositions(characters: list[str], form: Form) -> dict[int, list[int]]:
    """Build full decompositions, without Hangul syllables, which follow a rule."""
    found = {}
    for one in characters:
        if unicodedata.decomposition(one):
            decomposed = unicodedata.normalize(form, one)
            if decomposed != one:
                found[ord(one)] = list(map(ord, decomposed))
    return found


def _compositions(decompositions: Mapping[int, list[int]]) -> np.ndarray:
    """Build pairs that compose and their results: canonical decompositions that NFC reverses."""
    pairs = []
    for code in decompositions:
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            first, second = (int(part, 16) for part in parts)
            if unicodedata.normalize("NFC", chr(first) + chr(second)) == chr(code):
                pairs.append((first, second, code))
    return np.array(sorted(pairs), np.int32).reshape(-1, 3)


def _unstable(
    form: Form,
    flags: np.ndarray,
    decompositions: Mapping[int, list[int]],
    compositions: np.ndarray,
) -> np.ndarray:
    """Find marks, code points that the form changes, and those that join the one before them."""
    unstable: np.ndarray = flags >> COMBINING_SHIFT != 0
    unstable[compositions[:, 1]] = True
    unstable[V_BASE : V_BASE + V_COUNT] = True
    unstable[T_BASE + 1 : T_BASE + T_COUNT] = True
    for code, decomposed in decompositions.items():
        changed = unicodedata.normalize(form, chr(code)) != chr(code)
        unstable[code] |= changed or bool(unstable[decomposed[0]])
    return unstable


def _mapping(found: Mapping[int, list[int]]) -> tuple[np.ndarray, np.ndarray]:
    keys = np.array([(code, len(found[code])) for code in sorted(found)], np.int32)
    targets = [each for code in sorted(found) for each in found[code]]
    return keys.reshape(-1, 2), np.array(targets, np.int32)
