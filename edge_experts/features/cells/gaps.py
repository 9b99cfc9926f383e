"""Spellings of gaps: cells that mean that nothing was measured.

Most spellings are gaps in every column. Three kinds may be values of a category, if the column's
counts show it: words and signs (`none`, `-`, `missing`) in at least a twentieth of its filled
cells, and `NA` in a column of codes of two capital letters (Namibia among countries).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

SPELLINGS = frozenset(
    {
        *("", "na", "n/a", "n.a.", "n.a", "nan", "-nan", "+nan", "null", "(null)", "<na>", "nat"),
        *("<null>", "nul", "#n/a", "#n/a n/a", "#na", "#div/0!", "#value!", "#ref!", "#num!"),
        *("#name?", "#null!", "#nv", "#wert!", "\\n", "1.#qnan", "-1.#qnan", "1.#ind", "-1.#ind"),
        *(
            "1.#snan",
            "nan(ind)",
            "-nan(ind)",
            "?",
            "??",
            "???",
            ".",
            "..",
            "...",
            "\u2026",
            "<none>",
        ),
        *("none", "nil", "-", "--", "---", "\u2013", "\u2014", "\u2212", "missing", "undefined"),
        *("no data", "not available", "not applicable", "k.a.", "k. a.", "(blank)", "[null]"),
    }
)
_CAN_BE_VALUES = frozenset(
    {"none", "nil", "-", "--", "---", "\u2013", "\u2014", "\u2212", "missing", "not applicable"}
)
_LEAST_SHARE = 0.05  # of the filled cells of a column


def is_gap(text: str) -> bool:
    """Test for a cell that is a gap in every column of numbers."""
    return text.strip().casefold() in SPELLINGS


def values_spelled_as_gaps(counts: Mapping[str, int]) -> list[str]:
    """Find cells of a category that are spelled as gaps but are values, sorted.

    Args:
        counts: number of cells with each text, stripped, in one column.
    """
    filled = sum(count for text, count in counts.items() if text)
    spelled = [text for text in counts if text and is_gap(text)]
    others = [text for text in counts if text and not is_gap(text)]
    codes = len(others) > 1 and all(
        len(text) == 2 and text.isascii() and text.isalpha() and text.isupper() for text in others
    )
    words = Counter[str]()
    for text in spelled:
        words[text.casefold()] += counts[text]
    return sorted(
        text
        for text in spelled
        if (text == "NA" and codes)
        or (
            text.casefold() in _CAN_BE_VALUES
            and words[text.casefold()] >= _LEAST_SHARE * filled
            and others
        )
    )
