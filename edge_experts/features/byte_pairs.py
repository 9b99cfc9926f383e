"""Tokenization of any text, and back without loss: byte-pair encoding in plain Python.

The vocabulary is learned on the host by sentencepiece (Kudo and Richardson, 2018,
https://arxiv.org/abs/1808.06226). A text is not normalized and keeps its spaces and line feeds.
Characters without a token are written as their bytes in UTF-8. Only ASCII spaces and line feeds
separate words, so that the tokens do not depend on a Python's Unicode tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .lexicon import Lexicon
from .merges import ids, merged, spelled
from .utf8 import decoded
from .vocabulary import MOST_CHARACTERS, Vocabulary

__all__ = ["END", "FIRST_BYTE", "FIRST_PIECE", "MOST_CHARACTERS", "BytePairFeatures", "lexicon_of"]

END = 0  # id of the end of a text, which also precedes its first token
FIRST_BYTE = 1
FIRST_PIECE = FIRST_BYTE + 256
_CACHED_WORDS = 8192
# Spaces belong to the word that follows, one of them; longer runs of spaces are words themselves.
# Words are cut at 64 characters, since merging is quadratic.
_WORDS = re.compile(r"\n| +(?= [^ \n])| ?[^ \n]{1,64}| +")


class BytePairFeatures(Vocabulary):
    """Conversion of a text to `tokens`, (1, tokens) int32, and of tokens to text.

    Args:
        pieces: the vocabulary's pieces, the earliest merge first, with spaces as they are; the ids
            before them are `END` and the 256 bytes.
        cached_words: words whose tokens are kept; a training needs many.
    """

    kind = "byte-pairs"
    start = ends = (END,)

    def __init__(self, pieces: Lexicon, cached_words: int = _CACHED_WORDS):
        self._pieces = pieces
        self._word = lru_cache(cached_words)(self._tokens_of)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> BytePairFeatures:
        packed = arrays["pieces"]
        if packed.dtype != np.uint8 or packed.ndim != 1:
            raise ValueError("pieces must be bytes")
        return cls(Lexicon(packed.tobytes()))

    @property
    def settings(self) -> dict[str, Any]:
        return {}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"pieces": np.frombuffer(self._pieces.packed, np.uint8)}

    @property
    def size(self) -> int:
        """Number of ids."""
        return FIRST_PIECE + len(self._pieces)

    @property
    def nbytes(self) -> int:
        return len(self._pieces.packed) + 16 * len(self._pieces)

    def fits(self, rows: int) -> bool:
        return rows == self.size

    def _encoded(self, text: str) -> list[int]:
        return [token for word in _WORDS.findall(text) for token in self._word(word)]

    def bytes_of(self, tokens: Sequence[int]) -> bytes:
        """Return the text of tokens in UTF-8; `END` has no bytes."""
        return spelled(tokens, self._pieces, FIRST_BYTE)

    def text(self, tokens: Sequence[int]) -> str:
        """Decode tokens; bytes that are not UTF-8 become replacement characters."""
        return decoded(self.bytes_of(tokens))

    def _tokens_of(self, word: str) -> tuple[int, ...]:
        parts = [one.encode("utf-8", "surrogatepass") for one in word]
        return tuple(
            token
            for part in merged(parts, self._pieces)
            for token in ids(part, self._pieces, FIRST_BYTE)
        )


def lexicon_of(pieces: Iterable[str]) -> Lexicon:
    """Build the vocabulary of sentencepiece's pieces, whose mark of a space is U+2581."""
    spaced = (piece.replace("\u2581", " ") for piece in pieces)
    return Lexicon.of(dict.fromkeys(piece for piece in spaced if "\n" not in piece))
