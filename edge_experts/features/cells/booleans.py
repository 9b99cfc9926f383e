"""Spellings of true and false, in any case."""

from __future__ import annotations

from collections.abc import Iterable

_TRUE = {"true", "t", "yes", "y", "on", "1", "1.0", "ja", "j", "oui", "si", "s\u00ed", "sim"}
_FALSE = {"false", "f", "no", "n", "off", "0", "0.0", "nein", "non", "n\u00e3o"}
_WORDS = {
    **dict.fromkeys([*_TRUE, "wahr", "vrai", "vero", "verdadero", "verdadeiro", "waar"], True),
    **dict.fromkeys([*_FALSE, "falsch", "faux", "falso", "onwaar", "nee"], False),
}


def boolean(text: str) -> bool | None:
    """Parse a cell as a boolean; None if it is neither true nor false."""
    return _WORDS.get(text.strip().casefold())


def are_booleans(texts: Iterable[str]) -> bool:
    """Test that all cells are booleans, both values occur, and one is a word, not 0 or 1."""
    found = {text: boolean(text) for text in texts}
    words = any(not text.strip()[:1].isdigit() for text in found)
    return words and set(found.values()) == {True, False}
