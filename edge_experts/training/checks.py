"""Checks for problems of a data set, reported before a training spends time on it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

import numpy as np

from ..datasets import Dataset
from ..errors import UsageError
from ..features import Features
from .augmentation import AUGMENTED
from .config import TrainConfig
from .objectives.routed_task import RoutedTask
from .report.ownership import column_names

_FEW = 5  # fewest examples of a label without a warning
_SHARE = 10  # fewest examples for each expert without a warning
_NAMED = 5


def refuse(dataset: Dataset, config: TrainConfig) -> None:
    """Reject data that cannot be trained on.

    Raises:
        UsageError: there are more experts than training examples, or augmentation is wanted for
            other data than photos or sounds.
    """
    examples = len(dataset.train)
    if _experts(config) > examples:
        raise UsageError(
            f"--experts {config.experts}: {dataset.name} has {examples:,} examples to train on, "
            "fewer than one for each expert; use at most "
            f"{max(1, examples // _SHARE):,}, with {_SHARE} or more each"
        )
    if config.augment and dataset.kind not in AUGMENTED:
        raise UsageError(
            f"--augment is for photos and sounds, and {dataset.name} has examples of the kind "
            f"{dataset.kind}; remove it"
        )


def warn(
    task: RoutedTask,
    dataset: Dataset,
    config: TrainConfig,
    features: Features,
    arrays: Mapping[str, np.ndarray],
) -> None:
    """Print warnings about the data to stderr.

    Args:
        arrays: encoded training split.
    """
    oddities = _oddities(dataset, config, features, arrays)
    for oddity in chain(task.oddities(dataset), oddities):
        print(f"Warning: {oddity}.", file=sys.stderr)


def _oddities(
    dataset: Dataset, config: TrainConfig, features: Features, arrays: Mapping[str, np.ndarray]
) -> Iterator[str]:
    name, examples = dataset.name, len(dataset.train)
    if examples < _SHARE * _experts(config):
        yield (
            f"{name}: {config.experts} experts share {examples:,} examples; --experts "
            f"{max(1, examples // _SHARE)} would leave each {_SHARE} or more to learn from"
        )
    inputs = dataset.train.inputs
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind == "f":
        odd = float(np.mean(~np.isfinite(inputs)))
        if odd:
            yield (
                f"{name}: {max(odd, 0.0001):.2%} of the numbers to train on are NaN or infinite; "
                "they count as the mean"
            )
    if "x" in arrays:
        yield from _constant(name, dataset.kind, features, arrays["x"])


def few_labels(dataset: Dataset) -> Iterator[str]:
    """Warnings about labels with few training examples, or none for validation or test."""
    name, labels = dataset.name, dataset.labels
    counts = np.bincount(dataset.train.targets, minlength=len(labels))
    for count in np.unique(counts[counts < _FEW]).tolist():
        few = [labels[place] for place in np.flatnonzero(counts == count)]
        yield (
            f"{name}: {listed('label', few)} {'has' if len(few) == 1 else 'have'} {count} "
            f"example{'s' * (count != 1)} to train on; add more, or leave the label out"
        )
    for split, use in (("validation", "training chooses"), ("test", "accuracy is told")):
        found = np.bincount(getattr(dataset, split).targets, minlength=len(labels))
        missing = np.flatnonzero((found == 0) & (counts >= _FEW))
        if len(missing):
            named = listed("label", [labels[place] for place in missing])
            are = "is" if len(missing) == 1 else "are"
            yield f"{name}: {named} {are} not among the {split} examples, by which {use}"


def _constant(name: str, kind: str, features: Features, x: np.ndarray) -> Iterator[str]:
    """Constant columns of a table or channels of windows; constant pixels are common."""
    if not np.ptp(x, axis=0).any():
        yield f"{name}: all examples to train on are equal, so there is nothing to learn"
        return
    axes = (0, 1) if kind == "window" else 0
    constant = np.flatnonzero(
        (np.ptp(x, axis=axes) == 0) & (kind not in ("image", "photo", "sound"))
    )
    if len(constant):
        channels = [f"channel {place}" for place in range(x.shape[-1])]
        names = channels if kind == "window" else column_names(features, x.shape[1])
        found = listed("feature", [names[place] for place in constant])
        are = "is" if len(constant) == 1 else "are"
        yield f"{name}: {found} {are} the same in all examples to train on, and of no use"


def _experts(config: TrainConfig) -> int:
    """Number of experts that share the examples."""
    return config.experts if config.dense is None and config.combine == "top" else 1


def listed(what: str, names: Sequence[str]) -> str:
    """ "the label 'a'", or "the labels 'a', 'b' and 3 more"."""
    if len(names) == 1:
        return f"the {what} {names[0]!r}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"the {what}s {', '.join(map(repr, names[:_NAMED]))}{more}"
