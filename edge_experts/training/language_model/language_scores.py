"""Scores of a language model: loss, perplexity, bits per byte."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .language_learner import DocumentLoss


def scores(documents: Sequence[DocumentLoss]) -> dict[str, float]:
    """Compute the scores over all documents.

    Returns:
        "loss", nats a token; "perplexity", its exponential; "bits_per_byte", which does not depend
        on the vocabulary; "tokens".
    """
    nats = sum(one.nats for one in documents)
    tokens = sum(one.tokens for one in documents)
    loss = nats / tokens
    return {
        "loss": loss,
        "perplexity": math.exp(loss),
        "bits_per_byte": nats / math.log(2) / sum(one.bytes for one in documents),
        "tokens": tokens,
    }
