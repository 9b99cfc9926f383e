"""Language models: right tokens, perplexity, and the documents of two models, one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from ... import subprocesses
from ...benchmarking.tasks.language_model import bundle_losses
from ...datasets import Dataset
from ...datasets.targets.document_losses import DocumentLoss
from ...datasets.targets.document_losses import scores as scores_of
from ...errors import UnsuitableError
from . import ComparedTask, ModelResult, Scores
from .several_scores import SeveralScores

_SCORES = ("accuracy", "perplexity", "bits_per_byte")


class LanguageComparison(SeveralScores):
    """Share of tokens that a model finds the most probable ones, as the primary score.

    Perplexity stands beside it. The loss of a document is its share of the wrong tokens, times the
    number of documents.
    """

    score, title, scores = "accuracy", "right tokens", _SCORES
    others: Mapping[str, str] = MappingProxyType(
        {"perplexity": "perplexity", "bits_per_byte": "bits per byte"}
    )
    points = "points"
    gained = "predict {} points more of the tokens correctly"
    outputs = "source(s)"
    rows: tuple[str, ...] | None = ("sparse", "dense-active", "dense-all", "dense-float")
    commands: tuple[str, ...] | None = ("compare",)

    def essential(self, targets: np.ndarray) -> np.ndarray:
        """No documents: every subset can be trained on."""
        return np.empty(0, np.int64)

    def of_outputs(self, outputs: np.ndarray, dataset: Dataset, run: Any) -> ModelResult:
        """Raise UnsuitableError: outputs of all tokens would not fit into memory."""
        raise UnsuitableError("language models are judged document by document")

    def answered(self, bundle: Path, dataset: Dataset) -> ModelResult:
        found = subprocesses.call(bundle_losses, bundle, list(map(str, dataset.test.inputs)))
        return _result([DocumentLoss(*one) for one in found])

    def converted(self, conversion: Any, dataset: Dataset) -> ModelResult:
        """Scores on whole documents: the conversion's own ones are of their beginnings."""
        return self.answered(conversion.bundle, dataset)

    def exported(self, proof: Any) -> tuple[ModelResult, Scores]:
        """Raise UnsuitableError: ONNX files of language models are not offered."""
        raise UnsuitableError("language models have no ONNX files")

    def heading(self) -> dict[str, Any]:
        return {"task": "language-model", "score": self.score}


def _result(documents: Sequence[DocumentLoss]) -> ModelResult:
    found, tokens = scores_of(documents), sum(one.tokens for one in documents)
    losses = [len(documents) * (one.tokens - one.right) / tokens for one in documents]
    scores = {name: round(found[name], 6) for name in _SCORES}
    return ModelResult(scores, len(documents), tuple(float(f"{loss:.6g}") for loss in losses))


COMPARISON: ComparedTask = LanguageComparison()
