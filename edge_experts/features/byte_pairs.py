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

from ..errors import UsageError
from . import packing
from .fields import ANY, Fields, described
from .lexicon import Lexicon
from .merges import ids, merged, spelled

END = 0  # id of the end of a text, which also precedes its first token
FIRST_BYTE = 1
FIRST_PIECE = FIRST_BYTE + 256
_CACHED_WORDS = 8192
# Spaces belong to the word that follows, one of them; longer runs of spaces are words themselves.
# Words are cut at 64 characters, since merging is quadratic.
_WORDS = re.compile(r"\n| +(?= [^ \n])| ?[^ \n]{1,64}| +")
MOST_CHARACTERS = 1_000_000  # of a text


class BytePairFeatures:
    """Conversion of a text to `tokens`, (1, tokens) int32, and of tokens to text.

    Args:
        pieces: the vocabulary's pieces, the earliest merge first, with spaces as they are; the ids
            before them are `END` and the 256 bytes.
        cached_words: words whose tokens are kept; a training needs many.
    """

    kind = "byte-pairs"

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
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"tokens": ((1, ANY), np.int32)}

    @property
    def size(self) -> int:
        """Number of ids."""
        return FIRST_PIECE + len(self._pieces)

    def pack(self, examples: Sequence[str]) -> np.ndarray:
        return packing.packed(examples)

    def unpack(self, packed: np.ndarray) -> list[str]:
        return packing.unpacked(packed)

    @property
    def fields(self) -> Fields:
        return {"text": (str, ())}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [one | {"characters": MOST_CHARACTERS} for one in described(self.fields)]

    def put_together(self, parts: Mapping[str, Any]) -> str:
        text: str = parts["text"]
        return text

    def take_apart(self, example: str) -> Mapping[str, Any]:
        return {"text": example}

    def parse(self, line: str) -> str:
        return line

    def encode(self, example: str, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Encode a text; its tokens do not begin or end with `END`.

        Raises:
            UsageError: it is not a text, or has more than a million characters.
        """
        return {"tokens": np.array([self.tokens(example)], np.int32)}

    def tokens(self, text: str) -> list[int]:
        """Convert a text to tokens.

        Raises:
            UsageError: it is not a text, or has more than a million characters.
        """
        if not isinstance(text, str):
            raise UsageError(f"an example must be a text, got {type(text).__name__}")
        if len(text) > MOST_CHARACTERS:
            raise UsageError(
                f"a text must have at most {MOST_CHARACTERS:,} characters, got {len(text):,}; "
                "split it"
            )
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


def decoded(content: bytes) -> str:
    """Decode UTF-8 with the surrogates of `tokens`; other faults become replacement characters."""
    try:
        return content.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return content.decode("utf-8", "replace")


def lexicon_of(pieces: Iterable[str]) -> Lexicon:
    """Build the vocabulary of sentencepiece's pieces, whose mark of a space is U+2581."""
    spaced = (piece.replace("\u2581", " ") for piece in pieces)
    return Lexicon.of(dict.fromkeys(piece for piece in spaced if "\n" not in piece))
