"""Random texts of all of Unicode, the same on every machine and version."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_LONGEST = 40
# Ranges whose characters compose, mark, fold, join, or differ between versions of Unicode.
_RANGES = (
    (0x20, 0x7F),
    (0xA0, 0x250),
    (0x300, 0x370),  # combining marks
    (0x370, 0x400),  # Greek, with final sigma
    (0x590, 0x700),  # Hebrew and Arabic marks
    (0x900, 0x980),  # Devanagari
    (0xE00, 0xE80),  # Thai
    (0x1100, 0x1200),  # Hangul letters, which compose
    (0x1C80, 0x1CC0),
    (0x1DC0, 0x2070),  # Greek with marks, spaces, joiners
    (0x20D0, 0x2100),
    (0xA640, 0xA830),
    (0xAC00, 0xD7B0),  # Hangul syllables
    (0xD800, 0xE000),  # lone surrogates
    (0xFB00, 0xFE10),
    (0x10D40, 0x10EC0),
    (0x11000, 0x12000),
    (0x16D40, 0x16D80),
    (0x1D100, 0x1D200),
    (0x1E000, 0x1E900),
    (0x1F300, 0x1FB00),  # emoji
)
_WORDS = (
    "ΟΔΟΣ",
    "ὈΔΥΣΣΕΎΣ",
    "İstanbul",
    "DİYARBAKIR",
    "\u0131",
    "STRASSE",
    "Straße",
    "ǅ",
    "ŉ",
    "e\u0301",
)


def random_texts(count: int, seed: int = 0) -> Iterator[str]:
    """Draw texts of up to 40 characters: any code points, and ranges where versions differ.

    Args:
        seed: for numpy's own generator, which draws the same numbers in every version.
    """
    random = np.random.default_rng(seed)
    for _ in range(count):
        length, kind = int(random.integers(1, _LONGEST)), int(random.integers(4))
        if kind == 0:
            codes = random.integers(0, 0x110000, length)
        elif kind == 1:
            start, end = _RANGES[int(random.integers(len(_RANGES)))]
            codes = random.integers(start, end, length)
        else:
            chosen = np.array(_RANGES)[random.integers(0, len(_RANGES), length)]
            codes = chosen[:, 0] + random.integers(0, 2**31, length) % np.diff(chosen)[:, 0]
        text = "".join(map(chr, codes.tolist()))
        word = _WORDS[int(random.integers(len(_WORDS)))]
        yield f"{text}{word}" if kind == 3 else text
