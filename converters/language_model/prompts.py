"""Prompts of golden examples: beginnings of texts that have the same number of tokens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np

_TOKENS = (12, 6, 3, 1)  # of a prompt; the first number that some text has


class Tokens(Protocol):
    """Features of texts."""

    def tokens(self, text: str) -> list[int]: ...

    def text(self, tokens: list[int]) -> str: ...


def prompts(features: Tokens, texts: Iterable[Any], most: int) -> list[str]:
    """Cut at most `most` beginnings of texts, which give the same tokens when read again."""
    kept = list(texts)
    for count in _TOKENS:
        found = []
        for text in kept:
            tokens = features.tokens(str(text)[: 64 * count])[:count]
            start = features.text(tokens)
            if len(tokens) == count and features.tokens(start) == tokens:
                found.append(start)
            if len(found) == most:
                break
        if found:
            return found
    return [""]


def clearest(certain: np.ndarray, most: int) -> np.ndarray:
    """Return the rows of the most certain continuations, in their order.

    Args:
        certain: of `LanguageModel.golden_arrays`; below 1: another processor may write another
            first token. Such a row is taken only if all are so.
    """
    best = np.argsort(-certain, kind="stable")[:most]
    clear = best[certain[best] >= 1]
    found: np.ndarray = np.sort(clear if len(clear) else best)
    return found
