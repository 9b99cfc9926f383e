"""Rules for cleaning sentences before tokenization: those of a contract, or of version 0.1.0.

Both produce composed characters and one space between words, without control characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np

from .unicode_contract import PythonUnicode, TableUnicode
from .unicode_tables import COMBINING_SHIFT, HIDDEN, SPACE, characters, code_points

WORD_START = "\u2581"  # marks a piece at the beginning of a word
# On one character, also when composing: https://unicode.org/reports/tr15/#Stream_Safe_Text_Format
_MOST_MARKS = 30
_BLANK = ord(" ")
_ASCII = {code: None for code in range(128) if not (chr(code).isspace() or chr(code).isprintable())}


class PythonSentences(PythonUnicode):
    """Rules of version 0.1.0: Unicode of the running Python."""

    def normalized(self, text: str) -> str:
        """Clean the text. Cleaning it again has no effect."""
        return " ".join(unicodedata.normalize("NFC", "".join(_shown(text))).split())


class TableSentences(TableUnicode):
    """Rules with Unicode tables, which ASCII does not need: all versions agree in it."""

    def normalized(self, text: str) -> str:
        """See `PythonSentences`."""
        if text.isascii():
            return " ".join(text.translate(_ASCII).split())
        codes = code_points(text.replace(WORD_START, " "))
        properties = self.tables.properties(codes)
        spaces = (properties & SPACE) != 0
        shown = spaces | ((properties & HIDDEN) == 0)
        codes = np.where(spaces, np.uint32(_BLANK), codes)[shown]
        marks = (properties[shown] >> COMBINING_SHIFT != 0) & ~spaces[shown]
        codes = self.tables.normalized(codes[~_beyond(marks)])
        return " ".join(filter(None, characters(codes).split(" ")))


def _beyond(marks: np.ndarray) -> np.ndarray:
    """Mark combining marks beyond the first 30 on one character, (characters,) bool."""
    places = np.arange(len(marks))
    bearers = np.maximum.accumulate(np.where(marks, -1, places))
    beyond: np.ndarray = marks & (places - bearers > _MOST_MARKS)
    return beyond


def _shown(text: str) -> Iterator[str]:
    """Yield visible characters and spaces; only the first combining marks on a character."""
    marks = 0
    for character in text:
        if character.isspace() or character == WORD_START:
            yield " "
        elif unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
            marks = marks + 1 if unicodedata.combining(character) else 0
            if marks <= _MOST_MARKS:
                yield character
