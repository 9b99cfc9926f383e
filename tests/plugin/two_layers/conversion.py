"""Conversion of the task: the bundle's last states beside Keras's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from edge_experts.converters.targets import Target
from edge_experts.converters.targets.microcontroller import MicroResult
from edge_experts.converters.tasks.conversion_task import COMMON, GoldenRows, RunExamples, spread
from edge_experts.converters.verify.confidence import Unsure
from edge_experts.converters.verify.keras_reference import KerasReference
from edge_experts.converters.verify.proof import Deployed, Proof

from edge_experts.datasets import Split
from edge_experts.errors import ThresholdError
from edge_experts.features import Features, encode_all
from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run


@dataclass(frozen=True)
class StateParity:
    """The bundle beside Keras, on the validation examples."""

    examples: int
    largest_difference: float
    off: float
    keras_off: float

    @property
    def scores(self) -> dict[str, float]:
        return {"off": self.off}

    @property
    def keras_scores(self) -> dict[str, float]:
        return {"off": self.keras_off}

    def refuse_beyond(self, max_drop: float | None) -> None:
        if max_drop is not None and self.off - self.keras_off > max_drop:
            raise ThresholdError(f"conversion costs {self.off - self.keras_off:.4f}")

    def refuse_disagreement(self) -> None:
        return

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Conversion:
    """See `edge_experts.converters.tasks.ConversionTask`."""

    name, primary = "two-layers", "off"
    networks = "two_layers.networks:LayeredNetworks"
    options, recipes = COMMON, ("float32", "dynamic", "int8")

    def __init__(self, run: Run, features: Features):
        self.run, self._features = run, features
        self.dense: tuple[str, ...] = ()
        self.layers = (run.experts // 2, run.experts // 2)

    def require(self) -> None:
        return

    def refuse_target(self, target: Target) -> None:
        return

    def settings(self, options: Any) -> Mapping[str, Any]:
        return {}

    def examples(self, splits: Mapping[str, Split]) -> RunExamples:
        encoded = [encode_all(self._features, splits[n].inputs) for n in ("train", "validation")]
        return RunExamples(*encoded, splits)

    def interpreters(self, chosen: str | None) -> Sequence[str | None]:
        return (chosen,)

    def manifest_parts(self, options: Any, reference: KerasReference) -> Mapping[str, Any]:
        return {"task_spec": self.run.task_spec}

    def measured(self, reference: KerasReference) -> Mapping[str, np.ndarray]:
        return {}

    def judge(
        self,
        reference: KerasReference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        wanted = [splits[name].targets for name in ("validation", "test")]
        count, states = len(wanted[0]), deployed.arrays["scores"]
        parity = StateParity(
            count,
            float(np.abs(states[:count] - reference.scores).max()),
            _off(states[:count], wanted[0]),
            _off(reference.scores, wanted[0]),
        )
        return Proof(
            parity=parity,
            unsure=Unsure(None, None, None),
            temperature=1.0,
            scores=states[:count],
            arrays=deployed.first(count),
            test_scores={"off": _off(states[count:], wanted[1])},
            test_examples=len(wanted[1]),
        )

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        apart = np.abs(proof.scores - reference.scores).max(axis=1)
        return GoldenRows(spread(-apart, proof.experts, np.ones(len(apart))))

    def provenance(self, proof: Proof) -> dict[str, Any]:
        return {"test_scores": dict(proof.test_scores), "test_examples": proof.test_examples}

    def card(self, manifest: Manifest, proof: Proof) -> str:
        return f"# {manifest.name}\n\noff by {proof.test_scores['off']}\n"

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        return {}

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {"off": proof.test_scores["off"], "parity": proof.parity.to_json()}

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        return [f"off by {proof.test_scores['off']:.4f} as deployed"]

    def next_command(self, manifest: Manifest) -> str:
        return ""


def _off(states: np.ndarray, wanted: np.ndarray) -> float:
    return round(float(np.abs(states - wanted).mean()), 6)
