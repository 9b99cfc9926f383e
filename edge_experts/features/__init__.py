"""Features: conversion of inputs to arrays, by the same numpy code in training and on devices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import ManifestError
from ..format.checked_files import read_arrays
from ..format.manifest import FeatureSpec
from .array import ArrayFeatures
from .byte_pairs import BytePairFeatures
from .fields import Fields
from .photo import PhotoFeatures
from .pieces import PieceFeatures
from .sound import SoundFeatures
from .table import TableFeatures
from .text import TextFeatures
from .tokenizer import TokenizerFeatures
from .tokens import TokenFeatures
from .vocabulary import Vocabulary

__all__ = [
    "KINDS",
    "ArrayFeatures",
    "BytePairFeatures",
    "Features",
    "PhotoFeatures",
    "PieceFeatures",
    "SoundFeatures",
    "TableFeatures",
    "TextFeatures",
    "TokenFeatures",
    "TokenizerFeatures",
    "Vocabulary",
    "encode_all",
    "extras_of",
    "read_features",
    "restore",
]


class Features(Protocol):
    """Interface of all kinds of features."""

    kind: str

    @property
    def settings(self) -> dict[str, Any]:
        """Values that `restore` needs besides the arrays: plain JSON values."""

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays stored in features.npz; may be empty."""

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        """Shape and type of each array that `encode` returns; `ANY` for a size that varies."""

    def pack(self, examples: Sequence[Any]) -> np.ndarray:
        """Pack examples into one array, to be stored in an .npz file."""

    def unpack(self, packed: np.ndarray) -> Sequence[Any]:
        """Return the examples that were packed by `pack`."""

    def parse(self, line: str) -> Any:
        """Parse an example from a line of text, as `edge-experts run` reads them."""

    @property
    def fields(self) -> Fields:
        """Fields of an example."""

    def put_together(self, parts: Mapping[str, Any]) -> Any:
        """Build an example from the values of its fields."""

    def take_apart(self, example: Any) -> Mapping[str, Any]:
        """Split an example into the values of its fields."""

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Contract of each field, in plain JSON values.

        It has `name`, `dtype`, `shape`, and further entries of the kind: `range`, `layout`,
        `normalization`, `missing`, `values`, ...
        """

    def encode(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Encode one example as named arrays, each with a leading dimension of 1.

        Args:
            warnings: receives sentences about the example for the user, such as a category that is
                not in the training data.

        Raises:
            UsageError: the example violates the contract; names the field and the remedy.
        """


_Kind = (
    type[TextFeatures]
    | type[ArrayFeatures]
    | type[TableFeatures]
    | type[PieceFeatures]
    | type[BytePairFeatures]
    | type[TokenizerFeatures]
    | type[PhotoFeatures]
    | type[SoundFeatures]
)
KINDS: dict[str, _Kind] = {
    kind.kind: kind
    for kind in (
        *(TextFeatures, ArrayFeatures, TableFeatures, TokenFeatures, PieceFeatures),
        *(BytePairFeatures, PhotoFeatures, SoundFeatures, TokenizerFeatures),
    )
}


def restore(kind: str, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Features:
    """Restore the features of a bundle or a run.

    Raises:
        ManifestError: an unknown kind, or settings that do not fit it.
    """
    if kind not in KINDS:
        raise ManifestError(f"features: kind must be one of {sorted(KINDS)}, got {kind!r}")
    try:
        return KINDS[kind].restore(settings, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ManifestError(f"features: settings do not fit {kind!r}: {error}") from None


def extras_of(kind: str) -> tuple[str, ...]:
    """Return the extras of this package that a kind of features needs on a device."""
    found: tuple[str, ...] = getattr(KINDS.get(kind), "extras", ())
    return found


def read_features(folder: Path, spec: FeatureSpec) -> Features:
    """Read a bundle's features, with its arrays checked."""
    arrays = {} if spec.file is None else read_arrays(folder, spec.file)
    return restore(spec.kind, spec.config, arrays)


def encode_all(features: Features, examples: Iterable[Any]) -> dict[str, np.ndarray]:
    """Encode all examples as named arrays, (examples, ...)."""
    encoded = [features.encode(example) for example in examples]
    return {name: np.concatenate([one[name] for one in encoded]) for name in encoded[0]}
