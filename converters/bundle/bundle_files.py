"""Write a bundle's files: manifest, golden examples and model card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from edge_experts.compression import Compression
from edge_experts.features import Features
from edge_experts.format.expert_names import Generation
from edge_experts.format.manifest import (
    FEATURES,
    GOLDEN,
    MANIFEST,
    MODEL_CARD,
    ROUTER,
    FeatureSpec,
    FileEntry,
    Manifest,
    expert_path,
)
from edge_experts.format.npz import npz
from edge_experts.run_folder import Run

from ..verify.confidence import Unsure
from ..verify.parity import Parity

GOLDEN_EXAMPLES = 32


def draft(
    folder: Path,
    run: Run,
    features: Features,
    bundle_version: int,
    generation: Generation | None = None,
) -> Manifest:
    """A manifest of the models in `folder`, complete enough for the runtime to open it.

    What is known only once it runs (costs, temperature, golden answers) is filled in later.
    """
    has_router = (folder / ROUTER).exists()
    return Manifest(
        name=run.name,
        bundle_version=bundle_version,
        task=run.task,
        features=FeatureSpec(features.kind, features.settings, write_features(folder, features)),
        labels=run.labels,
        combine=run.combine,
        top_k=run.top_k,
        temperature=1.0,
        router=pin(folder, ROUTER) if has_router else None,
        experts=tuple(pin(folder, expert_path(index)) for index in range(run.experts)),
        golden=write(folder, GOLDEN, b""),
        model_card=write(folder, MODEL_CARD, b""),
        generation=generation,
        verified_on={},
        provenance={},
    )


def pin(folder: Path, path: str) -> FileEntry:
    return FileEntry.of(path, (folder / path).read_bytes())


def write(folder: Path, path: str, content: bytes) -> FileEntry:
    (folder / path).write_bytes(content)
    return FileEntry.of(path, content)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_text(manifest.to_json(), encoding="utf-8")


def with_costs(manifest: Manifest, costs: Mapping[str, int], arenas: Mapping[str, int]) -> Manifest:
    """The manifest with what its models cost in memory, and on microcontrollers; by path."""

    def priced(entry: FileEntry) -> FileEntry:
        arena = arenas.get(entry.path)
        return replace(entry, resident_bytes=costs[entry.path], arena_bytes=arena)

    return replace(
        manifest,
        router=None if manifest.router is None else priced(manifest.router),
        experts=tuple(priced(entry) for entry in manifest.experts),
    )


def write_golden(
    folder: Path,
    features: Features,
    inputs: Any,
    scores: np.ndarray,
    experts: np.ndarray,
    of_task: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> FileEntry:
    """Examples with the answers that a device must give to them, and the arrays in between.

    Args:
        of_task: the task's own arrays, by name, (examples, ...).
    """
    arrays: dict[str, list[np.ndarray]] = {
        f"features_{name}": [] for name in features.encode(inputs[0])
    }
    for example in inputs:
        for name, array in features.encode(example).items():
            arrays[f"features_{name}"].append(array[0])
    return write(
        folder,
        GOLDEN,
        npz(inputs=features.pack(inputs), scores=scores, experts=experts, **of_task, **arrays),
    )


def choose_golden(
    scores: np.ndarray, experts: np.ndarray, asked: np.ndarray, distance: np.ndarray
) -> np.ndarray:
    """Rows whose answers are clear, spread over all experts that answered any.

    A clear answer stays the same where another processor rounds a last bit the other way. As
    often as among all examples more experts were asked: benchmarks ask these examples too.

    Args:
        scores: (examples, labels).
        experts: the first that answered, (examples,).
        asked: how many answered, (examples,).
        distance: of the router's confidence from where it asks one expert more, (examples,).
    """
    margins = np.sort(scores, axis=1)
    clear = np.minimum(margins[:, -1] - margins[:, -2], distance)
    count, more = min(GOLDEN_EXAMPLES, len(scores)), asked > asked.min()
    of_more = math.ceil(count * np.mean(more))
    chosen = [
        *_spread(np.flatnonzero(~more), count - of_more, clear, experts),
        *_spread(np.flatnonzero(more), of_more, clear, experts),
    ]
    return np.array(sorted(chosen))


def _spread(rows: np.ndarray, count: int, clear: np.ndarray, experts: np.ndarray) -> list[int]:
    """So many of the rows, the experts in turn, the clearest of each first."""
    chosen: list[int] = []
    queues = [
        list(own[np.argsort(-clear[own], kind="stable")])
        for own in (rows[experts[rows] == expert] for expert in np.unique(experts[rows]))
    ]
    while len(chosen) < count:
        chosen += [queue.pop(0) for queue in queues if queue]
    return chosen[:count]


def write_features(folder: Path, features: Features) -> FileEntry | None:
    """The features' arrays, where they have any."""
    if not features.arrays:
        return None
    return write(folder, FEATURES, npz(**features.arrays))


