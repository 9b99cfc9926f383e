"""Tokenization of sentences to subword pieces, and back: byte-pair encoding in plain Python.

The vocabulary is sentencepiece's (Kudo and Richardson, 2018, https://arxiv.org/abs/1808.06226),
trained on the host; that library has no wheels for 32-bit ARM, and a device needs only the merges.
The pieces are the same as the library's, which a test compares on real sentences.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.expert_names import language, languages
from . import packing
from .fields import Fields, described
from .lexicon import Lexicon
from .merges import ids, merged, spelled
from .sentence_rules import WORD_START, PythonSentences, TableSentences
from .unicode_contract import restored

PADDING, END, UNKNOWN, FIRST_TARGET = 0, 1, 2, 3  # ids; UNKNOWN does not occur: bytes replace it
# In `mask`, at padding: added to attention scores, it gives almost 0 after softmax, and it is
# small enough that int8 can still distinguish the other scores.
HIDDEN = -16.0
_BYTES = 256
_CACHED_WORDS = 4096
_LONGEST = 4096  # pieces of a sentence
_LONGEST_WORD = 200  # characters; longer words are split, because merging is quadratic
_MOST_CHARACTERS = 100_000  # of a text; a few minutes of work on a board
_SENTENCE_END = re.compile(r"(?<=[.!?]) +")

Example = tuple[str, str]  # a text, and its target: a language or an expert


class PieceFeatures:
    """Conversion of a text and its target to arrays.

    `source` (1, length) int32: pieces, the first of which is the language; `mask` (1, 1, 1, length)
    float32: 0 at pieces, else HIDDEN; `target` (1,) int32: the language; `asked` (1, names)
    float32: 0 for the experts that the example names, else minus infinity.

    Args:
        pieces: the vocabulary's own pieces, the earliest merge first; the ids before them are
            padding, the end, unknown, the targets and the 256 bytes.
        names: of experts: a language, or one of its domains, as in "de/help".
        length: of `source`, in pieces, including the target before and the end after a sentence.
        rules: how texts are cleaned; None: the rules of version 0.1.0.

    Attributes:
        targets: the languages that a text can be translated to.
        requests: valid targets of an example: a language, or an expert by its name.
    """

    kind = "pieces"

    def __init__(
        self,
        pieces: Lexicon,
        names: Sequence[str],
        length: int,
        rules: PythonSentences | TableSentences | None = None,
    ):
        if type(length) is not int or not 8 <= length <= _LONGEST:
            raise ValueError(f"length must be from 8 to {_LONGEST}, got {length!r:.40}")
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("targets must be texts, at least one")
        if len(set(names)) != len(names):
            raise ValueError("targets must be different")
        self.names, self.targets = tuple(names), languages(names)
        self.requests = tuple(dict.fromkeys((*self.targets, *self.names)))
        self._pieces, self._length = pieces, length
        self._rules = rules or PythonSentences()
        self._first_byte = FIRST_TARGET + len(self.targets)
        self._first_piece = self._first_byte + _BYTES
        self._word = lru_cache(_CACHED_WORDS)(self._merge)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> PieceFeatures:
        packed, targets = arrays["pieces"], settings["targets"]
        if packed.dtype != np.uint8 or not isinstance(targets, list):
            raise ValueError("pieces must be bytes, and targets a list")
        rules = restored(settings, arrays, PythonSentences, TableSentences)
        return cls(Lexicon(packed.tobytes()), targets, settings["length"], rules)

    @property
    def settings(self) -> dict[str, Any]:
        return {"targets": list(self.names), "length": self._length, **self._rules.contract}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"pieces": np.frombuffer(self._pieces.packed, np.uint8), **self._rules.arrays}

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {
            "source": ((1, self._length), np.int32),
            "mask": ((1, 1, 1, self._length), np.float32),
            "target": ((1,), np.int32),
            "asked": ((1, len(self.names)), np.float32),
        }

    @property
    def size(self) -> int:
        """Number of ids."""
        return self._first_piece + len(self._pieces)

    def pack(self, examples: Sequence[Example]) -> np.ndarray:
        return packing.packed([list(example) for example in examples])

    def unpack(self, packed: np.ndarray) -> list[Example]:
        return [(str(text), str(target)) for text, target in packing.unpacked(packed)]

    @property
    def fields(self) -> Fields:
        return {"text": (str, ()), "to": (str, ())}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        text, to = described(self.fields)
        return [
            text | {"characters": _MOST_CHARACTERS} | self._rules.described,
            to | {"values": list(self.requests)},
        ]

    def put_together(self, parts: Mapping[str, Any]) -> Example:
        return parts["text"], parts["to"]

    def take_apart(self, example: Example) -> Mapping[str, Any]:
        return dict(zip(self.fields, example, strict=True))

    def parse(self, line: str, to: str | None = None) -> Example:
        """Parse a line as a text; its target is the only language unless `to` names one.

        Raises:
            UsageError: there are several languages, or no target of that name.
        """
        if to is None and len(self.targets) > 1:
            raise UsageError(f"name what to translate to (--to): {', '.join(self.targets)}")
        if to is not None and to not in self.requests:
            raise UsageError(f"--to must be one of {', '.join(self.requests)}, got {to!r:.40}")
        return line, to or self.targets[0]

    def encode(self, example: Example, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Encode one sentence as pieces, after the piece of its language.

        Raises:
            UsageError: an unknown language or expert, no text, or a text with too many pieces.
        """
        text, asked = self._checked(example)
        pieces = self.pieces(text)
        if len(pieces) > self._length - 2:
            raise UsageError(
                f"a sentence must have at most {self._length - 2} pieces, got {len(pieces):,}; "
                "give one sentence at a time"
            )
        index = self.targets.index(language(asked))
        source = np.full((1, self._length), PADDING, np.int32)
        source[0, : len(pieces) + 2] = [FIRST_TARGET + index, *pieces, END]
        mask = np.where(source == PADDING, np.float32(HIDDEN), np.float32(0))[:, None, None]
        # A language selects all of its experts, even if one of them has the same name.
        for_all = asked in self.targets
        answers = [(language(name) if for_all else name) == asked for name in self.names]
        return {
            "source": source,
            "mask": mask,
            "target": np.array([index], np.int32),
            "asked": np.where(answers, np.float32(0), -np.float32(np.inf))[None],
        }

    def pieces(self, text: str) -> list[int]:
        """Convert a text to ids of pieces."""
        return [
            piece for word in _words(self._rules.normalized(text)) for piece in self._word(word)
        ]

    def text(self, pieces: Sequence[int]) -> str:
        """Decode pieces to text; bytes that are not UTF-8 become replacement characters."""
        content = spelled(pieces, self._pieces, self._first_byte)
        return self._rules.normalized(content.decode("utf-8", errors="replace"))

    def sentences(self, text: str) -> list[str]:
        """Split a text into parts that can be encoded: its sentences; long ones are cut at words.

        Raises:
            UsageError: it has more than 100,000 characters.
        """
        _refuse_endless(text)
        parts: list[str] = []
        for sentence in _SENTENCE_END.split(self._rules.normalized(text)):
            part: list[str] = []
            taken = 0
            for word in self._fitting(_words(sentence)):
                cost = len(self._word(word))
                if part and taken + cost > self._length - 2:
                    parts.append(" ".join(part))
                    part, taken = [], 0
                part.append(word)
                taken += cost
            if part:
                parts.append(" ".join(part))
        return parts

    def _fitting(self, words: Iterable[str]) -> Iterator[str]:
        """Yield the words; a word that cannot be encoded alone is split."""
        for word in words:
            if len(self._word(word)) <= self._length - 2:
                yield word
            else:
                # A character has at most four bytes, and a space precedes the word.
                size = max(1, (self._length - 3) // 4)
                yield from (word[start : start + size] for start in range(0, len(word), size))

    def _checked(self, example: Any) -> Example:
        pair = isinstance(example, tuple | list) and len(example) == 2
        text, asked = example if pair else (None, None)
        if not isinstance(text, str) or not isinstance(asked, str):
            raise UsageError("an example must be two texts: the one to translate, and its target")
        if asked not in self.requests:
            known = ", ".join(self.requests)
            raise UsageError(f"cannot translate to {asked!r:.40}, only to {known}")
        _refuse_endless(text)
        if not self._rules.normalized(text):
            raise UsageError("there is nothing to translate: the text is empty")
        return text, asked

    def _merge(self, word: str) -> tuple[int, ...]:
        """Convert a word to ids of pieces, by merges of its characters."""
        parts = [one.encode("utf-8", errors="replace") for one in WORD_START + word]
        return tuple(
            piece
            for part in merged(parts, self._pieces)
            for piece in ids(part, self._pieces, self._first_byte)
        )


def _words(text: str) -> Iterator[str]:
    """Yield the words of a normalized text; long ones are split."""
    for word in filter(None, text.split(" ")):
        for start in range(0, len(word), _LONGEST_WORD):
            yield word[start : start + _LONGEST_WORD]


def _refuse_endless(text: str) -> None:
    if len(text) > _MOST_CHARACTERS:
        raise UsageError(
            f"a text must have at most {_MOST_CHARACTERS:,} characters, got {len(text):,}"
        )
