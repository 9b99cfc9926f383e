"""Conversions of tasks whose experts output one row of numbers for an input."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from edge_experts.compression import Compression
from edge_experts.datasets import Split
from edge_experts.features import Features, encode_all
from edge_experts.format.inspection import arenas
from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run

from ..process.order import ROUTER_ROWS
from ..recipes import RECIPE_NAMES
from ..targets import Target
from ..verify import confidence
from ..verify.keras_reference import KerasReference
from ..verify.proof import Proof
from .conversion_task import COMMON, OF_ROWS, GoldenRows, RunExamples, spread

_CALIBRATION = 2000  # training examples from which the calibration set is drawn


class RowConversion(ABC):
    """Common parts of classification, multi-label classification and regression."""

    options = COMMON | OF_ROWS
    recipes = (*RECIPE_NAMES, "auto")
    layers: tuple[int, ...] = ()
    dense: tuple[str, ...] = ()

    def __init__(self, run: Run, features: Features):
        self.run, self.features = run, features

    def require(self) -> None:
        """Require nothing beyond the packages of conversion."""
        return

    def refuse_target(self, target: Target) -> None:
        """Accept every target: all run such files."""
        return

    def settings(self, options: Any) -> Mapping[str, Any]:
        """Return how many examples calibrate a backbone, in runs that were extended."""
        rows = self.backbone.get("calibration_rows")
        return {} if rows is None else {ROUTER_ROWS: rows}

    @property
    def backbone(self) -> Mapping[str, Any]:
        """Description of the run's pretrained network; empty without one."""
        found: Mapping[str, Any] = self.run.metrics.get("backbone", {})
        return found

    def examples(self, splits: Mapping[str, Split]) -> RunExamples:
        return RunExamples(
            encode_all(self.features, splits["train"].inputs[:_CALIBRATION]),
            encode_all(self.features, splits["validation"].inputs),
            splits,
        )

    def interpreters(self, chosen: str | None) -> Sequence[str | None]:
        """Return the only one."""
        return (chosen,)

    def manifest_parts(self, options: Any, reference: KerasReference) -> Mapping[str, Any]:
        return {"task_spec": self.run.task_spec}

    def measured(self, reference: KerasReference) -> Mapping[str, np.ndarray]:
        """Return no arrays."""
        return {}

    @abstractmethod
    def clear(self, proof: Proof) -> np.ndarray:
        """Return the margin of each answer to the nearest other one, (examples,)."""

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        clear = np.minimum(self.clear(proof), reference.distance(manifest.second_below))
        return GoldenRows(spread(clear, proof.experts, proof.arrays["asked"]))

    def provenance(self, proof: Proof) -> dict[str, Any]:
        parity: Any = proof.parity  # a dataclass of figures, in every task of rows
        return {
            "parity": _record(asdict(parity)),
            **self.test_record(proof),
            "test_examples": proof.test_examples,
            "expert_usage": self.run.metrics.get("expert_usage"),
            "macs": confidence.macs(self.run, proof.unsure.asked_second),
            "validation": proof.unsure.to_json(),
            **({"backbone": dict(self.backbone)} if self.backbone else {}),
        }

    @abstractmethod
    def test_record(self, proof: Proof) -> dict[str, Any]:
        """Return scores on the test examples, for the manifest."""

    @abstractmethod
    def card_rows(self, manifest: Manifest, proof: Proof) -> list[str]:
        """Return rows of the model card on scores and parity."""

    @abstractmethod
    def limits(self, manifest: Manifest) -> str:
        """Return lines of the model card on the bundle's limits."""

    @abstractmethod
    def outputs(self) -> str:
        """Describe the labels or outputs in words."""

    def card(self, manifest: Manifest, proof: Proof) -> str:
        experts = manifest.experts
        total = sum(entry.bytes for entry in manifest.files)
        router = 0 if manifest.router is None else manifest.router.bytes
        largest = max(entry.bytes for entry in experts)
        usage = ", ".join(f"{share:.0%}" for share in self.run.metrics.get("expert_usage", []))
        on, found = manifest.verified_on, manifest.provenance
        rows = "\n".join(
            [
                f"| data | {self.run.origin} |",
                *self.card_rows(manifest, proof),
                *_backbone(found),
                f"| use of the experts | {usage or 'one expert'} |",
                *_unsure(manifest, proof.unsure),
                *_compression(found),
                f"| quantization | {_recipes(found)} |",
                f"| layout | {found['layout']} |",
                f"| files | {total:,} bytes, router {router:,}, largest expert {largest:,} |",
                f"| models | {found['models_bytes']:,} bytes, {found['models_packed_bytes']:,} in "
                "an archive |",
                f"| verified on | {on.get('interpreter')} {on.get('version')}, "
                f"{on.get('machine')} |",
                *_target(manifest),
            ]
        )
        return f"""# {manifest.name}

{manifest.task}: {self.outputs()}, {len(experts)} expert(s),
{manifest.asking}.

| | |
|---|---|
{rows}

## Limits
{self.limits(manifest)}
"""

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        return {
            "examples": proof.test_examples,
            "parity": proof.parity.to_json(),
            "top_k": manifest.top_k,
            "second_below": manifest.second_below,
            "validation": proof.unsure.to_json(),
            "compression": manifest.provenance.get("compression"),
            "arenas": arenas(manifest),
            "changes": manifest.provenance.get("changes"),
        }

    def of_outputs(self, outputs: np.ndarray) -> np.ndarray:
        """Return the outputs unchanged; a task whose `scores` need probabilities overrides it."""
        return outputs

    def unsure_words(self, proof: Proof) -> list[str]:
        """Return a line on the second expert, if one may run."""
        second = proof.unsure.asked_second
        if second is None:
            return []
        return [f"a second expert run for {second:.1%} of the validation examples"]

    def next_command(self, manifest: Manifest) -> str:
        """Return a sample text; none for rows and arrays, whose examples depend on the data."""
        return "'your text'" if manifest.features.kind == "text" else ""


