"""Scores of a language model on documents: loss, perplexity, bits per byte, right tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class DocumentLoss(NamedTuple):
    """Loss of one document.

    Attributes:
        nats: sum over its tokens, and its end.
        tokens: their number.
        bytes: of its text.
        right: tokens that were the most probable ones.
    """

    nats: float
    tokens: int
    bytes: int
    right: int = 0


def scores(documents: Sequence[DocumentLoss]) -> dict[str, float]:
    """Compute the scores over all documents.

    Returns:
        "loss", nats a token; "perplexity", its exponential; "bits_per_byte", which does not depend
        on the vocabulary; "accuracy", the share of right tokens; "tokens".
    """
    nats = sum(one.nats for one in documents)
    tokens = sum(one.tokens for one in documents)
    loss = nats / tokens
    return {
        "loss": loss,
        "perplexity": math.exp(loss),
        "bits_per_byte": nats / math.log(2) / max(1, sum(one.bytes for one in documents)),
        "accuracy": sum(one.right for one in documents) / tokens,
        "tokens": tokens,
    }
