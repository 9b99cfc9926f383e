"""Task of translation: an example is a text and the name of a language, or of one expert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import BundleError, ManifestError, ModelError
from ....features import Features
from ....features.pieces import PieceFeatures
from ....format.manifest import Manifest
from ...access import Access
from ...answer import Answer, Clock
from ...batch import examples_of
from ...fit import Shapes
from ...interpreter import Delegate, Expert
from ..base import DeployedScores, GoldenAnswer, Tensor
from ..routed_once import Arrays, RoutedOnce, known_scores
from .beam_search import Text
from .signatures import Signatures
from .writer import Writer, Written


class Translation(RoutedOnce):
    """Experts generate text; the router picks among the experts that the example names."""

    name, watched = "translation", False

    def __init__(self, manifest: Manifest, features: Features):
        if manifest.generation is None:
            raise ManifestError("generation is missing; translation requires it")
        super().__init__(manifest, features)
        self._signatures: dict[int, Signatures] = {}

    @property
    def pieces(self) -> PieceFeatures:
        """Features of the bundle; `check_features` has verified their type."""
        assert isinstance(self.features, PieceFeatures)
        return self.features

    def check_features(self, folder: Path) -> None:
        features = self.features
        if not isinstance(features, PieceFeatures) or features.names != self.manifest.labels:
            raise BundleError(
                f"{folder}: a translation bundle must have features of the kind 'pieces' whose "
                "targets are its labels"
            )

    def open_expert(
        self,
        index: int,
        content: bytes,
        path: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Writer:
        """Open an expert with two functions, and keep the list of its signatures.

        tflite-runtime 2.14 never frees such a list.
        """
        known = self._signatures.get(index)
        writer = Writer(content, path, self.manifest, threads, delegate, known)
        self._signatures[index] = writer.signatures
        return writer

    def check_expert(self, expert: Expert, shapes: Shapes) -> None:
        if not isinstance(expert, Writer):
            raise ModelError(f"{expert.name}: is not a translation expert")
        expert.must_fit(self.pieces)

    def prefix(self, index: int) -> str:
        """Return the expert's name, by which the user knows it: it has no fallback."""
        return f"{self.manifest.labels[index]}: " if self.manifest.by_name else ""

    def mask(self, arrays: Arrays, gate: np.ndarray | None) -> np.ndarray | None:
        """Set the gate of experts that the example does not name to minus infinity."""
        return named(arrays, gate)

    def mix(self, gate: np.ndarray | None, outputs: Sequence[Any]) -> Any:
        """Raise BundleError: the format has no translation by several experts."""
        raise BundleError("a text is written by one expert; convert with --top-k 1")

    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Text,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Written:
        labels = self.manifest.labels
        label = first if self.manifest.by_name else int(arrays["target"][0])
        scores = np.zeros(len(labels))
        scores[label] = np.exp(output.log_probabilities.mean())
        text = self.pieces.text(output.pieces.tolist())
        first_ns = clock[3] - clock[0] + output.first_ns
        least = float(np.exp(output.log_probabilities.min(initial=0)))
        sure = (scores.astype(np.float32), 1.0, clock, experts, self.manifest.abstain_below, reason)
        return Written(text, output.pieces, least, first_ns / 1000, labels[label], first, *sure)

    def measured(self, given: Mapping[str, np.ndarray], models: Access) -> dict[str, np.ndarray]:
        """Compute the router's first choices for encoded sentences: "routes", (sentences,)."""
        if not given:
            return {}
        first = [self.pick(arrays, models)[1][0] for arrays in examples_of(given)]
        return {"routes": np.array(first)}

    def parts(self, example: Any) -> list[Any]:
        """Split a text into sentences.

        Raises:
            UsageError: the text is longer than the limit.
        """
        text, target = example
        return [(sentence, target) for sentence in self.pieces.sentences(text)] or [example]

    def joined(self, answers: Sequence[Answer]) -> Answer:
        """Join sentences to one text, with the score of the least certain and the time of all."""
        written = [answer for answer in answers if isinstance(answer, Written)]
        if len(written) < 2:
            return answers[0]
        first, least = written[0], min(written, key=lambda answer: answer.score)
        spent = [
            round(1000 * sum(times))
            for times in zip(*(one.timings for one in written), strict=True)
        ]
        whole = Written(
            " ".join(answer.text for answer in written),
            np.concatenate([answer.pieces for answer in written]),
            min(answer.least for answer in written),
            first.first_us,
            *(first.label, first.expert, least.scores, 1.0, tuple(accumulate(spent, initial=0))),
            tuple(dict.fromkeys(expert for answer in written for expert in answer.experts)),
            self.manifest.abstain_below,
            next((answer.reason for answer in written if answer.reason is not None), None),
        )
        if sentences := [one for answer in written for one in answer.warnings]:
            whole.warnings = sentences
        return whole

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return the generated tokens, and their least probabilities.

        Returns:
            "pieces", (examples, longest text) int32, padded with -1; "least", (examples,).
        """
        written = [answer for answer in answers if isinstance(answer, Written)]
        longest = max((len(one.pieces) for one in written), default=0)
        pieces, least = np.full((len(written), longest), -1, np.int32), np.ones(len(written))
        for row, one in enumerate(written):
            pieces[row, : len(one.pieces)] = one.pieces
            least[row] = one.least
        return {"pieces": pieces, "least": least}

    def read_golden(self, stored: Mapping[str, np.ndarray], count: int) -> dict[str, np.ndarray]:
        pieces = stored["pieces"]
        if pieces.ndim != 2 or len(pieces) != count:
            raise ValueError("must hold the pieces of each of its examples")
        return {"pieces": pieces}

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Compare the generated tokens, then expert and scores."""
        pieces = wanted.of_task["pieces"]
        if isinstance(answer, Written) and np.array_equal(answer.pieces, pieces[pieces >= 0]):
            return super().golden_difference(answer, wanted)
        return f"expert {answer.expert} writes {answer.text!r:.80}, which is not the published text"

    def outputs(self) -> list[Tensor]:
        return [
            ("text", "BYTES", ()),
            ("label", "BYTES", ()),
            ("scores", "FP32", (len(self.manifest.labels),)),
            ("expert", "INT32", ()),
            ("abstained", "BOOL", ()),
            ("degraded", "BOOL", ()),
        ]

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        proven = _proven(manifest)
        return known_scores(proven.get("deployed"), proven.get("examples"), {"chrf": (0, 100)})

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        proven = _proven(manifest)
        scores = proven.get("deployed")
        scores = scores if isinstance(scores, dict) else {}
        return (
            f"chrF, BLEU   {_number(scores.get('chrf'))}, {_number(scores.get('bleu'))} as "
            f"deployed, on {proven.get('examples')} validation sentences"
        )


def named(arrays: Mapping[str, np.ndarray], logits: np.ndarray | None = None) -> np.ndarray:
    """Return a router's logits or zeros; minus infinity for experts the example does not name."""
    asked: np.ndarray = arrays["asked"][0]
    return asked if logits is None else np.where(asked < 0, asked, logits)


def _proven(manifest: Manifest) -> Mapping[str, Any]:
    proven = manifest.provenance.get("validation")
    return proven if isinstance(proven, dict) else {}


def _number(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else "?"
