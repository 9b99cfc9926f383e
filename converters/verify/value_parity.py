"""Parity of values by the converted files with those of the Keras model."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge_experts.errors import ThresholdError

MAX_DROP = 2.0  # points of R2, by default
FAR = 0.25  # standardized: difference from Keras's output from which an output counts as another
OTHERS = 0.03  # share of examples that may have other outputs
ENOUGH = 100  # examples, below which 3 % of them are too few for a judgement


@dataclass(frozen=True)
class ExpertValueParity:
    """One expert compared with its Keras network, on examples that both routers send to it.

    Attributes:
        largest_difference: of standardized outputs.
        other_outputs: share of examples with an output that differs by more than `FAR`.
    """

    expert: int
    examples: int
    largest_difference: float
    other_outputs: float
    keras_r2: float
    deployed_r2: float


@dataclass(frozen=True)
class RegressionParity:
    """Results on the validation examples, by the runtime that the bundle is for.

    Attributes:
        equal_experts: share of examples that both send to the same expert.
        largest_difference: of standardized outputs, over all examples and outputs.
        other_outputs: share of examples with an output that differs by more than `FAR`.
        drop_error: standard error of the drop in R2, in points.
        experts: those that answered, if one expert answers an example.
    """

    examples: int
    equal_experts: float
    largest_difference: float
    other_outputs: float
    keras_r2: float
    deployed_r2: float
    keras_mae: float
    deployed_mae: float
    keras_rmse: float
    deployed_rmse: float
    drop_error: float
    experts: tuple[ExpertValueParity, ...] = ()

    @property
    def scores(self) -> dict[str, float]:
        return {"mae": self.deployed_mae, "rmse": self.deployed_rmse, "r2": self.deployed_r2}

    @property
    def keras_scores(self) -> dict[str, float]:
        return {"mae": self.keras_mae, "rmse": self.keras_rmse, "r2": self.keras_r2}

    @property
    def r2_drop(self) -> float:
        """Cost of conversion, in points (hundredths) of R2."""
        return 100 * (self.keras_r2 - self.deployed_r2)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "r2_drop": self.r2_drop}

    def refuse_beyond(self, max_drop: float | None) -> None:
        """Raise ThresholdError if conversion cost more points of R2 than allowed.

        The default limit is 2 points, and the drop must then also be beyond two standard errors.
        """
        allowed = MAX_DROP if max_drop is None else max_drop
        significant = max_drop is not None or self.r2_drop > 2 * self.drop_error
        if self.r2_drop > allowed and significant:
            raise ThresholdError(
                f"the converted model loses {self.r2_drop:.2f} points of R2 on {self.examples} "
                f"validation examples ({self.keras_r2:.4f} to {self.deployed_r2:.4f}); "
                f"--max-accuracy-drop allows {allowed}. Nothing was written; try another "
                "--quantization"
            )

    def refuse_disagreement(self) -> None:
        """Raise ThresholdError if too many outputs are far from Keras's."""
        judged = [("the converted model", self.examples, self.other_outputs)]
        judged += [(f"expert {e.expert}", e.examples, e.other_outputs) for e in self.experts]
        for name, examples, others in judged:
            if examples >= ENOUGH and others > OTHERS:
                raise ThresholdError(
                    f"{name} gives {others:.1%} of {examples} validation examples an output that "
                    f"is more than {FAR:g} standard deviations from Keras's; {OTHERS:.0%} may "
                    "have one. Nothing was written; try --quantization dynamic, float16 or "
                    "float32, or judge by R2 alone with --max-accuracy-drop"
                )
