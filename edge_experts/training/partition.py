"""Kinds of inputs, found without labels: where a router starts from."""

from __future__ import annotations

import numpy as np

_BUCKETS = 4096
_TEMPER = 0.3  # n-grams overlap, so each is less evidence than an independent draw would be
_PRIOR = 0.1
_STEPS = 20


def text_kinds(ids: np.ndarray, weights: np.ndarray, kinds: int, seed: int) -> np.ndarray:
    """The kind of each text, (texts,), by a mixture of multinomials over its n-grams.

    Expectation-maximization as in Nigam et al., 2000 (Text classification from labeled and
    unlabeled documents using EM), with tempered likelihoods.

    Args:
        ids, weights: the text features, (texts, length); n-grams of weight 0 are padding.
    """
    random = np.random.default_rng(seed)
    texts, places = np.nonzero(weights)
    columns = ids[texts, places] % _BUCKETS
    share = random.dirichlet(np.full(kinds, 0.5), len(ids))
    for _ in range(_STEPS):
        counts = np.stack([np.bincount(columns, share[texts, k], _BUCKETS) for k in range(kinds)])
        rates = counts + _PRIOR
        evidence = np.log(rates / rates.sum(axis=1, keepdims=True))
        scores = np.stack(
            [np.bincount(texts, evidence[k, columns], len(ids)) for k in range(kinds)], axis=1
        )
        scores = _TEMPER * scores + np.log(share.mean(axis=0) + 1e-9)
        share = np.exp(scores - scores.max(axis=1, keepdims=True))
        share /= share.sum(axis=1, keepdims=True)
    kind: np.ndarray = share.argmax(axis=1)
    return kind
