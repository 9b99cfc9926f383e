"""Anomaly detection: an expert for each operating regime reconstructs normal examples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import ManifestError
from ...features import Features
from ...format.manifest import Manifest
from ..access import Access
from ..answer import Answer, Clock, Predictions
from .base import SCORE_TOLERANCE, DeployedScores, GoldenAnswer, Tensor
from .deviations import Deviations, OddFeature
from .regression import Regression, plain
from .routed_once import RoutedOnce, known_scores

_ROUNDING = 1e-3  # of a published score, in float32
_ALARMS = "false_alarm_rate"
_SCORES = {"auroc": (0.0, 1.0), "detection_rate": (0.0, 1.0), _ALARMS: (0.0, 1.0)}


class Deviation(Answer):
    """Distance of an example from what its regime's expert has learned.

    Attributes:
        label: the feature with the largest share of the error.
        anomalous: True if the score is above 1.
    """

    __slots__ = ("_deviations", "_score", "_x", "anomalous")

    def __init__(
        self,
        deviations: Deviations,
        x: np.ndarray,
        expert: int,
        output: np.ndarray,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None,
    ):
        self._deviations, self._x = deviations, x
        squares = deviations.squares(x, output, expert)
        self._score = float(deviations.scores_of(squares, expert))
        self.anomalous = not self._score <= 1  # also if it is NaN
        label = deviations.names[squares.argmax()]
        super().__init__(label, expert, output, 1.0, clock, experts, None, reason)

    @property
    def score(self) -> float:
        """Error as a multiple of the regime's threshold: above 1 is anomalous."""
        return self._score

    @property
    def text(self) -> str:
        """Answer as a text: "normal" or "anomalous"."""
        return "anomalous" if self.anomalous else "normal"

    @property
    def regime(self) -> int:
        """Operating regime: the index of the expert that answered."""
        return self.expert

    @property
    def inputs(self) -> np.ndarray:
        """Standardized features of the example, (features,) float32."""
        return self._x

    @property
    def odd(self) -> tuple[OddFeature, ...]:
        """Features with the largest shares of the error, the largest first."""
        return self._deviations.oddest(self._x, self._logits, self.expert)

    @property
    def scores(self) -> np.ndarray:
        """Reconstruction by the expert, standardized: (features,) float32."""
        return self._logits

    def __repr__(self) -> str:
        told = f"{self.text}, score={self._score:.4f}, regime={self.expert}"
        return f"Deviation({told}{', degraded' * self.degraded})"


class AnomalyPredictions(Predictions):
    """Answers to many inputs; `scores` are the reconstructions, `labels` 1 for anomalous ones.

    Attributes:
        deviations: error as a multiple of the regime's threshold, (examples,) float32.
    """

    deviations: np.ndarray


class Anomaly(RoutedOnce):
    """Experts output the features that they expect; their distance from the real ones is scored.

    Raises:
        ManifestError: the settings of `task_spec` do not have numbers for each feature and expert,
            or the manifest lets several experts answer, or abstain.
    """

    name, watched = "anomaly", True
    labels_are = "features"
    parity = Regression.parity

    def __init__(self, manifest: Manifest, features: Features):
        super().__init__(manifest, features)
        if manifest.abstain_below is not None:
            raise ManifestError("abstain_below must be null: each regime has a threshold")
        if not manifest.asks_one:
            raise ManifestError(
                "combine must be 'top', top_k 1 and second_below null: the regime's expert answers"
            )
        spec = manifest.task_spec
        self._deviations = Deviations.read(
            manifest.labels, len(manifest.experts), {} if spec is None else spec.config
        )
        width = sum(int(np.prod(shape)) for shape, _ in features.shapes.values())
        if width != len(manifest.labels):
            raise ManifestError(
                f"labels must name the {width} numbers of an encoded example, got "
                f"{len(manifest.labels)}"
            )

    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Any,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Deviation:
        x = arrays["x"].reshape(-1)
        return Deviation(self._deviations, x, first, output, clock, experts, reason)

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> AnomalyPredictions:
        rows = self.predictions(arrays, models)
        x = arrays["x"].reshape(len(rows.labels), -1)
        found = self._deviations.scores(x, rows.scores, rows.experts)
        answers = AnomalyPredictions(*rows._replace(labels=(~(found <= 1)).astype(int)))
        answers.deviations = found
        return answers

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return the scores: `deviations`, (examples,) float32."""
        return {"deviations": np.array([answer.score for answer in answers], np.float32)}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        found = stored["deviations"]
        if found.shape != (count,):
            raise ValueError("must hold the score of each of its examples")
        return {"deviations": found.astype(np.float64)}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Compare the expert, its outputs, and the score by regime, errors and threshold.

        Published scores follow from the published outputs: otherwise errors or thresholds were
        altered after publication.
        """
        assert isinstance(answer, Deviation)
        score = float(wanted.of_task["deviations"])
        with np.errstate(over="ignore", invalid="ignore"):
            largest = max(1.0, float(np.abs(wanted.scores).max()))
            apart = float(np.abs(answer.scores - wanted.scores).max())
        same = answer.expert == wanted.expert and apart <= SCORE_TOLERANCE * largest
        if same:
            promised = self._deviations.scores(answer.inputs, wanted.scores, answer.expert)
            near = abs(promised - score) <= _ROUNDING * max(1.0, score)
            # A last bit of an int8 output is about as much as the error of a well-known feature.
            if near and abs(answer.score - score) <= 2 * SCORE_TOLERANCE * max(1.0, score):
                return None
        return (
            f"score {answer.score:.4g} from expert {answer.expert}, {score:.4g} from expert "
            f"{wanted.expert} was expected (outputs differ by up to {apart:.3g})"
        )

    def outputs(self) -> list[Tensor]:
        return [
            ("anomalous", "BOOL", ()),
            ("score", "FP32", ()),
            ("regime", "INT32", ()),
            ("odd", "BYTES", ()),
            ("values", "FP32", (len(self._deviations.names),)),
            ("expected", "FP32", (len(self._deviations.names),)),
            ("expert", "INT32", ()),
            ("degraded", "BOOL", ()),
        ]

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        """Return one of `outputs`; `odd` is the name of the feature with the largest error."""
        told = [answer for answer in answers if isinstance(answer, Deviation)]
        if name == "score":
            return [plain(answer.score) for answer in told]
        if name == "odd":
            return [answer.label for answer in told]
        if name in ("values", "expected"):
            numbers = self._deviations
            rows = [answer.inputs if name == "values" else answer.scores for answer in told]
            return [plain(one) for row in rows for one in row * numbers.scale + numbers.mean]
        return super().tensor(name, told)

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        """Average the standardized reconstructions, (examples, outputs) to (examples,)."""
        mean: np.ndarray = scores.mean(axis=1)
        return mean

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        said = manifest.provenance
        scores, examples = said.get("test_scores"), said.get("test_examples")
        found = known_scores(scores, examples, _SCORES)
        # Without anomalous test examples, false alarms alone are known.
        return found or known_scores(scores, examples, {_ALARMS: _SCORES[_ALARMS]})

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        found = Anomaly.deployed(manifest)
        if found is None:
            return "AUROC        not known as deployed"
        told, on = found.scores, f"on {found.examples} test examples"
        alarms = f"false alarms on {told[_ALARMS]:.1%} of the normal ones"
        if "auroc" not in told:
            return f"AUROC        not known, no anomalous examples; {alarms}, {on}"
        return (
            f"AUROC        {told['auroc']:.4f} as deployed, {on}; {told['detection_rate']:.1%} of "
            f"the anomalous ones found, {alarms}"
        )
