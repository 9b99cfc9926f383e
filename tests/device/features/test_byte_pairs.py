"""Byte pairs: any text comes back as it was, and merges are applied in their order."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts import features
from edge_experts.errors import UsageError
from edge_experts.features.byte_pairs import (
    END,
    FIRST_BYTE,
    FIRST_PIECE,
    MOST_CHARACTERS,
    BytePairFeatures,
    lexicon_of,
)

# As sentencepiece gives them: U+2581 stands for a space.
LEARNED = ("\u2581t", "he", "\u2581the", "\u2581\u2581", "in", "\u2581in", "\u00e4", "th")
PAIRS = BytePairFeatures(lexicon_of(LEARNED))
SPACED = " \n\t\u2581the in\u00e4\r\0\u3000\ud800"


@given(st.text() | st.text(st.sampled_from(SPACED)))
def test_every_text_comes_back(text: str) -> None:
    assert PAIRS.text(PAIRS.tokens(text)) == text


def test_100_000_random_texts_come_back() -> None:
    draw = random.Random(0)
    for _ in range(100_000):
        most = draw.choice([0x80, 0x800, 0x110000])
        text = "".join(chr(draw.randrange(most)) for _ in range(draw.randrange(12)))
        assert PAIRS.text(PAIRS.tokens(text)) == text


def test_the_earliest_merge_is_first() -> None:
    place = {piece: FIRST_PIECE + index for index, piece in enumerate(LEARNED)}
    assert PAIRS.tokens(" the") == [place["\u2581the"]]
    # "he" was learned before "th".
    assert PAIRS.tokens("the") == [FIRST_BYTE + ord("t"), place["he"]]
    assert PAIRS.tokens("    the") == [
        *(place["\u2581\u2581"], FIRST_BYTE + ord(" "), place["\u2581the"])
    ]


def test_a_mark_of_a_space_in_a_text_is_no_space() -> None:
    marked = PAIRS.tokens("\u2581the")
    assert marked != PAIRS.tokens(" the")
    assert bytes(token - FIRST_BYTE for token in marked[:3]) == "\u2581".encode()


def test_it_is_restored_from_its_arrays() -> None:
    again = features.restore(PAIRS.kind, PAIRS.settings, PAIRS.arrays)
    assert isinstance(again, BytePairFeatures)
    encoded = again.encode(" the \u00e4")
    assert encoded["tokens"].tolist() == [PAIRS.tokens(" the \u00e4")]
    assert encoded["tokens"].dtype == np.int32
    assert again.size == PAIRS.size


def test_what_is_no_text_is_refused() -> None:
    with pytest.raises(UsageError, match="must be a text, got int"):
        PAIRS.encode(5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at most 1,000,000 characters, got 1,000,001"):
        PAIRS.encode("a" * (MOST_CHARACTERS + 1))


def test_the_end_has_no_text() -> None:
    assert PAIRS.text([END, *PAIRS.tokens("in"), END]) == "in"
