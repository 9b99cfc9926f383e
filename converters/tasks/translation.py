"""Conversion of translation: generated sentences are compared with Keras's by chrF and BLEU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from edge_experts.datasets import Split
from edge_experts.datasets.translation import scores
from edge_experts.errors import ThresholdError, UnsuitableError
from edge_experts.features import Features, PieceFeatures, encode_all
from edge_experts.features.pieces import END, FIRST_TARGET, PADDING
from edge_experts.format.expert_names import Generation, language
from edge_experts.format.manifest import Manifest
from edge_experts.format.npz import npz
from edge_experts.run_folder import Run
from edge_experts.runtime import interpreter

from ..targets import Target
from ..targets.microcontroller import MICROCONTROLLER, MicroResult
from ..verify.confidence import Unsure
from ..verify.keras_reference import KerasReference
from ..verify.proof import Deployed, Proof
from ..verify.translation_parity import Routed, TranslationParity
from .conversion_task import COMMON, GoldenRows, RunExamples

_CALIBRATION = 48  # pairs for each expert
_PROVEN = 24  # validation sentences for each label that Keras translates too
_GOLDEN = 4  # of these, for each label
_LENGTH = 64  # of an answer, in tokens, like the networks
_ROUTED = "routed.npz"  # sentences for the router, if there is one


class TranslationConversion:
    """Files with two functions each, which the runtime calls in turns."""

    name, primary = "translation", "chrf"
    networks = "edge_experts.converters.translation.translator_networks:TranslationNetworks"
    options = COMMON | {"beams"}
    layers: tuple[int, ...] = ()
    dense: tuple[str, ...] = ()
    recipes = ("float32", "float16", "dynamic", "int8")

    def __init__(self, run: Run, features: Features):
        assert isinstance(features, PieceFeatures)
        self._labels, self._features = run.labels, features
        self.run = replace(run, labels=features.names)  # of one expert for all: the languages
        self._proven = Split([], np.zeros(0, int))  # pairs that Keras and the bundle translate
        self._owners = np.zeros(0, int)  # labels of the sentences for the router
        self._routing: dict[str, np.ndarray] = {}  # these sentences, encoded
        self._written: list[Mapping[str, np.ndarray]] = []  # answers of each interpreter

    def require(self) -> None:
        scores.scores(["a"], ["a"])  # before the work starts: sacrebleu may be missing

    def refuse_target(self, target: Target) -> None:
        if target is MICROCONTROLLER:
            raise UnsuitableError(
                "--target microcontroller: a translator's file has two functions, which a search "
                "in Python calls in turn, and TensorFlow Lite Micro runs files with one; choose "
                "another target"
            )

    def settings(self, options: Any) -> Mapping[str, Any]:
        return {"beams": options.beams or 1}

    def interpreters(self, chosen: str | None) -> Sequence[str | None]:
        """Return the target's; without one all that are installed, for a bundle that any may run.

        At a near tie they write different tokens.
        """
        return interpreter.usable() if chosen is None else (chosen,)

    def manifest_parts(self, options: Any, reference: KerasReference) -> Mapping[str, Any]:
        return {"generation": Generation(length=_LENGTH, beams=options.beams or 1)}

    def examples(self, splits: Mapping[str, Split]) -> RunExamples:
        features, labels = self._features, self._labels
        train, validation = (_fitting(splits[name], features) for name in ("train", "validation"))
        self._proven = proven = _by_label(validation, len(labels), _PROVEN)
        files = {}
        inputs = _to_languages(proven, labels)
        if self.run.experts > len(features.targets):
            every = _to_languages(validation, labels)
            self._owners = validation.targets
            self._routing = encode_all(features, every)
            files[_ROUTED] = npz(**self._routing)
        return RunExamples(
            _pairs(_by_label(train, len(labels), _CALIBRATION), labels, features),
            encode_all(features, inputs),
            {"validation": Split(inputs, proven.targets), "test": Split([], proven.targets[:0])},
            files,
        )

    def measured(self, reference: KerasReference) -> Mapping[str, np.ndarray]:
        """Return the sentences for the router, encoded."""
        return self._routing

    def judge(
        self,
        reference: KerasReference,
        deployed: Deployed,
        manifest: Manifest,
        splits: Mapping[str, Split],
    ) -> Proof:
        arrays = deployed.arrays
        self._written.append(arrays)
        wanted = [target for _, target in self._proven.inputs]
        texts = {
            name: [self._features.text([one for one in row if one >= 0]) for row in pieces]
            for name, pieces in (
                ("keras", reference.arrays["pieces"]),
                ("deployed", arrays["pieces"]),
            )
        }
        alike = [a == b for a, b in zip(texts["keras"], texts["deployed"], strict=True)]
        each = {name: scores.scores(made, wanted) for name, made in texts.items()}
        parity = TranslationParity(
            len(alike),
            each["keras"],
            each["deployed"],
            round(float(np.mean(alike)), 4),
            self._routed(reference, deployed),
        )
        return Proof(
            parity=parity,
            unsure=Unsure(None, None, None),
            temperature=1.0,
            scores=arrays["scores"],
            arrays=arrays,
            test_scores=parity.deployed,
            test_examples=parity.examples,
        )

    def _routed(self, reference: KerasReference, deployed: Deployed) -> Routed | None:
        if "routes" not in reference.arrays:
            return None
        keras, here = reference.arrays["routes"], deployed.measured["routes"]
        return Routed(
            keras=_share(keras == self._owners),
            deployed=_share(here == self._owners),
            equal=_share(keras == here),
            examples=len(self._owners),
        )

    def golden(self, reference: KerasReference, proof: Proof, manifest: Manifest) -> GoldenRows:
        """Choose the examples of each label that are the most certain at every token.

        All interpreters write the same tokens, by the expert that Keras picks.

        Raises:
            ThresholdError: there is none.
        """
        certain = golden_certainty(self._written, reference) * reference.confidence
        targets = self._proven.targets
        own = (np.flatnonzero((targets == one) & (certain > 0)) for one in np.unique(targets))
        best = [rows[np.argsort(-certain[rows], kind="stable")][:_GOLDEN] for rows in own]
        rows = np.sort(np.concatenate(best))
        if not len(rows):
            raise ThresholdError(
                "no validation sentence gets the same translation on all interpreters, by the "
                "expert that Keras picks, so that boards could check nothing; choose another "
                "--quantization"
            )
        return GoldenRows(rows, {"pieces": proof.arrays["pieces"][rows]})

    def provenance(self, proof: Proof) -> dict[str, Any]:
        parity = _own(proof)
        router = {} if parity.routed is None else {"router": asdict(parity.routed)}
        return {"validation": parity.to_json(), **router}

    def card(self, manifest: Manifest, proof: Proof) -> str:
        experts, on, parity = manifest.experts, manifest.verified_on, _own(proof)
        assert manifest.generation is not None
        return f"""# {manifest.name}

