"""The router of translators beside its Keras network: whose it takes validation sentences for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.datasets import Split
from edge_experts.features import PieceFeatures, encode_all
from edge_experts.format.expert_names import language
from edge_experts.format.npz import npz

ASKED = "routed.npz"


@dataclass(frozen=True)
class Routed:
    """The share of sentences sent to their own expert, by Keras and as deployed, and to the same.

    Of the experts of a sentence's language.
    """

    keras: float
    deployed: float
    equal: float
    examples: int


def ask(job: Path, examples: Split, labels: Sequence[str], features: PieceFeatures) -> None:
    """Leave the sentences for the worker and the proof; what they are to be taken for too."""
    inputs = to_languages(examples, labels)
    encoded = encode_all(features, inputs)
    (job / ASKED).write_bytes(
        npz(inputs=features.pack(inputs), experts=examples.targets, **encoded)
    )


def compare(job: Path) -> Routed | None:
    """How both did; None where nothing was to be routed."""
    if not (job / ASKED).exists():
        return None
    right = np.load(job / ASKED)["experts"]
    keras, deployed = (np.load(job / f"{name}.npz")["routes"] for name in ("keras", "deployed"))
    return Routed(
        keras=_share(keras == right),
        deployed=_share(deployed == right),
        equal=_share(keras == deployed),
        examples=len(right),
    )


def to_languages(examples: Split, labels: Sequence[str]) -> list[tuple[str, str]]:
    """The sentences as they come at use: to a language, whatever domain they are of."""
    return [
        (source, language(labels[target]))
        for (source, _), target in zip(examples.inputs, examples.targets.tolist(), strict=True)
    ]


def _share(which: np.ndarray) -> float:
    return round(float(which.mean()), 4)
