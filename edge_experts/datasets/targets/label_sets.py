"""Sets of labels as rows of true and false: scores, thresholds, and strata.

Arrays are (examples, labels) bool: True for a label that an example has, or that is answered.
"""

from __future__ import annotations

import numpy as np

_STEPS = 200  # of a threshold that all labels share
WEIGHT = 20  # examples of a label from which its own threshold outweighs the shared one
_LEAST = 1e-6  # distance of a threshold from 0 and from 1
NONE = "no label"


def scores(answered: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """Compute F1 = 2 TP / (2 TP + FP + FN) of sets of labels.

    Returns:
        "f1_micro", of all labels of all examples counted together, 1 if no label is wanted and none
        answered; and "f1_macro", the mean of the F1 of each label that occurs in `wanted`, 0 if
        none does.
    """
    each, occurs = by_label(answered, wanted), wanted.any(axis=0)
    return {
        "f1_micro": round(micro(answered, wanted), 6),
        "f1_macro": round(float(each[occurs].mean()), 6) if occurs.any() else 0.0,
    }


def micro(answered: np.ndarray, wanted: np.ndarray) -> float:
    """Compute the F1 of all labels of all examples counted together."""
    both, sizes = int((answered & wanted).sum()), int(answered.sum()) + int(wanted.sum())
    return 2 * both / sizes if sizes else 1.0


def by_label(answered: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Compute the F1 of each label, (labels,); 0 for one that neither occurs nor is answered."""
    sizes = answered.sum(axis=0) + wanted.sum(axis=0)
    each: np.ndarray = 2 * (answered & wanted).sum(axis=0) / np.maximum(sizes, 1)
    return each


def points(answered: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Compute contributions of the examples, (examples,), whose mean is 100 times `micro`.

    F1 is a ratio of two means. The contribution of an example is its linear influence on that ratio
    (the delta method), so that differences of contributions have the variance of differences of F1.
    """
    total = micro(answered, wanted)
    both = 2.0 * (answered & wanted).sum(axis=1)
    sizes = answered.sum(axis=1) + wanted.sum(axis=1)
    mean = sizes.mean()
    if not mean:
        return np.full(len(wanted), 100.0)
    influence: np.ndarray = 100 * (total + (both - total * sizes) / mean)
    return influence


def choose_thresholds(
    probabilities: np.ndarray, wanted: np.ndarray, weight: int = WEIGHT
) -> np.ndarray:
    """Choose the threshold of each label for its F1, (labels,) float64.

    A label's own best threshold follows chance if the label is rare (Lewis et al., 2004, RCV1,
    section 6.4). It is therefore averaged with the threshold that gives all labels together the
    best F1: the own one weighs the label's number of examples, the shared one `weight`
    (docs/decisions/0073-thresholds-of-rare-labels.md).

    Args:
        probabilities: (examples, labels), of examples that are not trained on.
    """
    counts = wanted.sum(axis=0)
    own = np.array(
        [
            _best(*column) if column[1].any() else 0.0
            for column in zip(probabilities.T, wanted.T, strict=True)
        ]
    )
    chosen = (counts * own + weight * _shared(probabilities, wanted)) / np.maximum(
        counts + weight, 1
    )
    within: np.ndarray = np.clip(np.round(chosen, 6), _LEAST, 1 - _LEAST)
    return within


def _shared(probabilities: np.ndarray, wanted: np.ndarray) -> float:
    edges = np.arange(_STEPS + 1) / _STEPS
    above = [
        np.cumsum(np.histogram(values, edges)[0][::-1])[::-1].astype(np.float64)
        for values in (probabilities[wanted], probabilities)
    ]
    f1 = 2 * above[0] / np.maximum(above[1] + wanted.sum(), 1)
    return float(edges[1 + int(np.argmax(f1[1:]))])


def _best(probabilities: np.ndarray, wanted: np.ndarray) -> float:
    """Halfway between two different probabilities, or below the smallest one."""
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order].astype(np.float64)
    count = np.arange(1, len(order) + 1)
    f1 = 2 * np.cumsum(wanted[order]) / (count + wanted.sum())
    following = np.append(falling[1:], 0.0)
    f1[following == falling] = -1  # no threshold separates equal probabilities
    last = int(np.argmax(f1))
    return float((falling[last] + following[last]) / 2)


def same_always(wanted: np.ndarray) -> float:
    """Compute the best `micro` of one set of labels for all examples: a baseline without a model.

    The set is chosen on these very examples: by frequency, as many labels as are best.
    """
    counts = np.sort(wanted.sum(axis=0))[::-1]
    sizes = np.arange(1, len(counts) + 1) * len(wanted) + wanted.sum()
    return float((2 * np.cumsum(counts) / np.maximum(sizes, 1)).max(initial=0.0))


def rarest(wanted: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Index of the rarest label of each example, (examples,) int64; `labels` if it has none.

    Args:
        counts: examples of each label, (labels,).
    """
    if not wanted.shape[1]:
        return np.zeros(len(wanted), np.int64)
    order = np.argsort(counts, kind="stable")
    first = wanted[:, order].argmax(axis=1)
    found: np.ndarray = np.where(wanted.any(axis=1), order[first], wanted.shape[1])
    return found.astype(np.int64)
