"""Refusal of regular expressions of strangers that could take exponential time.

Oniguruma, which the `tokenizers` library matches by, backtracks. The time grows exponentially only
where a repeated group can match one text in several ways: if it contains a choice or a repetition
of its own; or with the number of repetitions in a row. The patterns of published tokenizers have no
such group, and few repetitions.
"""

from __future__ import annotations

import re

from ..format.limits import LIMITS

_PART = re.compile(
    r"""
    (?P<escape>\\(?:[pP]\{\^?[A-Za-z_]+\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[^1-9kgXRKyY]))
    |(?P<set>\[\^?\]?(?:\\.|[^\\\]\[])*\])
    |(?P<open>\((?:\?(?:[imx-]+:|[:=!>]|<[=!])|(?!\?)))
    |(?P<close>\))
    |(?P<repeat>[*+]|\{\d*,?\d*\})
    |(?P<optional>\?)
    |(?P<choice>\|)
    |(?P<plain>[^\\\[\](){}*+?|])
    """,
    re.VERBOSE | re.DOTALL,
)
_FIXED = re.compile(r"\{[1-8]\}")


def refuse_slow(pattern: str) -> None:
    """Raise ValueError for a pattern that may take exponential time, or is not understood."""
    if not 0 < len(pattern) <= LIMITS.pattern_characters:
        raise ValueError(f"a pattern must have 1 to {LIMITS.pattern_characters} characters")
    varies = [False]  # for each open group: it has a choice or a repetition
    closed = False  # the part before is a group, and it varies
    place = repeats = 0
    while place < len(pattern):
        part = _PART.match(pattern, place)
        if part is None:
            raise ValueError(
                f"the pattern {pattern!r:.80} is not understood at character {place + 1}"
            )
        kind, text, place = str(part.lastgroup), part[0], part.end()
        if kind == "close":
            if len(varies) == 1:
                raise ValueError(f"the pattern {pattern!r:.80} closes a group that is not open")
            closed = varies.pop()
            varies[-1] |= closed
            continue
        if kind == "repeat" and closed and not _FIXED.fullmatch(text):
            raise ValueError(
                f"the pattern {pattern!r:.80} repeats a group with a choice or a repetition in "
                "it, which may take exponential time"
            )
        if kind == "choice":
            repeats = 0
        elif kind in ("repeat", "optional"):
            repeats += 1
            if repeats > LIMITS.pattern_repeats:
                raise ValueError(
                    f"the pattern {pattern!r:.80} has more than {LIMITS.pattern_repeats} "
                    "repetitions in a row, which may take exponential time"
                )
        if kind == "open":
            varies.append(False)
        elif kind in ("repeat", "optional", "choice") and not _FIXED.fullmatch(text):
            varies[-1] = True
        # A repeated group may be repeated again: `(a|b){2}*`.
        closed = closed and kind in ("repeat", "optional")
    if len(varies) != 1:
        raise ValueError(f"the pattern {pattern!r:.80} has a group that is not closed")
