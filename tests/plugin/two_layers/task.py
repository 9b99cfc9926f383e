"""The loop of the task: several steps, each of which routes the state in two layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from edge_experts.errors import ManifestError, ModelError, UsageError
from edge_experts.features import Features
from edge_experts.format.manifest import Manifest
from edge_experts.runtime.access import Access
from edge_experts.runtime.answer import Answer, Predictions
from edge_experts.runtime.batch import Question
from edge_experts.runtime.fit import Shapes, must_fit
from edge_experts.runtime.interpreter import Delegate, Expert, Model
from edge_experts.runtime.memory.policy import Policy
from edge_experts.runtime.routing_options import RoutingOptions
from edge_experts.runtime.tasks import Task
from edge_experts.runtime.tasks.base import (
    Column,
    DeployedScores,
    GoldenAnswer,
    Stream,
    Tensor,
    Traffic,
)

from .policy import LeastFrequent

STATE = "s"  # the array that routers and experts take, (1, outputs) float32
_MOST_STEPS = 64
_TOLERANCE = 1e-4


class LastState(Answer):
    """The last state of an input."""

    @property
    def scores(self) -> np.ndarray:
        """The state, (outputs,) float32."""
        return self._logits

    @property
    def text(self) -> str:
        return " ".join(f"{value:.5g}" for value in self._logits.tolist())


class Request:
    """State of one input from step to step."""

    def __init__(self, task: TwoLayers, example: Any):
        self._labels = task.manifest.labels
        self._start = perf_counter_ns()
        features = task.features.encode(example)
        self.arrays = {**features, **task.started(features)}
        self._encoded = perf_counter_ns()
        self._experts: list[int] = []
        self._reason: str | None = None
        self._times = [0, 0, 0]  # ns: routing, loading, running

    def question(self, models: Access, layer: int) -> Question:
        """Routes the state in a layer."""
        start, access = perf_counter_ns(), models.layers[layer]
        gate = access.route(self.arrays)
        self._times[0] += perf_counter_ns() - start
        picks = (access.places[int(gate.argmax())],)
        return Question(dict(self.arrays), gate, picks, _never_mixed, access.places.start)

    def step(self, question: Question, models: Access) -> None:
        """Takes the state that an expert made."""
        if models.is_watched:
            models.answered(question.first, question.gate, question.output)
        self.arrays[STATE] = question.output[np.newaxis]
        self._experts += question.picks
        self._reason = self._reason or question.reason
        self._times[1] += question.load_ns
        self._times[2] += question.invoke_ns

    def answer(self) -> LastState:
        """The last state; its first expert is the one of the first routing."""
        routed = self._encoded + self._times[0]
        loaded = routed + self._times[1]
        clock = (self._start, self._encoded, routed, loaded, loaded + self._times[2])
        state, experts = self.arrays[STATE][0], tuple(dict.fromkeys(self._experts))
        label = self._labels[int(state.argmax())]
        return LastState(label, experts[0], state, 1.0, clock, experts, None, self._reason)


class TwoLayers:
    """Routes an input in two layers, several times.

    Raises:
        ManifestError: the bundle has not two layers, or `steps` of its task_spec is no number of
            steps.
    """

    name, watched = "two-layers", False
    labels_are, needs_all = "outputs", False
    parity: Sequence[Column] = ()
    routing: Mapping[str, float] = {}

    def __init__(self, manifest: Manifest, features: Features):
        spec = manifest.task_spec
        steps = None if spec is None else spec.config.get("steps")
        if type(steps) is not int or not 1 <= steps <= _MOST_STEPS:
            raise ManifestError(f"task_spec: steps must be 1 to {_MOST_STEPS}, got {steps!r:.40}")
        if len(manifest.layers) != 2:
            raise ManifestError(f"layers must be 2, got {len(manifest.layers)}")
        self.manifest, self.features, self._steps = manifest, features, steps

    def initial_state(self) -> dict[str, np.ndarray]:
        return {STATE: np.zeros((1, len(self.manifest.labels)), np.float32)}

    def started(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The state of an input before its first step: the input."""
        state = self.initial_state()
        state[STATE][:] = features["x"]
        return state

    def largest_state(self) -> dict[str, np.ndarray]:
        return self.initial_state()

    def reserve(self, context: int | None, sequences: int) -> Mapping[str, int]:
        return {}

    def route_by(self, options: RoutingOptions) -> None:
        raise UsageError("this task has no options of routing")

    def open_part(
        self,
        path: str,
        content: Any,
        name: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Model:
        return Model(content, name, threads, delegate)

    def stream(self, example: Any, models: Access) -> Stream:
        raise UsageError("stream is not for two-layers")

    def measured(self, given: Mapping[str, np.ndarray], models: Access) -> dict[str, np.ndarray]:
        return {}

    def policy(self) -> Policy:
        return LeastFrequent([places for _, places in self.manifest.routed])

    def run(self, example: Any, models: Access) -> Answer:
        return self.run_many([example], models)[0]

    def run_many(self, examples: Iterable[Any], models: Access) -> list[Answer]:
        """All inputs step together, so that a layer loads each of its experts once a step."""
        requests = [Request(self, example) for example in examples]
        for _ in range(self._steps):
            for layer in range(len(models.layers)):
                questions = [request.question(models, layer) for request in requests]
                models.run(questions)
                for request, question in zip(requests, questions, strict=True):
                    request.step(question, models)
        return [request.answer() for request in requests]

    def run_arrays(self, arrays: Mapping[str, np.ndarray], models: Access) -> Predictions:
        raise UsageError("predict_arrays is not for two-layers: use predict_batch")

    def pick(
        self, arrays: dict[str, np.ndarray], models: Access
    ) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """Routes the first step only; the state is added."""
        arrays.update(self.started(arrays))
        layer = models.layers[0]
        gate = layer.route(arrays)
        return gate, (layer.places[int(gate.argmax())],)

    def check_features(self, folder: Path) -> None:
        return

    def open_expert(
        self,
        index: int,
        content: bytes,
        path: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Expert:
        return Model(content, path, threads, delegate)

    def check_expert(self, expert: Expert, shapes: Shapes) -> None:
        if not isinstance(expert, Model):
            raise ModelError(f"{expert.name}: is no expert of this task")
        must_fit(expert, shapes, len(self.manifest.labels), self.labels_are)

    def prefix(self, index: int) -> str:
        return ""

    def parts(self, example: Any) -> list[Any]:
        return [example]

    def joined(self, answers: Sequence[Answer]) -> Answer:
        return answers[0]

    def traffic(self, answer: Answer) -> Traffic | None:
        return None

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        return {}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        return {}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        apart = float(np.abs(answer.scores - wanted.scores).max())
        if answer.expert == wanted.expert and apart <= _TOLERANCE:
            return None
        return f"{answer.text} from expert {answer.expert}, which is {apart:.3g} off"

    def outputs(self) -> list[Tensor]:
        return [
            ("scores", "FP32", (len(self.manifest.labels),)),
            ("expert", "INT32", ()),
            ("degraded", "BOOL", ()),
        ]

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        if name == "scores":
            return [float(value) for answer in answers for value in answer.scores]
        return [getattr(answer, name) for answer in answers]

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        mean: np.ndarray = scores.mean(axis=1)
        return mean

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        return None

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        return f"steps        {None if manifest.task_spec is None else manifest.task_spec.config}"


TASK: type[Task] = TwoLayers


def _never_mixed(gate: np.ndarray | None, outputs: Sequence[Any]) -> Any:
    raise AssertionError("one expert is picked in each layer")
