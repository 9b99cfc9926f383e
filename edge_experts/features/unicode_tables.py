"""Unicode tables stored with features: the same characters on every Python and platform.

Every version of Python includes another version of Unicode: a character may be a letter in one
version and unassigned in another, so that `str.lower`, `\\w` and `unicodedata.normalize` differ.
The tables of the Python that ran the training are stored as a few arrays of ranges; lookups are
binary searches, and the 1.1 million code points are never expanded.

Terms: a code point is *stable* if normalization neither changes it nor joins it to the code point
before it. A text is normalized by its clusters, each a stable character with the unstable ones
after it; a text of stable characters only is already normalized.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from ..format.limits import LIMITS

FORMS = ("NFC", "NFKC")
CODE_POINTS = 0x110000
# Properties of a range; its canonical combining class is above them.
WORD, SPACE, MARK, HIDDEN, UNSTABLE, FOLDED = 1, 2, 4, 8, 16, 32
COMBINING_SHIFT = 8
_COMBINING = 0xFF
_LONGEST_MAPPING = 18  # code points of the longest decomposition, in Unicode's compatibility forms
_CACHED_CLUSTERS = 1024
_CACHED_LENGTH = 16  # code points of the longest cluster that is cached
# Hangul is composed by rule: https://www.unicode.org/versions/Unicode15.0.0/ch03.pdf, 3.12
S_BASE, L_BASE, V_BASE, T_BASE = 0xAC00, 0x1100, 0x1161, 0x11A7
L_COUNT, V_COUNT, T_COUNT = 19, 21, 28
_N_COUNT = V_COUNT * T_COUNT
_S_COUNT = L_COUNT * _N_COUNT


def code_points(text: str) -> np.ndarray:
    """Return a text's code points, (characters,) uint32; lone surrogates too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def characters(codes: np.ndarray) -> str:
    """Return the text of code points."""
    return codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")


