"""Groups of inputs that are found before there are experts, as targets of a router."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tf_keras

from ...errors import UsageError
from ..config import TrainConfig
from ..inference import predict

KINDS = ("kmeans", "clusters")  # routers that are trained on these groups only
Arrays = Mapping[str, np.ndarray]

_BUCKETS = 4096
_TEMPER = 0.3  # n-grams overlap, so each is weaker evidence than an independent draw
_PRIOR = 0.1
_STEPS = 20
_SAMPLE = 20_000  # number of points for the means


def kinds(
    config: TrainConfig,
    router: tf_keras.Model,
    data: Mapping[str, Arrays],
    labels: Mapping[str, np.ndarray],
    teacher: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """Group of each training and validation example, (examples,), by split.

    Class clusters with `router="clusters"`; else clusters of inputs: of n-grams for texts, and of
    the input of the router's first layer for other data.

    Raises:
        UsageError: class clusters need a teacher, and no more experts than labels.
    """
    train, validation = data["train"], data["validation"]
    if config.router == "clusters":
        count = int(labels["train"].max()) + 1
        if not teacher or config.experts > count:
            raise UsageError(
                f"router 'clusters' needs a teacher (teacher_epochs) and at most {count} experts, "
                "as many as labels"
            )
        clusters = class_clusters(
            labels["validation"], teacher["validation"], count, config.experts
        )
        return {split: clusters[labels[split]] for split in ("train", "validation")}
    if "ids" in train:
        ids, weights = (np.concatenate([train[name], validation[name]]) for name in train)
        both = text_kinds(ids, weights, config.experts, config.seed)
        found = np.split(both, [len(train["ids"])])
    else:
        seen = next(layer for layer in router.layers if layer.weights).input
        view = tf_keras.Model(router.inputs, seen)
        points = [predict(view, arrays) for arrays in (train, validation)]
        points = [each.reshape(len(each), -1) for each in points]
        found = nearest_means(points[0], config.experts, config.seed, points[1])
    return dict(zip(("train", "validation"), found, strict=True))


def text_kinds(ids: np.ndarray, weights: np.ndarray, kinds: int, seed: int) -> np.ndarray:
    """Group of each text, (texts,), by a mixture of multinomials over its n-grams.

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


def nearest_means(points: np.ndarray, kinds: int, seed: int, more: np.ndarray) -> list[np.ndarray]:
    """Groups of `points` and of `more` points, (points,) each, by k-means.

    Lloyd's algorithm from k-means++ (Arthur & Vassilvitskii, 2007), on (points, columns) arrays.
    """
    random = np.random.default_rng(seed)
    sample = points[random.permutation(len(points))[:_SAMPLE]].astype(np.float64)
    means = sample[:1]
    for _ in range(kinds - 1):
        distance = _distances(sample, means).min(axis=1)
        total = distance.sum()
        share = distance / total if total else None  # None: all points equal a mean
        means = np.vstack([means, sample[random.choice(len(sample), p=share)]])
    for _ in range(_STEPS):
        nearest = _distances(sample, means).argmin(axis=1)
        for kind in np.unique(nearest):
            means[kind] = sample[nearest == kind].mean(axis=0)
    return [_distances(array, means).argmin(axis=1) for array in (points, more)]


def class_clusters(labels: np.ndarray, answers: np.ndarray, count: int, kinds: int) -> np.ndarray:
    """Group of each label, (count,): labels that a teacher confuses are in one group.

    Groups are merged from single labels, the two that are confused most first (average linkage),
    unless the merged group would have more than twice its share of the examples.

    Args:
        labels: labels of examples that the teacher was not trained on, (examples,).
        answers: the teacher's logits for them, (examples, count).
    """
    shares = np.exp(answers - answers.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    present = np.bincount(labels, minlength=count)
    confusion = np.zeros((count, count))
    np.add.at(confusion, labels, shares)
    confusion /= np.maximum(present, 1)[:, None]
    confusion += confusion.T
    groups = [[label] for label in range(count)]
    while len(groups) > kinds:
        pairs = [(one, other) for one in range(len(groups)) for other in range(one)]

        def merit(pair: tuple[int, int]) -> tuple[bool, float]:
            one, other = groups[pair[0]], groups[pair[1]]
            fits = present[one + other].sum() <= 2 * len(labels) / kinds
            return fits, float(confusion[np.ix_(one, other)].mean())

        one, other = max(pairs, key=merit)
        groups[other] += groups.pop(one)
    kind = np.zeros(count, np.int64)
    for place, group in enumerate(groups):
        kind[group] = place
    return kind


def _distances(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Squared distances, (points, means)."""
    squares = (points**2).sum(axis=1, keepdims=True) + (means**2).sum(axis=1)
    distances: np.ndarray = np.maximum(squares - 2 * points @ means.T, 0)
    return distances
