"""The data of the scenario: domains that a model is deployed for, and one that comes later."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ... import datasets
from ...datasets import Dataset, Split
from ...datasets import sentiment as sentences

NEW = "tweets"  # named before any table was measured; the others are reviews and editorials


@dataclass(frozen=True)
class Domains:
    """Data sets of one task, whose test examples are disjoint.

    Attributes:
        old: what the deployed model was trained on.
        new: what comes later.
        all: both, for a network that is trained anew.
    """

    old: Dataset
    new: Dataset
    all: Dataset


def sentiment(seed: int = 0) -> Domains:
    """Film reviews, product reviews and editorials; later tweets.

    Args:
        seed: draws the validation examples; test examples are always the same.
    """
    whole, domain_of = datasets.load("sentiment", seed), sentences.domains()
    return Domains(
        _part(whole, "reviews and editorials", lambda text: domain_of[text] != NEW),
        _part(whole, NEW, lambda text: domain_of[text] == NEW),
        whole,
    )


def _part(whole: Dataset, name: str, belongs: Callable[[str], bool]) -> Dataset:
    def split(examples: Split) -> Split:
        rows = [row for row, text in enumerate(examples.inputs) if belongs(text)]
        return Split([examples.inputs[row] for row in rows], examples.targets[rows])

    return replace(
        whole,
        name=name,
        train=split(whole.train),
        validation=split(whole.validation),
        test=split(whole.test),
    )