class UnicodeTables:
    """Properties, normalization and case folding by tables of one Unicode version.

    Args:
        ranges: (ranges, 2) int32: the first code point of each, from 0 up, and its properties.
        decompositions: (keys, 2) int32, a code point and the number of code points of its full
            decomposition; and (all,) int32, these.
        compositions: (pairs, 3) int32: two code points in their order, and their composition.
        folds: as `decompositions`, for case folding.

    Raises:
        ValueError: the arrays are not such tables.
    """

    def __init__(
        self,
        ranges: np.ndarray,
        decompositions: tuple[np.ndarray, np.ndarray],
        compositions: np.ndarray,
        folds: tuple[np.ndarray, np.ndarray],
    ):
        starts, properties = _rows("ranges", ranges, 2).T
        if not len(starts) or starts[0] != 0 or (np.diff(starts) <= 0).any():
            raise ValueError("unicode ranges must ascend from 0")
        if properties.min() < 0 or properties.max() >= 2**16:
            raise ValueError("unicode properties must be of 16 bits")
        self._starts = _code_points("ranges", starts)
        self._properties = properties.astype(np.uint16)
        self._decompositions = _Mapping("decompositions", *decompositions)
        self._folds = _Mapping("folds", *folds)
        widths = np.diff(self._starts, append=CODE_POINTS)
        folded = widths[(self._properties & FOLDED) != 0].sum()
        if folded != len(folds[0]) or not (self.properties(folds[0][:, 0]) & FOLDED).all():
            raise ValueError("unicode folds must be of the code points whose properties say so")
        table = _rows("compositions", compositions, 3)
        for column in table.T:
            _code_points("compositions", np.ascontiguousarray(column))
        pairs = table[:, 0].astype(np.int64) * CODE_POINTS + table[:, 1]
        order = np.argsort(pairs)
        self._pairs, self._composites = pairs[order], table[order, 2]
        self._cluster = lru_cache(_CACHED_CLUSTERS)(self._composed)

    @classmethod
    def restore(cls, arrays: Mapping[str, np.ndarray]) -> UnicodeTables:
        """Restore tables from `arrays`, which stores differences: half the bytes once compressed.

        Raises:
            KeyError: an array is missing.
            ValueError: as the class.
        """
        folded = _summed("folded", arrays["unicode_folded"], [0])
        folds = _rows("folds", arrays["unicode_folds"].reshape(-1, 1), 1)[:, 0].astype(np.int64)
        if folded[:, 1].min(initial=0) < 0 or folded[:, 1].sum() != len(folds):
            raise ValueError("unicode folds must have as many code points as they say")
        return cls(
            _summed("ranges", arrays["unicode_ranges"], [0]),
            (
                _summed("decomposed", arrays["unicode_decomposed"], [0]),
                _narrow("decompositions", arrays["unicode_decompositions"]),
            ),
            _summed("compositions", arrays["unicode_compositions"], [0, 1, 2]),
            (folded, _narrow("folds", folds + np.repeat(folded[:, 0], folded[:, 1]))),
        )

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        first, second = np.divmod(self._pairs, CODE_POINTS)
        compositions = np.stack([first, second, self._composites], 1)
        by_composite = compositions[np.argsort(self._composites, kind="stable")]
        folded = self._folds.keys
        return {
            "unicode_ranges": _differences(
                np.stack([self._starts, self._properties.astype(np.int32)], 1), [0]
            ),
            "unicode_decomposed": _differences(self._decompositions.keys, [0]),
            "unicode_decompositions": self._decompositions.targets,
            "unicode_compositions": _differences(by_composite, [0, 1, 2]),
            "unicode_folded": _differences(folded, [0]),
            "unicode_folds": self._folds.targets - np.repeat(folded[:, 0], folded[:, 1]),
        }

    def properties(self, codes: np.ndarray) -> np.ndarray:
        """Look up properties of code points, (codes,) uint16."""
        places = self._starts.searchsorted(codes.astype(np.int32, copy=False), side="right")
        found: np.ndarray = self._properties[places - 1]
        return found

    def normalized(self, codes: np.ndarray) -> np.ndarray:
        """Normalize a text's code points, (codes,) uint32, to the tables' form."""
        unstable = (self.properties(codes) & UNSTABLE) != 0
        if not unstable.any():
            return codes
        parts: list[np.ndarray | list[int]] = []
        done = 0
        for start, end in _clusters(unstable):
            cluster = tuple(codes[start:end].tolist())
            compose = self._cluster if len(cluster) <= _CACHED_LENGTH else self._composed
            parts += [codes[done:start], compose(cluster)]
            done = end
        composed: np.ndarray = np.concatenate([*parts, codes[done:]]).astype(np.uint32)
        return composed

    def folded(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fold the case of code points, and return their properties too."""
        properties = self.properties(codes)
        places = (properties & FOLDED).nonzero()[0]
        if not len(places):
            return codes, properties
        starts, lengths = self._folds.spans(codes[places])
        if lengths.max() > 1:
            repeats = np.ones(len(codes), np.intp)
            repeats[places] = lengths
            first = repeats.cumsum() - repeats
            codes, places = codes.repeat(repeats), first[places]
            for more in range(1, int(lengths.max())):
                longer = lengths > more
                codes[places[longer] + more] = self._folds.targets[starts[longer] + more]
        else:
            codes = codes.copy()
        codes[places] = self._folds.targets[starts]
        return codes, self.properties(codes)

    def _composed(self, cluster: tuple[int, ...]) -> list[int]:
        """Decompose, order marks canonically, compose: https://www.unicode.org/reports/tr15/"""
        codes = [each for code in cluster for each in self._decomposed(code)]
        ordered: list[tuple[int, int]] = []
        marks: list[tuple[int, int]] = []
        for code in codes:
            combining = self._combining(code)
            if combining:
                marks.append((combining, code))
                continue
            ordered += sorted(marks, key=_first)  # stable, as canonical ordering requires
            ordered.append((0, code))
            marks = []
        ordered += sorted(marks, key=_first)
        return self._compose(ordered)

    def _compose(self, ordered: list[tuple[int, int]]) -> list[int]:
        found: list[int] = []
        starter = -1  # index of the last character that others can compose with
        last = 0  # combining class of the last character that did not compose
        for combining, code in ordered:
            joined = None
            # Blocked by a mark of the same or a higher class, or by a starter, between the two.
            if starter >= 0 and (last < combining or (last == 0 and starter == len(found) - 1)):
                joined = self._composite(found[starter], code)
            if joined is not None:
                found[starter] = joined
                continue
            if combining == 0:
                starter = len(found)
            last = combining
            found.append(code)
        return found

    def _decomposed(self, code: int) -> list[int]:
        place = code - S_BASE
        if not 0 <= place < _S_COUNT:
            return self._decompositions.of(code) or [code]
        tail = place % T_COUNT
        syllable = [L_BASE + place // _N_COUNT, V_BASE + place % _N_COUNT // T_COUNT]
        return [*syllable, T_BASE + tail] if tail else syllable

    def _composite(self, first: int, second: int) -> int | None:
        lead, vowel = first - L_BASE, second - V_BASE
        if 0 <= lead < L_COUNT and 0 <= vowel < V_COUNT:
            return S_BASE + (lead * V_COUNT + vowel) * T_COUNT
        syllable, tail = first - S_BASE, second - T_BASE
        if 0 <= syllable < _S_COUNT and syllable % T_COUNT == 0 and 0 < tail < T_COUNT:
            return first + tail
        pair = first * CODE_POINTS + second
        place = int(np.searchsorted(self._pairs, pair))
        if place == len(self._pairs) or self._pairs[place] != pair:
            return None
        return int(self._composites[place])

    def _combining(self, code: int) -> int:
        place = bisect_right(self._starts.data, code) - 1
        return int(self._properties[place]) >> COMBINING_SHIFT & _COMBINING


class _Mapping:
    """Mapping of code points to sequences of code points."""

    def __init__(self, name: str, keys: np.ndarray, targets: np.ndarray):
        self.keys = _rows(name, keys, 2)
        self.targets = _code_points(name, targets)
        codes, lengths = self.keys.T
        self._codes = _code_points(name, codes)
        if (np.diff(codes) <= 0).any():
            raise ValueError(f"unicode {name} must ascend")
        if len(lengths) and not (lengths.min() >= 1 and lengths.max() <= _LONGEST_MAPPING):
            raise ValueError(f"unicode {name} must be of 1 to {_LONGEST_MAPPING} code points")
        if lengths.sum() != len(targets):
            raise ValueError(f"unicode {name} must have as many code points as they say")
        self._ends = np.cumsum(lengths, dtype=np.int64)

    def spans(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the start in `targets` of each key's sequence, and its length, at least 1."""
        places = self._codes.searchsorted(codes.astype(np.int32))
        lengths = self.keys[places, 1]
        return self._ends[places] - lengths, lengths

    def of(self, code: int) -> list[int] | None:
        place = bisect_right(self._codes.data, code) - 1
        if place < 0 or self._codes[place] != code:
            return None
        end = int(self._ends[place])
        found: list[int] = self.targets[end - int(self.keys[place, 1]) : end].tolist()
        return found


def _first(pair: tuple[int, int]) -> int:
    return pair[0]


def _clusters(unstable: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield start and end of each run of unstable code points, with the one before it."""
    edges = np.flatnonzero(np.diff(unstable.astype(np.int8), prepend=0, append=0)).tolist()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield max(0, start - 1), end


def _differences(table: np.ndarray, columns: list[int]) -> np.ndarray:
    """Store some columns of a table as differences of rows, (columns, rows) int32."""
    packed = table.T.copy()
    packed[columns] = np.diff(packed[columns], prepend=0)
    return packed.astype(np.int32)


def _summed(name: str, packed: np.ndarray, columns: list[int]) -> np.ndarray:
    """Restore a table from differences of rows; the inverse of `_differences`."""
    if packed.ndim != 2 or len(packed) <= max(columns):
        raise ValueError(
            f"unicode {name} must have two dimensions and {max(columns) + 1} columns or more, got "
            f"the shape {packed.shape}"
        )
    rows = _rows(name, packed.T, len(packed)).astype(np.int64)
    rows[:, columns] = np.cumsum(rows[:, columns], axis=0)
    return _narrow(name, rows)


def _rows(name: str, array: np.ndarray, columns: int) -> np.ndarray:
    """Check that the array is a table of int32, and return it."""
    if array.dtype != np.int32 or array.ndim != 2 or array.shape[1] != columns:
        raise ValueError(f"unicode {name} must be of {columns} columns of int32")
    if len(array) > LIMITS.unicode_rows:
        raise ValueError(f"unicode {name} must have at most {LIMITS.unicode_rows} rows")
    return array


def _narrow(name: str, array: np.ndarray) -> np.ndarray:
    """Convert the array to int32."""
    if array.size and (array.min() < -(2**31) or array.max() >= 2**31):
        raise ValueError(f"unicode {name} must be int32")
    return np.ascontiguousarray(array, np.int32)


def _code_points(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1 or array.dtype != np.int32 or len(array) > LIMITS.unicode_rows:
        raise ValueError(f"unicode {name} must be one column of int32")
    if len(array) and not (array.min() >= 0 and array.max() < CODE_POINTS):
        raise ValueError(f"unicode {name} must be below {CODE_POINTS:#x}")
    return np.ascontiguousarray(array)
