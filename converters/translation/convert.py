"""A run folder of translators to a bundle: convert, prove on the interpreter, publish."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import run_folder
from edge_experts.datasets import Split
from edge_experts.datasets.translation import scores
from edge_experts.errors import ThresholdError
from edge_experts.features import PieceFeatures, encode_all
from edge_experts.features.pieces import END, FIRST_TARGET, PADDING
from edge_experts.format.atomic import staged
from edge_experts.format.expert_names import Generation
from edge_experts.format.manifest import MANIFEST, MODEL_CARD, Manifest
from edge_experts.format.npz import npz
from edge_experts.version import VERSION

from ..bundle import bundle_files
from ..bundle.structures import summarize
from ..process.cache import Cache
from . import routed
from .card import card
from .making import check, make, place_asked, prove

_CALIBRATION = 48  # pairs for each expert
_PROVEN = 24  # validation sentences for each label that Keras translates too
_GOLDEN = 4  # of these, for each label
_LENGTH = 64  # of an answer, in pieces, as the networks are


@dataclass(frozen=True)
class Translated:
    """What came of it: chrF and BLEU of the same validation sentences by Keras and as deployed."""

    bundle: Path
    manifest: Manifest
    keras: Mapping[str, float]
    deployed: Mapping[str, float]
    same: float  # the share of sentences that both translate alike
    examples: int
    routed: routed.Routed | None  # of more of them, where a router picks
    bytes: int  # of all files


def convert(
    run: str | Path,
    out: str | Path,
    *,
    quantization: str = "int8",
    beams: int = 1,
    max_drop: float | None = None,
    target: str | None = None,
    bundle_version: int = 1,
    cache: bool = True,
    force: bool = False,
) -> Translated:
    """Convert a finished training of translators, and prove it on this machine's interpreter.

    Args:
        quantization: float32, float16, dynamic or int8.
        beams: how many beginnings of a translation are followed at once; 1 is greedy.
        max_drop: refuse the bundle where conversion costs more chrF on validation sentences.
        target: where the bundle is to run, as for classifiers; not on microcontrollers.
        cache: take what was converted before from the user's cache, and keep it there.

    Raises:
        UsageError: there is no such target.
        UnsuitableError: it cannot run translators, or lacks an operator of a file.
        ConversionError: the converter refuses a network, or dies of it.
        ModelError: the interpreter refuses a file.
        ThresholdError: it lost more than `max_drop`.
        MissingExtraError: sacrebleu is not installed.
    """
    scores.scores(["a"], ["a"])  # before the work: it may be missing
    runs_on = place_asked(target, quantization)
    run, out = Path(run), Path(out)
    described = run_folder.read_run(run)
    features = run_folder.read_features(run, described)
    assert isinstance(features, PieceFeatures)
    labels = described.labels
    described = replace(described, labels=features.names)  # of one expert for all: the languages
    examples = {
        name: _fitting(split, features)
        for name, split in run_folder.read_examples(run, features).items()
    }
    proven = _by_label(examples["validation"], len(labels), _PROVEN)
    inputs = routed.to_languages(proven, labels)
    with staged(out, force=force) as folder, tempfile.TemporaryDirectory() as place:
        job = Path(place)
        calibration = _by_label(examples["train"], len(labels), _CALIBRATION)
        (job / "calibration.npz").write_bytes(_arrays(calibration, labels, features))
        (job / "proven.npz").write_bytes(npz(**encode_all(features, inputs)))
        (job / "inputs.npz").write_bytes(npz(inputs=features.pack(inputs)))
        if described.experts > len(features.targets):
            routed.ask(job, examples["validation"], labels, features)
        kept = Cache.of_user() if cache else Cache(None)
        asked = {"recipe": quantization, "beams": beams}
        make(job, run / run_folder.MODEL, asked, described.experts, kept)
        if runs_on is not None:
            check(job, runs_on)
        shutil.copytree(job / "made", folder, dirs_exist_ok=True)
        generation = Generation(length=_LENGTH, beams=beams)
        manifest = bundle_files.draft(folder, described, features, bundle_version, generation)
        bundle_files.write_manifest(folder, manifest)
        (job / "bundle").symlink_to(folder)
        prove(job, described.experts, runs_on)
        made = _compare(job, features, [target for _, target in proven.inputs])
        router = routed.compare(job)
        drop = made["keras"]["chrf"] - made["deployed"]["chrf"]
        if max_drop is not None and drop > max_drop:
            raise ThresholdError(
                f"{quantization} costs {drop:.2f} chrF, more than the {max_drop:g} allowed; "
                "try --quantization dynamic"
            )
        manifest = _described(folder, job, manifest, features, inputs, proven.targets)
        if runs_on is not None:
            on_target = {"target": runs_on.name, "run_on_target": runs_on.installed}
            manifest = replace(manifest, verified_on={**manifest.verified_on, **on_target})
        models = (manifest.router, *manifest.experts)
        manifest = replace(
            manifest,
            provenance={
                "edge_experts": VERSION,
                "data": described.origin,
                "quantization": quantization,
                "layout": "split",
                "seed": described.config.get("seed"),
                "versions": dict(described.versions),
                "validation": made,
                **({} if router is None else {"router": asdict(router)}),
                "structures": summarize(
                    {one.path: (folder / one.path).read_bytes() for one in models if one}
                ),
            },
        )
        text = card(manifest, described, made, router).encode()
        manifest = replace(manifest, model_card=bundle_files.write(folder, MODEL_CARD, text))
        bundle_files.write_manifest(folder, manifest)
        size = (folder / MANIFEST).stat().st_size + sum(one.bytes for one in manifest.files)
    return Translated(
        out, manifest, made["keras"], made["deployed"], made["same"], len(inputs), router, size
    )


def _fitting(split: Split, features: PieceFeatures) -> Split:
    """The pairs that are not too long for the networks."""
    rows = [
        row
        for row, pair in enumerate(split.inputs)
        if max(len(features.pieces(text)) for text in pair) <= _LENGTH - 2
    ]
    return Split([split.inputs[row] for row in rows], split.targets[rows])


def _by_label(split: Split, labels: int, most: int) -> Split:
    """The first examples of each label."""
    rows = np.sort(
        np.concatenate([np.flatnonzero(split.targets == one)[:most] for one in range(labels)])
    )
    return Split([split.inputs[row] for row in rows], split.targets[rows])


def _arrays(split: Split, labels: tuple[str, ...], features: PieceFeatures) -> bytes:
    """Pairs as the worker reads them."""
    encoded = encode_all(features, routed.to_languages(split, labels))
    written = np.full((len(split), _LENGTH), PADDING, np.int32)
    for row, ((_, target), first) in enumerate(zip(split.inputs, encoded["target"], strict=True)):
        pieces = [FIRST_TARGET + int(first), *features.pieces(target), END]
        written[row, : len(pieces)] = pieces
    return npz(source=encoded["source"], mask=encoded["mask"], target=written, expert=split.targets)


def _compare(job: Path, features: PieceFeatures, wanted: list[str]) -> dict[str, Any]:
    """How the same sentences came out of Keras and of the interpreter, greedily both."""
    found = {"keras": np.load(job / "keras.npz"), "deployed": np.load(job / "deployed.npz")}
    texts = {
        name: [features.text([piece for piece in row if piece >= 0]) for row in one["pieces"]]
        for name, one in found.items()
    }
    alike = [one == other for one, other in zip(texts["keras"], texts["deployed"], strict=True)]
    return {
        **{name: scores.scores(made, wanted) for name, made in texts.items()},
        "same": round(float(np.mean(alike)), 4),
        "examples": len(wanted),
    }


def _described(
    folder: Path,
    job: Path,
    manifest: Manifest,
    features: PieceFeatures,
    inputs: list[tuple[str, str]],
    targets: np.ndarray,
) -> Manifest:
    """The manifest with costs, where it was proven, and golden examples: the surest of each.

    Of those that the router takes for the same as Keras does, if there are any.
    """
    deployed, keras = np.load(job / "deployed.npz"), np.load(job / "keras.npz")
    chances = deployed["scores"].max(axis=1) * keras["confidence"]
    chances *= deployed["experts"] == keras["experts"]
    rows = np.sort(
        np.concatenate(
            [
                own[np.argsort(-chances[own], kind="stable")][:_GOLDEN]
                for own in (np.flatnonzero(targets == one) for one in np.unique(targets))
            ]
        )
    )
    golden = bundle_files.write_golden(
        folder,
        features,
        [inputs[row] for row in rows],
        deployed["scores"][rows].astype(np.float32),
        deployed["experts"][rows],
        {"pieces": deployed["pieces"][rows]},
    )
    priced = bundle_files.with_costs(manifest, json.loads((job / "costs.json").read_text()), {})
    on = json.loads((job / "verified.json").read_text())
    return replace(priced, golden=golden, verified_on=on)
