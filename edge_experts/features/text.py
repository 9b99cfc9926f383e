"""Text to hashed n-grams: fixed length, any language, no vocabulary to ship.

Words and their neighbours, and the character n-grams inside each word, are hashed into buckets
(the hashing trick: Weinberger et al., 2009, https://arxiv.org/abs/0902.2206). A text becomes two
arrays of a fixed length: the buckets' ids and their weights (inverse document frequency, scaled
to unit norm), which an expert sums as a weighted bag of embeddings.

The same code serves training and the device. There is no Python loop over n-grams: with prefix
sums of a polynomial hash, the hash of any stretch of characters is one subtraction and one
multiplication, so that all n-grams of a text are hashed by a few numpy calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

# A word is a run of letters and digits; any other run of visible marks (":-)", "!!!", an emoji)
# is a word of its own, because it often carries the feeling of the sentence.
_TOKENS = re.compile(r"\w+|[^\w\s]+")
_SPACE = 32
_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 2**64)
_MIX = np.uint64(0xD6E8FEB86659FD93)


def _powers(base: int, count: int) -> np.ndarray:
    """base**0 ... base**(count-1) modulo 2**64, as uint64."""
    steps = np.full(count, base, np.uint64)
    steps[0] = 1
    return np.multiply.accumulate(steps)


@dataclass(frozen=True)
class TextSettings:
    length: int = 320  # n-grams kept for each text
    word_ngrams: int = 2  # words, and pairs of neighbours
    char_ngrams: Sequence[int] = (3, 5)  # shortest and longest, inside a word and its edges
    word_bits: int = 15  # 2**15 buckets for word n-grams
    char_bits: int = 15  # and as many for character n-grams
    max_characters: int = 4096  # what is read of a text; the rest is not looked at

    @property
    def buckets(self) -> int:
        return 2**self.word_bits + 2**self.char_bits


class TextFeatures:
    """Text to `ids` (1, length) int32 and `weights` (1, length) float32.

    Args:
        settings: sizes; they travel in the manifest.
        idf: what a bucket weighs, (buckets,), 0 for buckets that training never saw; made by
            `fit`.
    """

    kind = "text"

    def __init__(self, settings: TextSettings, idf: np.ndarray):
        if idf.shape != (settings.buckets,):
            raise ValueError(f"idf must have shape ({settings.buckets},), got {idf.shape}")
        self._settings = settings
        self._idf = idf.astype(np.float32)
        size = settings.max_characters + 2
        self._power = _powers(_BASE, size)
        self._inverse = _powers(_INVERSE, size)

    @classmethod
    def fit(cls, texts: Iterable[str], settings: TextSettings | None = None) -> TextFeatures:
        """Learn the inverse document frequency of every bucket from training texts."""
        settings = settings or TextSettings()
        features = cls(settings, np.zeros(settings.buckets, np.float32))
        documents, frequency = 0, np.zeros(settings.buckets, np.int64)
        for text in texts:
            frequency[np.unique(features.ngrams(text))] += 1
            documents += 1
        idf = np.log((1 + documents) / (1 + frequency)) + 1
        # float16 is exact enough, and what features.npz keeps: training sees what serving will.
        idf = np.where(frequency > 0, idf, 0).astype(np.float16)
        return cls(settings, idf)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TextFeatures:
        return cls(TextSettings(**settings), arrays["idf"])

    @property
    def settings(self) -> dict[str, Any]:
        return asdict(self._settings)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        return {"idf": self._idf.astype(np.float16)}

    def encode(self, example: str) -> dict[str, np.ndarray]:
        """The text's n-grams and their weights; a text without any gives zero weights."""
        length = self._settings.length
        ids = np.zeros((1, length), np.int32)
        weights = np.zeros((1, length), np.float32)
        found = self.ngrams(example)
        weight = self._idf[found]
        known = weight.nonzero()[0][:length]
        if len(known):
            weight = weight[known]
            ids[0, : len(known)] = found[known]
            weights[0, : len(known)] = weight / np.sqrt(weight.dot(weight))
        return {"ids": ids, "weights": weights}

    def ngrams(self, text: str) -> np.ndarray:
        """The bucket of every n-gram of `text`, in order: words, pairs, then characters. int64."""
        c = self._settings
        tokens = _TOKENS.findall(text[: c.max_characters].lower())
        if not tokens:
            return np.empty(0, np.int64)
        joined = (" " + " ".join(tokens))[: c.max_characters] + " "
        codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
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
            # A space may stand at either end of an n-gram (the word's edge), never inside.
            begin = np.flatnonzero(seen[n - 2 : count - 1] == seen[: count - n + 1])
            starts.append(begin)
            ends.append(begin + n)
        start = np.concatenate(starts)
        hashes = (prefix[np.concatenate(ends)] - prefix[start]) * self._inverse[start]
        hashes = (hashes ^ (hashes >> np.uint64(29))) * _MIX
        ids = np.empty(len(hashes), np.int64)
        ids[:words] = hashes[:words] >> np.uint64(64 - c.word_bits)
        ids[words:] = (hashes[words:] >> np.uint64(64 - c.char_bits)).astype(np.int64) + 2**c.word_bits
        return ids
