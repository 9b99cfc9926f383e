"""Rules for splitting a text into words: those of a contract, or of version 0.1.0.

Both give the same code points for a text in ASCII: its words in lower case, a space before each.
"""

from __future__ import annotations

import re

import numpy as np

from .unicode_contract import PythonUnicode, TableUnicode
from .unicode_tables import MARK, SPACE, WORD, code_points

# A word is a run of letters and digits; any other run of visible marks (":-)", "!!!", an emoji)
# is a word of its own, because it often carries the sentiment.
_TOKENS = re.compile(r"\w+|[^\w\s]+")
_BLANK = ord(" ")
_SPACE_KIND, _WORD_KIND, _OTHER_KIND, _MARK_KIND = range(4)
_KINDS = np.array(  # by properties
    [
        _SPACE_KIND
        if each & SPACE
        else _WORD_KIND
        if each & WORD
        else _MARK_KIND
        if each & MARK
        else _OTHER_KIND
        for each in range(2 * MARK)
    ],
    np.int8,
)
# The longest decomposition of one composed character, and a margin for a cut at the end.
_DECOMPOSED, _SLACK = 4, 32


class PythonWords(PythonUnicode):
    """Rules of version 0.1.0: Unicode of the running Python, no normalization."""

    def reach(self, most: int) -> int:
        """Return the number of characters of a text that can matter if `most` are used."""
        return most

    def words(self, text: str, most: int) -> np.ndarray:
        """Return code points of a text's words, with a space before each word, (codes,) uint32.

        Args:
            most: limit for the characters read, and for the code points returned.
        """
        return _joined(_TOKENS.findall(text[:most].lower()), most)


class TableWords(TableUnicode):
    """Rules with Unicode tables: NFC, case folded; marks belong to their base character.

    A text in ASCII needs no table: all versions of Unicode agree in it.
    """

    more = {"case": "folded"}  # noqa: RUF012  it is declared a ClassVar

    def reach(self, most: int) -> int:
        """See `PythonWords`; a composed character counts as four decomposed ones."""
        return _DECOMPOSED * most + _SLACK

    def words(self, text: str, most: int) -> np.ndarray:
        """See `PythonWords`."""
        if text.isascii():
            return _joined(_TOKENS.findall(text[:most].lower()), most)
        normalized = self.tables.normalized(code_points(text[: self.reach(most)]))[:most]
        codes, properties = self.tables.folded(normalized)
        kinds = _kinds(properties)
        visible = kinds != _SPACE_KIND
        starts = visible.copy()
        starts[1:] &= kinds[1:] != kinds[:-1]
        # Each word moves the following code points by one place, for the space before it.
        places = (visible.view(np.int8) + starts.view(np.int8)).cumsum() - 1
        joined = np.full(places[-1] + 1, _BLANK, np.uint32)
        joined[places[visible]] = codes[visible]
        return joined[:most]


def _joined(tokens: list[str], most: int) -> np.ndarray:
    return code_points((" " + " ".join(tokens))[:most]) if tokens else np.empty(0, np.uint32)


def _kinds(properties: np.ndarray) -> np.ndarray:
    """Classify code points as _SPACE_KIND, _WORD_KIND or _OTHER_KIND, (codes,) int8.

    Marks have the kind of the character before them.
    """
    kinds: np.ndarray = _KINDS[properties & (WORD | SPACE | MARK)]
    marks = kinds == _MARK_KIND
    if marks.any():
        bearers = np.where(marks, -1, np.arange(len(kinds)))
        before = np.maximum.accumulate(bearers)[marks]
        # After a space, or at the beginning, a mark is a character of its own.
        alone = (before < 0) | (kinds[before] == _SPACE_KIND)
        kinds[marks] = np.where(alone, np.int8(_OTHER_KIND), kinds[before])
    return kinds