{manifest.task}, to {", ".join(manifest.labels)}: {len(experts)} expert(s), {manifest.asking}.

| | |
|---|---|
| data | {self.run.origin} |
| chrF as deployed | {parity.deployed["chrf"]:.2f} on {parity.examples:,} validation sentences |
| BLEU as deployed | {parity.deployed["bleu"]:.2f} on the same |
| chrF of the Keras model | {parity.keras["chrf"]:.2f} on the same |
| the same translation as Keras's | {parity.same:.0%} of them |
{_router_row(parity.routed)}\
| test sentences whose template was trained on | {self.run.metrics["familiar"]:.1%} |
| beams | {manifest.generation.beams} |
| quantization | {manifest.provenance["quantization"]} |
| largest expert | {max(one.bytes for one in experts):,} bytes |
| verified on | {on.get("interpreter")} {on.get("version")}, {on.get("machine")} |

## Limits
- It was trained on the data above and knows nothing else; what it writes of other texts reads well
  and means little.
- It translates sentence by sentence, and always writes something, also where it does not know.
"""

    def on_microcontroller(self, files: Mapping[str, MicroResult]) -> dict[str, Any]:
        """Return no figures: `refuse_target` refuses this target."""
        return {}

    def to_json(self, manifest: Manifest, proof: Proof) -> dict[str, Any]:
        parity = _own(proof)
        router = {} if parity.routed is None else {"router": asdict(parity.routed)}
        return {**parity.to_json(), **router}

    def words(self, manifest: Manifest, proof: Proof) -> list[str]:
        parity = _own(proof)
        lines = [
            f"chrF {parity.deployed['chrf']:.2f} as deployed, {parity.keras['chrf']:.2f} by Keras, "
            f"on {parity.examples:,} validation sentences, {parity.same:.0%} of them the same"
        ]
        if parity.routed is not None:
            routed = parity.routed
            lines.append(
                f"router: {routed.deployed:.2%} of {routed.examples:,} validation sentences to the "
                f"expert of their domain, {routed.keras:.2%} by Keras"
            )
        return lines

    def next_command(self, manifest: Manifest) -> str:
        return f"--to {language(manifest.labels[0])} 'your text'"


def _share(which: np.ndarray) -> float:
    return round(float(which.mean()), 4)


def _own(proof: Proof) -> TranslationParity:
    assert isinstance(proof.parity, TranslationParity)
    return proof.parity


def _router_row(routed: Routed | None) -> str:
    """Return a row on the share of sentences routed to the expert of their own domain."""
    if routed is None:
        return ""
    return (
        f"| sentences sent to the expert of their domain | {routed.deployed:.2%} of "
        f"{routed.examples:,} validation sentences; by Keras {routed.keras:.2%}, "
        f"{routed.equal:.2%} alike |\n"
    )


def _to_languages(examples: Split, labels: Sequence[str]) -> list[tuple[str, str]]:
    """Return the sentences as users give them: to a language, of any domain."""
    return [
        (source, language(labels[target]))
        for (source, _), target in zip(examples.inputs, examples.targets.tolist(), strict=True)
    ]


def _fitting(split: Split, features: PieceFeatures) -> Split:
    """Select the pairs that are not too long for the networks."""
    rows = [
        row
        for row, pair in enumerate(split.inputs)
        if max(len(features.pieces(text)) for text in pair) <= _LENGTH - 2
    ]
    return Split([split.inputs[row] for row in rows], split.targets[rows])


def _by_label(split: Split, labels: int, most: int) -> Split:
    """Select the first examples of each label."""
    rows = np.sort(
        np.concatenate([np.flatnonzero(split.targets == one)[:most] for one in range(labels)])
    )
    return Split([split.inputs[row] for row in rows], split.targets[rows])


def _pairs(split: Split, labels: Sequence[str], features: PieceFeatures) -> dict[str, np.ndarray]:
    """Encode pairs for the worker: source, mask, target (the tokens), and expert."""
    encoded = encode_all(features, _to_languages(split, labels))
    written = np.full((len(split), _LENGTH), PADDING, np.int32)
    for row, ((_, target), first) in enumerate(zip(split.inputs, encoded["target"], strict=True)):
        pieces = [FIRST_TARGET + int(first), *features.pieces(target), END]
        written[row, : len(pieces)] = pieces
    return {
        "source": encoded["source"],
        "mask": encoded["mask"],
        "target": written,
        "expert": split.targets,
    }


def golden_certainty(
    written: Sequence[Mapping[str, np.ndarray]], reference: KerasReference
) -> np.ndarray:
    """Return the least probability of a token, (examples,); 0 where interpreters disagree.

    Args:
        written: `Deployed.arrays` of each interpreter.
    """
    certain: np.ndarray = np.min([one["least"] for one in written], axis=0)
    for one in written:
        same = alike(one["pieces"], written[-1]["pieces"])
        certain = certain * (same & (one["experts"] == reference.experts))
    return certain


def alike(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compare rows of tokens, padded with -1 to the longest of each, (rows,) bool."""
    short, long = sorted((one, other), key=lambda rows: rows.shape[1])
    width = short.shape[1]
    same: np.ndarray = (short == long[:, :width]).all(axis=1) & (long[:, width:] < 0).all(axis=1)
    return same
