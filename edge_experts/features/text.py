"""Text to hashed n-grams: fixed length, any language, no vocabulary.

Words and their neighbours, and the character n-grams inside each word, are hashed into buckets
(the hashing trick: Weinberger et al., 2009, https://arxiv.org/abs/0902.2206). A text becomes two
arrays of a fixed length: the buckets' ids and their weights (by rarity and by difference between
labels, scaled to unit norm), which an expert sums as a weighted bag of embeddings.

The same code serves training and the device. There is no Python loop over n-grams: with prefix
sums of a polynomial hash, the hash of any stretch of characters is one subtraction and one
multiplication, so that all n-grams of a text are hashed by a few numpy calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.manifest import CONTRACT
from . import packing
from .fields import Fields, described
from .text_rules import PythonWords, TableWords
from .unicode_contract import restored

_SPACE = 32
_END = np.array([_SPACE], np.uint32)
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 2**64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_FINE = np.uint64(24)  # position of the bits of a hash that make an id finer than its bucket
_ID_BITS = 31  # ids are int32
_SMOOTHING = 6.0  # added to every count before the label ratio is taken
_HEAVIEST = 65504  # largest number in float16
_LABEL_FREE = 0.3  # weight of a bucket besides its label ratio


def _powers(base: int, count: int) -> np.ndarray:
    """Compute base**0 ... base**(count-1) modulo 2**64, as uint64."""
    steps = np.full(count, base, np.uint64)
    steps[0] = 1
    return np.multiply.accumulate(steps)


@dataclass(frozen=True)
class TextSettings:
    """Sizes; they are stored in the manifest.

    Raises:
        ValueError: a size too large for a device.
    """

    length: int = 256  # n-grams kept for each text, those of the largest weights
    word_ngrams: int = 2  # words, and pairs of neighbours
    char_ngrams: Sequence[int] = (3, 5)  # shortest and longest, inside a word and its edges
    word_bits: int = 15  # 2**15 buckets for word n-grams
    char_bits: int = 15  # and as many for character n-grams
    max_characters: int = 4096  # read of a text; the rest is ignored
    # Bits of an id beyond its bucket, by which larger tables distinguish n-grams of one bucket.
    fine_bits: int = 0

    def __post_init__(self) -> None:
        limits = {
            "length": (1, 2**14),
            "word_ngrams": (1, 8),
            "word_bits": (1, 22),
            "char_bits": (1, 22),
            "max_characters": (1, 2**20),
            "fine_bits": (0, _ID_BITS),
        }
        for name, (least, most) in limits.items():
            value = getattr(self, name)
            if type(value) is not int or not least <= value <= most:
                raise ValueError(f"{name} must be from {least} to {most}, got {value!r}")
        shortest, longest = self.char_ngrams
        whole = type(shortest) is type(longest) is int
        if not whole or not 2 <= shortest <= longest <= 16:
            raise ValueError(f"char_ngrams must be within 2 and 16, got {self.char_ngrams!r}")

        if self.buckets << self.fine_bits > 2**_ID_BITS:
            raise ValueError(
                f"fine_bits must be so few that ids stay below 2**{_ID_BITS}, got {self.fine_bits}"
            )

    @property
    def buckets(self) -> int:
        return int(2**self.word_bits + 2**self.char_bits)


class TextFeatures:
    """Conversion of text to `ids` (1, length) int32 and `weights` (1, length) float32.

    Args:
        settings: sizes.
        bucket_weights: weight of an n-gram in each bucket, (buckets,), at least 0; 0 for buckets
            without training data. Computed by `fit`.
        rules: how words are found; None: the rules of version 0.1.0.
    """

    kind = "text"

    def __init__(
        self,
        settings: TextSettings,
        bucket_weights: np.ndarray,
        rules: PythonWords | TableWords | None = None,
    ):
        if bucket_weights.shape != (settings.buckets,):
            raise ValueError(
                f"bucket_weights must have shape ({settings.buckets},), got {bucket_weights.shape}"
            )
        self._settings = settings
        self._rules = rules or PythonWords()
        if not ((bucket_weights >= 0) & (bucket_weights <= _HEAVIEST)).all():  # refuses NaN too
            raise ValueError(f"bucket_weights must be from 0 to {_HEAVIEST}")
        # features.npz stores float16; a smaller table also stays in the processor's cache.
        self._weights = bucket_weights.astype(np.float16)
        size = settings.max_characters + 2
        self._power = _powers(_BASE, size)
        self._inverse = _powers(_INVERSE, size)

    @classmethod
    def fit(
        cls, texts: Sequence[str], targets: np.ndarray, settings: TextSettings | None = None
    ) -> TextFeatures:
        """Learn the weight of each bucket: (label ratio + 0.3) * inverse document frequency.

        The label ratio is the largest difference between two labels of log P(bucket | label),
        smoothed: the naive Bayes weight of Wang & Manning (2012, Baselines and bigrams) for any
        number of labels.

        Args:
            targets: the index of each text's label, (texts,) integers.
        """
        settings = settings or TextSettings()
        rules = TableWords.trained()
        features = cls(settings, np.zeros(settings.buckets), rules)
        counts = np.zeros((int(targets.max()) + 1, settings.buckets))
        for text, target in zip(texts, targets, strict=True):
            counts[target, np.unique(features.ngrams(text) % settings.buckets)] += 1
        frequency = counts.sum(axis=0)
        idf = np.log((1 + len(texts)) / (1 + frequency))
        smoothed = counts[np.unique(targets)] + _SMOOTHING
        rates = np.log(smoothed / smoothed.sum(axis=1, keepdims=True))
        weights = (np.ptp(rates, axis=0) + _LABEL_FREE) * idf
        return cls(settings, np.where(frequency > 0, weights, 0), rules)

    @classmethod
    def restore(cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TextFeatures:
        sizes = {name: value for name, value in settings.items() if name != CONTRACT}
        rules = restored(settings, arrays, PythonWords, TableWords)
        return cls(TextSettings(**sizes), arrays["bucket_weights"], rules)

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        shape = (1, self._settings.length)
        return {"ids": (shape, np.int32), "weights": (shape, np.float32)}

    @property
    def settings(self) -> dict[str, Any]:
        return asdict(self._settings) | self._rules.contract

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"bucket_weights": self._weights, **self._rules.arrays}

    def pack(self, examples: Iterable[str]) -> np.ndarray:
        """Pack texts as one array of bytes, cut to the characters that are read; see `unpack`."""
        reach = self._rules.reach(self._settings.max_characters)
        texts = [text[:reach] for text in examples]
        return packing.packed(texts)

    def unpack(self, packed: np.ndarray) -> list[str]:
        return packing.unpacked(packed)

    @property
    def fields(self) -> Fields:
        return {"text": (str, ())}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        (text,) = described(self.fields)
        return [text | {"characters": self._settings.max_characters} | self._rules.described]

    def put_together(self, parts: Mapping[str, Any]) -> str:
        return str(parts["text"])

    def take_apart(self, example: str) -> Mapping[str, Any]:
        return {"text": example}

    def parse(self, line: str) -> str:
        """Parse a line as an example."""
        return line

    def encode(self, example: str, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Return the text's n-grams of the largest weights, each once, weights scaled to unit norm.

        A text without known n-grams gives weights of 0, and unused positions have weights of 0.

        Raises:
            UsageError: it is not a text.
        """
        if not isinstance(example, str):
            raise UsageError(f"an example must be a text, got {type(example).__name__}")
        length = self._settings.length
        ids = np.zeros((1, length), np.int32)
        weights = np.zeros((1, length), np.float32)
        found = np.unique(self.ngrams(example))
        weight = self._weights[found % self._settings.buckets].astype(np.float32)
        if len(found) > length:
            # A stable sort: every processor must select the same ones of equal weights.
            kept = np.argsort(-weight, kind="stable")[:length]
            found, weight = found[kept], weight[kept]
        # Squares of float16 and their sum need no rounding in double precision: the norm is the
        # same on every processor, for any order of summation.
        exact = weight.astype(np.float64)
        norm = math.sqrt(exact.dot(exact))
        if norm > 0:
            ids[0, : len(found)] = found
            weights[0, : len(found)] = weight / norm
        return {"ids": ids, "weights": weights}

    def ngrams(self, text: str) -> np.ndarray:
        """Return the bucket of every n-gram of `text`, int64: words, pairs, then characters."""
        c = self._settings
        known = self._rules.words(text, c.max_characters)
        if not len(known):
            return np.empty(0, np.int64)
        codes = np.append(known, _END)
        count = len(codes)
        prefix = np.zeros(count + 1, np.uint64)
        np.cumsum((codes + np.uint64(1)) * self._power[:count], out=prefix[1:])
        spaces = codes == _SPACE
        edges = np.flatnonzero(spaces)
        starts: list[np.ndarray] = []
        ends: list[np.ndarray] = []
        for n in range(1, min(c.word_ngrams, len(edges) - 1) + 1):
            starts.append(edges[:-n])
            ends.append(edges[n:])
        words = sum(map(len, starts))
        seen = np.cumsum(spaces)  # spaces up to and including each character
        for n in range(c.char_ngrams[0], min(c.char_ngrams[1], count) + 1):
            # A space may be at either end of an n-gram (the word's edge), never inside.
            begin = np.flatnonzero(seen[n - 2 : count - 1] == seen[: count - n + 1])
            starts.append(begin)
            ends.append(begin + n)
        start = np.concatenate(starts)
        hashes = (prefix[np.concatenate(ends)] - prefix[start]) * self._inverse[start]
        hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
        ids = np.empty(len(hashes), np.int64)
        ids[:words] = hashes[:words] >> np.uint64(64 - c.word_bits)
        ids[words:] = (hashes[words:] >> np.uint64(64 - c.char_bits)).astype(
            np.int64
        ) + 2**c.word_bits
        if c.fine_bits:
            lower = (hashes >> _FINE) & np.uint64(2**c.fine_bits - 1)
            ids += lower.astype(np.int64) * c.buckets
        return ids