def model_card(manifest: Manifest, run: Run, parity: Parity, unsure: Unsure) -> str:
    """What a person wants to know of the bundle, in Markdown."""
    experts = manifest.experts
    total = sum(entry.bytes for entry in manifest.files)
    router = 0 if manifest.router is None else manifest.router.bytes
    largest = max(entry.bytes for entry in experts)
    usage = ", ".join(f"{share:.0%}" for share in run.metrics.get("expert_usage", []))
    on, found = manifest.verified_on, manifest.provenance
    return f"""# {manifest.name}

{manifest.task}: {len(manifest.labels)} labels ({_some(manifest.labels)}), {len(experts)} expert(s),
{manifest.asking}.

| | |
|---|---|
| data | {run.origin} |
| accuracy as deployed | {found["test_accuracy"]:.4f} on {found["test_examples"]:,} test examples |
| accuracy of the Keras model | {run.metrics["test_accuracy"]:.4f} on the test split, as trained |
| labels equal to Keras's | {parity.equal_labels:.4f} of {parity.examples:,} validation examples; \
{parity.equal_confident:.4f} of the {parity.confident:,} that Keras is sure of |
| largest score difference | {parity.largest_score_difference:.4f} |
| expected calibration error | {found["calibration_error"]:.4f} on the test examples |
| use of the experts | {usage or "one expert"} |
{_unsure(manifest, unsure)}\
{_compression(found)}| quantization | {_recipes(found)} |
| layout | {found["layout"]} |
| files | {total:,} bytes, router {router:,}, largest expert {largest:,} |
| models | {found["models_bytes"]:,} bytes, {found["models_packed_bytes"]:,} in an archive |
| verified on | {on.get("interpreter")} {on.get("version")}, {on.get("machine")} |
{_target(manifest)}\

## Limits
- It was trained on the data above and knows nothing else: on other kinds of input its accuracy is
  unknown, and its scores are not calibrated there.
- {_NEVER if manifest.abstain_below is None else _SELDOM}
"""


_NEVER = "It always answers with one of its labels, also where none fits."
_SELDOM = "It abstains where it is unsure of its labels, and may be sure of one where none fits."


def _unsure(manifest: Manifest, unsure: Unsure) -> str:
    """Rows of the card's table for the thresholds that are set."""
    rows = []
    if unsure.asked_second is not None:
        rows.append(
            f"| a second expert asked | {unsure.asked_second:.1%} of the validation examples |"
        )
    if unsure.abstained is not None:
        accuracy = unsure.accuracy_answered
        rest = "" if accuracy is None else f"; accuracy on the others {accuracy:.4f}"
        rows.append(
            f"| abstains, under a score of {manifest.abstain_below:g} | {unsure.abstained:.1%} of "
            f"the validation examples{rest} |"
        )
    return "".join(f"{row}\n" for row in rows)


def _recipes(found: Mapping[str, Any]) -> str:
    """How the models were made: in one way, or each in its own."""
    recipes = found.get("recipes")
    if not recipes:
        return str(found["quantization"])
    names = sorted(set(recipes.values()))
    return ", ".join(f"{list(recipes.values()).count(name)} x {name}" for name in names)


def _target(manifest: Manifest) -> str:
    """The rows of what it was made for."""
    target = manifest.verified_on.get("target")
    if target is None:
        return ""
    arenas = [entry.arena_bytes for entry in manifest.files if entry.arena_bytes is not None]
    arena = f"| arena | up to {max(arenas):,} bytes |\n" if arenas else ""
    how = "run on its interpreter" if manifest.verified_on["run_on_target"] else "operators only"
    return f"| made for | {target} ({how}) |\n{arena}"


def _compression(found: Mapping[str, Any]) -> str:
    """A row for what made the experts smaller, where something did."""
    made = found.get("compression")
    return f"| experts made smaller | {Compression(**made).name} |\n" if made else ""


def _some(labels: tuple[str, ...]) -> str:
    shown = ", ".join(labels[:5])
    return shown if len(labels) <= 5 else f"{shown}, ..."


def parity_record(parity: Parity) -> dict[str, Any]:
    """What the manifest keeps of it."""

    def rounded(record: Mapping[str, Any]) -> dict[str, Any]:
        return {
            key: round(value, 6) for key, value in record.items() if isinstance(value, int | float)
        }

    return {**rounded(asdict(parity)), "experts": [rounded(asdict(one)) for one in parity.experts]}