def _unsure(manifest: Manifest, unsure: confidence.Unsure) -> list[str]:
    """Return rows of the card's table for the thresholds that are set."""
    rows = []
    if unsure.asked_second is not None:
        rows.append(
            f"| a second expert run | {unsure.asked_second:.1%} of the validation examples |"
        )
    if unsure.abstained is not None:
        accuracy = unsure.accuracy_answered
        rest = "" if accuracy is None else f"; accuracy on the others {accuracy:.4f}"
        rows.append(
            f"| abstains, under a score of {manifest.abstain_below:g} | {unsure.abstained:.1%} of "
            f"the validation examples{rest} |"
        )
    return rows


def _recipes(found: Mapping[str, Any]) -> str:
    """Describe the recipes of the models: one for all, or each its own."""
    recipes = found.get("recipes")
    if not recipes:
        return str(found["quantization"])
    names = sorted(set(recipes.values()))
    return ", ".join(f"{list(recipes.values()).count(name)} x {name}" for name in names)


def _target(manifest: Manifest) -> list[str]:
    """Return the rows on the target."""
    target = manifest.verified_on.get("target")
    if target is None:
        return []
    taken = arenas(manifest).values()
    how = "run on its interpreter" if manifest.verified_on["run_on_target"] else "operators only"
    return [
        f"| made for | {target} ({how}) |",
        *([f"| arena | up to {max(taken):,} bytes |"] if taken else []),
    ]


def _backbone(found: Mapping[str, Any]) -> list[str]:
    """Return a row on the pretrained network, if there is one."""
    made = found.get("backbone")
    if not made:
        return []
    return [
        f"| backbone, in the router's file | {made['network']}: {made['features']:,} features of "
        f"the layer {made['layer']}, inputs {made['input']} |"
    ]


def _compression(found: Mapping[str, Any]) -> list[str]:
    """Return a row on the compression of the experts, if there was one."""
    made = found.get("compression")
    return [f"| experts made smaller | {Compression(**made).name} |"] if made else []


def _record(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Round figures to six decimals, those of each expert too."""

    def rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
        return {key: round(one, 6) for key, one in figures.items() if isinstance(one, int | float)}

    return {**rounded(figures), "experts": [rounded(one) for one in figures["experts"]]}
