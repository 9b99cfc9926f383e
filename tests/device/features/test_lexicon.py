"""The places of pieces, whatever they are spelled with."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.features.lexicon import Lexicon

PIECES = st.lists(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=9),
    min_size=1,
    max_size=60,
)


@given(PIECES, st.binary(max_size=9))
def test_it_finds_what_a_dict_finds(pieces: list[str], other: bytes) -> None:
    places = {piece.encode(): place for place, piece in enumerate(dict.fromkeys(pieces))}
    lexicon = Lexicon.of(dict.fromkeys(pieces))
    assert len(lexicon) == len(places)
    for piece, place in places.items():
        assert lexicon.place(piece) == place
        assert lexicon[place] == piece
        assert lexicon.place(piece + b"\n") is None
    assert lexicon.place(other) == places.get(other)
    assert Lexicon(lexicon.packed).packed == lexicon.packed


@given(PIECES, st.data())
def test_none_stands_twice(pieces: list[str], data: st.DataObject) -> None:
    again = data.draw(st.sampled_from(pieces))
    with pytest.raises(ValueError, match="twice"):
        Lexicon.of([*dict.fromkeys(pieces), again])


def test_it_is_utf_8() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        Lexicon(b"a\n\xff")


def test_it_takes_little_memory() -> None:
    packed = "\n".join(f"\u2581piece{number}" for number in range(8000)).encode()
    tracemalloc.start()
    lexicon = Lexicon(packed)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(lexicon) == 8000
    assert kept < 200_000
    assert peak < 500_000
