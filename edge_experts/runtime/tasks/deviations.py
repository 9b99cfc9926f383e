"""Distance of an example from the normal of its operating regime."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...format.strict_json import Reader

LARGEST = float(np.finfo(np.float32).max)
_SMALLEST = float(np.finfo(np.float32).tiny)
_SHOWN = 3  # features that an answer names, at most
_DIGITS = 6  # of a value
_LEAST_SHARE = 0.05  # of the squared error, from which a feature is named


class OddFeature(NamedTuple):
    """Feature that contributes to an example's error.

    Attributes:
        value, expected: the example's and the expert's, in the data's units; of a category 1 or 0
            and a number between.
        share: of the squared error.
    """

    feature: str
    value: float
    expected: float
    share: float


@dataclass(frozen=True)
class Deviations:
    """Normal errors of each regime, and the thresholds of their mean.

    Attributes:
        names: names of the features, which are the experts' outputs.
        mean, scale: from standardized features to the data's units, (outputs,) float32.
        errors: root mean squared error of each feature on normal training examples, standardized,
            (regimes, outputs) float32.
        thresholds: error of an example, as `scores` computes it, above which it is anomalous,
            (regimes,) float32.
    """

    names: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    errors: np.ndarray
    thresholds: np.ndarray

    @classmethod
    def read(cls, names: Sequence[str], regimes: int, config: Mapping[str, Any]) -> Deviations:
        """Read the settings of `task_spec`.

        Raises:
            ManifestError: they are not as many numbers as there are features and regimes.
        """
        reader, count = Reader(config, "task_spec: config"), len(names)
        rows = reader.items("errors", regimes, regimes)
        return cls(
            tuple(names),
            _numbers(reader, "mean", reader.items("mean", count, count), -LARGEST),
            _numbers(reader, "scale", reader.items("scale", count, count), _SMALLEST),
            np.array([_row(reader, row, count) for row in rows], np.float32),
            _numbers(reader, "thresholds", reader.items("thresholds", regimes, regimes), _SMALLEST),
        )

    def to_json(self) -> dict[str, Any]:
        return {
            name: np.round(getattr(self, name).astype(np.float64), 9).tolist()
            if name in ("errors", "thresholds")
            else getattr(self, name).astype(np.float64).tolist()
            for name in ("mean", "scale", "errors", "thresholds")
        }

    def squares(self, x: np.ndarray, outputs: np.ndarray, regimes: Any) -> np.ndarray:
        """Squared errors as multiples of the regime's normal ones, (..., outputs)."""
        with np.errstate(over="ignore", invalid="ignore"):  # a hostile bundle may have any values
            squares: np.ndarray = ((x - outputs) / self.errors[regimes]) ** 2
        return squares

    def errors_of(self, x: np.ndarray, outputs: np.ndarray, regimes: Any) -> np.ndarray:
        """Root of their mean over the features, (...,): about 1 for normal examples."""
        found: np.ndarray = np.sqrt(_mean(self.squares(x, outputs, regimes)))
        return found

    def scores_of(self, squares: np.ndarray, regimes: Any) -> np.ndarray:
        """Errors of these squares divided by the regime's threshold, (...,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            scores: np.ndarray = np.sqrt(_mean(squares)) / self.thresholds[regimes]
        return scores

    def scores(self, x: np.ndarray, outputs: np.ndarray, regimes: Any) -> np.ndarray:
        """Errors divided by the regime's threshold, (...,): above 1 is anomalous.

        Args:
            x: standardized examples, (..., outputs).
            outputs: their reconstruction by an expert, (..., outputs).
            regimes: index of the expert, (...,).
        """
        return self.scores_of(self.squares(x, outputs, regimes), regimes)

    def oddest(self, x: np.ndarray, outputs: np.ndarray, regime: int) -> tuple[OddFeature, ...]:
        """Features of one example with the largest shares of its error, the largest first."""
        squares = self.squares(x, outputs, regime).astype(np.float64)
        total = squares.sum()
        if not np.isfinite(total) or total <= 0:
            return ()
        places = np.argsort(-squares, kind="stable")[:_SHOWN]
        return tuple(
            OddFeature(
                self.names[place],
                self._in_units(x[place], place),
                self._in_units(outputs[place], place),
                round(float(squares[place] / total), 4),
            )
            for place in places.tolist()
            if squares[place] >= _LEAST_SHARE * total
        )

    def _in_units(self, number: Any, place: int) -> float:
        """Convert a standardized feature; float32 has no more digits than are kept."""
        scale, mean = float(self.scale[place]), float(self.mean[place])
        largest = max(abs(scale), abs(mean), abs(float(number) * scale))
        digits = _DIGITS - 1 - math.floor(math.log10(largest))
        return round(float(number) * scale + mean, digits)


def _mean(squares: np.ndarray) -> np.ndarray:
    """Mean over the features, (...,)."""
    with np.errstate(over="ignore", invalid="ignore"):
        found: np.ndarray = squares.mean(axis=-1)
    return found


def _row(reader: Reader, row: Any, count: int) -> np.ndarray:
    if not isinstance(row, list) or len(row) != count:
        raise reader.error("errors", f"must hold {count} numbers for each expert")
    return _numbers(reader, "errors", row, _SMALLEST)


def _numbers(reader: Reader, key: str, numbers: Sequence[Any], least: float) -> np.ndarray:
    for number in numbers:
        if type(number) not in (int, float) or not least <= number <= LARGEST:
            raise reader.error(
                key, f"must be numbers from {least:.3g} to {LARGEST:.3g}, got {number!r:.40}"
            )
    return np.array(numbers, np.float64).astype(np.float32)
