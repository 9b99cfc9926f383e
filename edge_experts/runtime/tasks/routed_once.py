"""Loop of tasks that route an input once: encode, route, run experts, make an answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ManifestError, ModelError, UsageError
from ...features import Features
from ...format.manifest import Manifest
from ..access import Access
from ..answer import Answer, Clock, Predictions, first_probability, softmax
from ..batch import Question, examples_of
from ..fit import Shapes, must_fit
from ..interpreter import Delegate, Expert, Model
from ..memory.policy import Policy
from ..memory.quarantine import UNAVAILABLE
from .base import (
    SCORE_TOLERANCE,
    Column,
    DeployedScores,
    GoldenAnswer,
    Stream,
    Tensor,
    Traffic,
)

if TYPE_CHECKING:
    from ..routing_options import RoutingOptions

Arrays = dict[str, np.ndarray]
Times = tuple[int, int, int]  # ns: started, encoded, routed


class RoutedOnce(ABC):
    """Task that routes each input once and runs the experts that the router picks.

    If an expert cannot be used, the router's next choice answers, unless the runtime is strict.
    """

    labels_are, needs_all = "labels", False
    routing: Mapping[str, float] = MappingProxyType({})
    parity: Sequence[Column] = (
        Column("equal labels  ", "equal_labels", ".2%", 15),
        Column("accuracy: Keras's,", "keras_accuracy", ".4f", 12),
        Column("deployed", "deployed_accuracy", ".4f", 9),
    )

    def __init__(self, manifest: Manifest, features: Features):
        for name in ("layers", "dense"):
            if getattr(manifest, name):
                raise ManifestError(f"{name} must be empty: this task routes an input once")
        self.manifest, self.features = manifest, features
        # Looked up once, because every answer needs them.
        self.encode = features.encode
        self._runs_one, self._second_below = manifest.asks_one, manifest.second_below
        self._by_name = manifest.by_name
        self._most = manifest.top_k if self._second_below is None else 2
        self._all = tuple(range(len(manifest.experts)))

    @abstractmethod
    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Any,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Answer:
        """Make an answer from the experts' output.

        Args:
            arrays: the experts' inputs.
            output: the output of one expert, or of several after `mix`.
            first, experts, reason: as in `Answer`.
        """

    def mix(self, gate: np.ndarray | None, outputs: Sequence[Any]) -> Any:
        """Combine several outputs into one.

        Args:
            gate: the router's logits of these experts; None if all are summed.
        """
        if gate is None:
            return np.sum(outputs, axis=0)
        return self.mean(softmax(gate), np.array(outputs))

    def mean(self, weights: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Average outputs, (experts, ...), by weights that sum to one, (experts,)."""
        averaged: np.ndarray = weights @ outputs
        return averaged

    def mask(self, arrays: Arrays, gate: np.ndarray | None) -> np.ndarray | None:
        """Remove experts from the gate that the input is not for; only called with `by_name`."""
        return gate

    def pick(self, arrays: Arrays, models: Access) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """Return the gate and the experts to run, the router's first choice first."""
        gate = models.route(arrays)
        if self._by_name:
            gate = self.mask(arrays, gate)
        if gate is None:
            return None, self._all
        first, second_below = int(gate.argmax()), self._second_below
        if self._runs_one or (
            second_below is not None and first_probability(gate, first) >= second_below
        ):
            return gate, (first,)
        return gate, tuple(np.argsort(-gate, kind="stable")[: self._most].tolist())

    def run(self, example: Any, models: Access) -> Answer:
        """Answer one example."""
        start = perf_counter_ns()
        warnings: list[str] = []
        arrays = self.encode(example, warnings)
        encoded = perf_counter_ns()
        gate, picks = self.pick(arrays, models)
        routed = perf_counter_ns()
        first = picks[0]
        if len(picks) == 1:
            try:
                expert = models.expert(first)
                try:
                    loaded = perf_counter_ns()
                    output = expert(arrays)
                except ModelError as error:
                    models.reject(expert, error)
                    raise
                finally:
                    models.free(expert)
            except UNAVAILABLE:
                if models.strict:
                    raise
            else:
                clock = (start, encoded, routed, loaded, perf_counter_ns())
                if models.is_watched:  # rare: an unconditional call would slow down every answer
                    models.answered(first, gate, output)
                answer = self.answer(arrays, output, first, clock, picks)
                if warnings:
                    answer.warnings = warnings
                return answer
        question = Question(arrays, gate, picks, self.mix)
        models.run([question])
        return self._answered(question, (start, encoded, routed), warnings, models)

    def run_many(self, examples: Iterable[Any], models: Access) -> list[Answer]:
        """Answer examples, loading each expert once; the answers are in the examples' order."""
        questions, times, told = [], [], []
        for example in examples:
            start = perf_counter_ns()
            told.append(list[str]())
            arrays = self.encode(example, told[-1])
            encoded = perf_counter_ns()
            questions.append(self.question(arrays, models))
            times.append((start, encoded, perf_counter_ns()))
        models.run(questions)
        return [
            self._answered(question, time, warnings, models)
            for question, time, warnings in zip(questions, times, told, strict=True)
        ]

    def stream(self, example: Any, models: Access) -> Stream:
        """Raise UsageError: an answer comes as a whole."""
        raise UsageError("stream is for language models: use predict")

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> Predictions:
        """Raise UsageError; tasks whose answers are rows of an array override it."""
        raise UsageError(
            "predict_arrays is for bundles that answer with arrays of numbers: use predict_batch"
        )

    def predictions(self, arrays: Mapping[str, np.ndarray], models: Access) -> Predictions:
        """Answer many encoded examples by experts that output one number for each label."""
        questions = [self.question(one, models) for one in examples_of(arrays)]
        models.run(questions)
        if models.observer is not None:
            for question in questions:
                models.observer(question.gate, question.output)
        outputs = np.array([question.output for question in questions], np.float32)
        outputs = outputs.reshape(len(questions), len(self.manifest.labels))
        return Predictions(
            labels=outputs.argmax(axis=1),
            scores=self.scores(outputs),
            experts=np.array([question.first for question in questions], int),
            degraded=np.array([question.reason is not None for question in questions], bool),
        )

    def question(self, arrays: Arrays, models: Access) -> Question:
        """Encode and route an input, without an answer yet."""
        return Question(arrays, *self.pick(arrays, models), self.mix)

    def _answered(
        self, question: Question, times: Times, warnings: Sequence[str], models: Access
    ) -> Answer:
        if models.observer is not None:
            models.observer(question.gate, question.output)
        clock, output = question.clock(times), question.output
        answer = self.answer(
            question.arrays, output, question.first, clock, question.picks, question.reason
        )
        if warnings:
            answer.warnings = warnings
        return answer

    def initial_state(self) -> dict[str, np.ndarray]:
        """Return no arrays: an input is answered in one step."""
        return {}

    def largest_state(self) -> dict[str, np.ndarray]:
        """Return no arrays."""
        return {}

    def reserve(self, context: int | None, sequences: int) -> Mapping[str, int]:
        """Reserve nothing."""
        if context is not None or sequences != 1:
            raise UsageError("context and sequences are for language models")
        return {}

    def route_by(self, options: RoutingOptions) -> None:
        """Refuse options: an input runs the experts that the bundle says."""
        raise UsageError("prefer_resident and experts_per_token are for language models")

    def policy(self) -> Policy | None:
        """Return None: the least recently used expert is evicted first."""
        return None

    def check_features(self, folder: Path) -> None:
        """Accept any features; a task that needs certain ones overrides it."""
        return

    def open_part(
        self,
        path: str,
        content: Any,
        name: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Model:
        """Open a router."""
        return Model(content, name, threads, delegate)

    def open_expert(
        self,
        index: int,
        content: bytes,
        path: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Expert:
        """Open an expert with one function, from arrays to one row of numbers."""
        return Model(content, path, threads, delegate)

    def check_expert(self, expert: Expert, shapes: Shapes) -> None:
        """Compare its inputs with the bundle's arrays, and its output with the labels."""
        if not isinstance(expert, Model):
            raise ModelError(f"{expert.name}: is not an expert of this task")
        must_fit(expert, shapes, len(self.manifest.labels), self.labels_are)

    def prefix(self, index: int) -> str:
        """Return an empty prefix: the path identifies the expert."""
        return ""

    def parts(self, example: Any) -> list[Any]:
        """Return the example as its only part."""
        return [example]

    def joined(self, answers: Sequence[Answer]) -> Answer:
        """Return the only answer."""
        return answers[0]

    def traffic(self, answer: Answer) -> Traffic | None:
        """Return None: an answer needs each of its experts once."""
        return None

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return no arrays: scores and experts are sufficient."""
        return {}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        """Return no arrays."""
        return {}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Compare the expert, the label and its scores."""
        label = self.manifest.labels[int(wanted.scores.argmax())]
        apart = float(np.abs(answer.scores - wanted.scores).max())
        same = answer.expert == wanted.expert and answer.label == label
        if same and apart <= SCORE_TOLERANCE:  # false for NaN
            return None
        return (
            f"{answer.label!r} from expert {answer.expert}, {label!r} from expert {wanted.expert} "
            f"was expected (scores differ by up to {apart:.3f})"
        )

    def measured(self, given: Mapping[str, np.ndarray], models: Access) -> dict[str, np.ndarray]:
        """Return no arrays: answers are compared."""
        return {}

    @abstractmethod
    def outputs(self) -> list[Tensor]:
        """See `Task`; `tensor` reads the attributes of these names."""

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        """Return the values of the attribute of that name; scores are rounded."""
        if name == "scores":
            return [round(float(score), 6) for answer in answers for score in answer.scores]
        return [getattr(answer, name) for answer in answers]

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Return the outputs unchanged; a task that computes probabilities overrides it."""
        return outputs

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        """Return the largest score of each row, (examples, labels) to (examples,)."""
        largest: np.ndarray = scores.max(axis=1)
        return largest

    @staticmethod
    @abstractmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        """See `Task`."""


def known_scores(
    scores: Any, examples: Any, allowed: Mapping[str, tuple[float, float]]
) -> DeployedScores | None:
    """Read scores from a manifest's provenance, which may contain anything.

    Args:
        allowed: names of the required scores, with their smallest and largest values.
    """
    if not isinstance(scores, Mapping) or type(examples) is not int or examples < 1:
        return None
    known: dict[str, float] = {}
    for name, (least, most) in allowed.items():
        value: Any = scores.get(name)
        if type(value) not in (int, float) or not least <= value <= most:
            return None
        known[name] = float(value)
    return DeployedScores(known, examples)
