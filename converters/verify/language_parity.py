"""Parity of a converted language model with the Keras model: losses, logits, and every file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge_experts.errors import ModelError, ThresholdError

from ..process.error_messages import name_of

_DEFAULT_DROP = 10.0  # percent of perplexity
# Largest root mean square of a file's difference from Keras, as a share of Keras's own. A file that
# computes zeros is off by 1.
_OFF = {"float32": 1e-3, "int8": 0.15, "int4": 0.5}


@dataclass(frozen=True)
class LanguageParity:
    """The bundle beside Keras, on windows of validation documents.

    Attributes:
        examples: number of windows.
        loss, keras_loss: nats a token.
        logits_off: largest difference of logits, as a share of the largest logit.
        same_token: share of windows whose most probable next token is the same.
        file_off: largest difference of any file, as in `refuse_wrong_files`.
    """

    examples: int
    loss: float
    keras_loss: float
    logits_off: float
    same_token: float
    file_off: float

    @property
    def scores(self) -> Mapping[str, float]:
        return {"loss": self.loss, "perplexity": float(np.exp(self.loss))}

    @property
    def keras_scores(self) -> Mapping[str, float]:
        return {"loss": self.keras_loss, "perplexity": float(np.exp(self.keras_loss))}

    def refuse_beyond(self, max_drop: float | None) -> None:
        """Raise ThresholdError if conversion raised the perplexity by more than `max_drop` %."""
        rise = 100 * float(np.expm1(self.loss - self.keras_loss))
        limit = _DEFAULT_DROP if max_drop is None else max_drop
        if not rise <= limit:  # also for NaN
            raise ThresholdError(
                f"conversion raises the perplexity by {rise:.2f} %, more than the {limit:g} "
                "allowed; try --quantization int8 or float32"
            )

    def refuse_disagreement(self) -> None:
        """Accept any differences: losses are compared."""
        return

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def refuse_wrong_files(
    expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], quantization: str, on: str
) -> float:
    """Compare the output of each file with Keras's; return the largest difference.

    Args:
        expected, found: outputs by path, (rows, outputs).
        on: the interpreter, for errors.

    Raises:
        ModelError: a file computes something else.
    """
    worst, limit = 0.0, _OFF.get(quantization, _OFF["int8"])
    for path, wanted in expected.items():
        off = _size(found[path] - wanted) / max(_size(wanted), 1e-12)
        if not off <= limit:
            raise ModelError(
                f"{name_of(path)}: {on} computes another result than Keras, off by {off:.2f} of "
                f"its size where {limit:g} is allowed; choose the --target of the board"
            )
        worst = max(worst, off)
    return worst


def _size(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(values.astype(np.float64)))))
