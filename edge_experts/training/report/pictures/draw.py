"""All charts of a training, written to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..insight import Insight
from ..ownership import Owned
from ..value_insight import ValueInsight
from . import experts, owned, sets, values


def draw(
    folder: Path,
    labels: Sequence[str],
    matrices: np.ndarray,
    found: Insight | None = None,
    inputs: Owned | None = None,
) -> list[Path]:
    """Write the charts for which there is data, and return their paths.

    Args:
        folder: created if missing.
        matrices: (experts, labels, labels) counts of truth and answer; one matrix of the whole
            model if there is no router.
        found, inputs: findings and inputs of a model with a router.
    """
    folder.mkdir()
    paths = [folder / "confusion.png"]
    experts.confusion(matrices, None if found is None else found.usage, labels, paths[0])
    if found is not None:
        paths.append(folder / "experts.png")
        experts.experts(found, labels, paths[-1])
    if inputs is not None:
        paths.append(folder / "owned.png")
        owned.owned(inputs, paths[-1])
    return paths


def draw_values(
    folder: Path,
    names: Sequence[str],
    predicted: np.ndarray,
    targets: np.ndarray,
    owner: np.ndarray | None,
    found: ValueInsight | None = None,
    inputs: Owned | None = None,
) -> list[Path]:
    """Likewise, for a model that predicts values.

    Args:
        predicted, targets: (examples, outputs), in the data's units.
        owner: routed expert of each example; None without a router.
    """
    folder.mkdir()
    paths = [folder / "predictions.png"]
    values.predictions(names, predicted, targets, owner, paths[0])
    if found is not None:
        paths.append(folder / "experts.png")
        values.experts(found, paths[-1])
    if inputs is not None:
        paths.append(folder / "owned.png")
        owned.owned(inputs, paths[-1])
    return paths


def draw_sets(
    folder: Path,
    labels: Sequence[str],
    counts: np.ndarray,
    f1: np.ndarray,
    use: tuple[np.ndarray, np.ndarray] | None = None,
    inputs: Owned | None = None,
) -> list[Path]:
    """Likewise, for a model that answers with sets of labels.

    Args:
        counts, f1: examples and F1 of each label, (labels,).
        use: share of the inputs and micro-F1 of each expert, (experts,); None without a router.
    """
    folder.mkdir()
    paths = [folder / "labels.png"]
    sets.labels(labels, counts, f1, paths[0])
    if use is not None:
        paths.append(folder / "experts.png")
        sets.experts(*use, paths[-1])
    if inputs is not None:
        paths.append(folder / "owned.png")
        owned.owned(inputs, paths[-1])
    return paths
