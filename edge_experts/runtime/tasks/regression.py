"""Regression: experts estimate one number or several, which the bundle's labels name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ManifestError
from ...features import Features
from ...format.manifest import Manifest
from ...format.strict_json import Reader
from ..access import Access
from ..answer import Answer, Clock, Predictions
from .base import SCORE_TOLERANCE, Column, DeployedScores, GoldenAnswer, Tensor
from .routed_once import RoutedOnce, known_scores

_LARGEST = float(np.finfo(np.float32).max)
_SCORES = {"mae": (0.0, math.inf), "rmse": (0.0, math.inf), "r2": (-math.inf, 1.0)}


@dataclass(frozen=True)
class Units:
    """Conversion from the experts' standardized values to the data's units.

    Attributes:
        names: names of the outputs.
        mean, scale: of each output, (outputs,) float32.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray

    def values(self, outputs: np.ndarray) -> np.ndarray:
        """Convert standardized outputs to the data's units: outputs * scale + mean, float32."""
        with np.errstate(over="ignore", invalid="ignore"):  # a hostile bundle may have any values
            made: np.ndarray = outputs * self.scale + self.mean
        return made

    def text(self, outputs: np.ndarray) -> str:
        """Format the values of one example to 7 digits; several values follow their names."""
        told = [f"{value:.7g}" for value in self.values(outputs).tolist()]
        if len(told) == 1:
            return told[0]
        return ", ".join(f"{name} {value}" for name, value in zip(self.names, told, strict=True))


class Estimate(Answer):
    """Values that experts estimate for an input.

    Attributes:
        label: the name of the first output.
    """

    __slots__ = ("_units",)

    def __init__(
        self,
        units: Units,
        expert: int,
        output: np.ndarray,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None,
    ):
        super().__init__(units.names[0], expert, output, 1.0, clock, experts, None, reason)
        self._units = units

    @property
    def values(self) -> dict[str, float]:
        """Value of each output in the data's units, by its name."""
        numbers = self._units.values(self._logits).tolist()
        return dict(zip(self._units.names, numbers, strict=True))

    @property
    def text(self) -> str:
        """Values as a text."""
        return self._units.text(self._logits)

    @property
    def scores(self) -> np.ndarray:
        """Standardized outputs, (outputs,) float32."""
        return self._logits

    @property
    def score(self) -> float:
        """Mean of the standardized outputs."""
        return float(self._logits.mean())

    def __repr__(self) -> str:
        return f"Estimate({self.text}, expert={self.expert}{', degraded' * self.degraded})"


class Estimates(Predictions):
    """Answers to many inputs; `scores` are the standardized outputs, `labels` are 0.

    Attributes:
        values: in the data's units, (examples, outputs) float32.
    """

    values: np.ndarray


class Regression(RoutedOnce):
    """Experts output standardized values; outputs of several experts are averaged.

    Raises:
        ManifestError: `mean` and `scale` in the settings of `task_spec` are not one number for each
            output, or the manifest has a threshold to abstain.
    """

    name, watched = "regression", True
    labels_are = "outputs"
    parity = (
        Column("largest difference  ", "largest_difference", ".3g", 21),
        Column("R2: Keras's,", "keras_r2", ".4f", 12),
        Column("deployed", "deployed_r2", ".4f", 9),
    )

    def __init__(self, manifest: Manifest, features: Features):
        super().__init__(manifest, features)
        if manifest.abstain_below is not None:
            raise ManifestError("abstain_below must be null: regression never abstains")
        spec, count = manifest.task_spec, len(manifest.labels)
        reader = Reader({} if spec is None else spec.config, "task_spec: config")
        self._units = Units(
            manifest.labels,
            _numbers(reader, "mean", count, -_LARGEST),
            _numbers(reader, "scale", count, float(np.finfo(np.float32).tiny)),
        )

    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Any,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Estimate:
        return Estimate(self._units, first, output, clock, experts, reason)

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> Estimates:
        rows = self.predictions(arrays, models)
        estimates = Estimates(*rows._replace(labels=np.zeros(len(rows.labels), int)))
        estimates.values = self._units.values(rows.scores)
        return estimates

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return the values in the data's units: `values`, (examples, outputs) float32."""
        outputs = np.array([answer.scores for answer in answers], np.float32)
        return {"values": self._units.values(outputs.reshape(-1, len(self._units.names)))}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        values = stored["values"]
        if values.shape != (count, len(self._units.names)):
            raise ValueError("must hold the values of each of its examples")
        return {"values": values.astype(np.float64)}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Compare the expert and each value; a difference is measured in the output's scale.

        Published values follow from the published scores by mean and scale, up to the rounding of
        float32: otherwise one of the two was altered after publication.
        """
        units, values = self._units, wanted.of_task["values"]
        found, promised = units.values(answer.scores), units.values(wanted.scores)
        with np.errstate(over="ignore", invalid="ignore"):
            rounding = 1e-6 * (np.abs(units.mean) + np.abs(wanted.scores * units.scale))
            off = np.abs(promised - values)
            apart = np.abs(found - values)
            near = (off <= rounding) & (apart <= SCORE_TOLERANCE * units.scale + rounding)
        if answer.expert == wanted.expert and near.all():  # nor NaN
            return None
        place = int(np.argmin(near))
        return (
            f"{units.names[place]} {found[place]:.7g} from expert {answer.expert}, "
            f"{values[place]:.7g} from expert {wanted.expert} was expected (they differ by "
            f"{apart[place]:.3g}; by mean and scale it would be {promised[place]:.7g})"
        )

    def outputs(self) -> list[Tensor]:
        return [
            ("values", "FP32", (len(self._units.names),)),
            ("expert", "INT32", ()),
            ("degraded", "BOOL", ()),
        ]

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        """Return the values of all outputs in the bundle's order; None for values not finite."""
        if name == "values":
            rows = [self._units.values(answer.scores) for answer in answers]
            return [plain(value) for row in rows for value in row]
        return super().tensor(name, answers)

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        """Average the standardized outputs, (examples, outputs) to (examples,)."""
        mean: np.ndarray = scores.mean(axis=1)
        return mean

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        said = manifest.provenance
        return known_scores(said.get("test_scores"), said.get("test_examples"), _SCORES)

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        found = Regression.deployed(manifest)
        if found is None:
            return "R2           not known as deployed"
        told = found.scores
        return (
            f"R2           {told['r2']:.4f} as deployed, on {found.examples} test examples; "
            f"MAE {told['mae']:.5g}, RMSE {told['rmse']:.5g}"
        )


def plain(value: float) -> float | None:
    """Convert a float32 to its shortest decimal for JSON; None if it is not finite."""
    return float(str(np.float32(value))) if math.isfinite(value) else None


def _numbers(reader: Reader, key: str, count: int, least: float) -> np.ndarray:
    """Read `count` float32 numbers; raises ManifestError if the setting is anything else."""
    numbers = reader.items(key, count, count)
    for number in numbers:
        if type(number) not in (int, float) or not least <= number <= _LARGEST:
            raise reader.error(
                key, f"must be numbers from {least:.3g} to {_LARGEST:.3g}, got {number!r:.40}"
            )
    return np.array(numbers, np.float64).astype(np.float32)
