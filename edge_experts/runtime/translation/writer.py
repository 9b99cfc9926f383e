"""Experts that write: their file has two functions, of which `beam_search.py` makes an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ...errors import BundleError, ModelError
from ...features import Features
from ...features.pieces import END, PieceFeatures
from ...format.expert_names import languages
from ...format.manifest import Manifest
from ..answer import Answer, Clock, Telling
from ..interpreter import Delegate
from .beam_search import ENCODE, KEYS_VALUES, STEP, Text, no_text, write
from .signatures import Functions, Signatures


class Writer:
    """An expert that writes, in place of a `Model`.

    Args:
        content: the bytes of its file, already checked against the manifest.
        name: what errors call it.
        manifest: of a bundle whose experts write.
        signatures: of the same bytes, as they were found before.

    Raises:
        ModelError: the interpreter refuses it, or it is no such file.
    """

    def __init__(
        self,
        content: bytes,
        name: str,
        manifest: Manifest,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
        signatures: Signatures | None = None,
    ):
        assert manifest.generation is not None
        self.name, self.content = name, content
        generation = manifest.generation
        self._never = no_text(len(languages(manifest.labels)))
        self._functions = Functions(content, name, (ENCODE, STEP), threads, delegate, signatures)
        self.signatures = self._functions.signatures
        inputs, outputs = self._functions.inputs(STEP), self._functions.outputs(STEP)
        try:
            self._past, self._logits = inputs["past_keys"], outputs["logits"]
            made = [outputs[one] for one in KEYS_VALUES]
            beams, heads, length, width = self._past
        except (KeyError, ValueError):
            raise ModelError(f"{name}: is no expert that writes") from None
        one = (beams, heads, 1, width)
        if (
            inputs["past_values"] != self._past
            or made != [one, one]
            or self._logits[0] != beams
            or beams != generation.beams
            or length != generation.length
        ):
            raise ModelError(
                f"{name}: follows {beams} beams of {length} pieces, and must follow "
                f"{generation.beams} of {generation.length}"
            )

    def must_fit(self, features: Features) -> None:
        """Raises ModelError unless it takes and gives what the features make and spell."""
        assert isinstance(features, PieceFeatures)
        wanted = {key: features.shapes[key][0] for key in ("source", "mask")}
        if self._functions.inputs(ENCODE) != wanted or self._logits[1:] != (features.size,):
            raise ModelError(f"{self.name}: does not fit the pieces of its bundle")

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Text:
        """What it writes.

        Raises:
            ModelError: an operator cannot compute.
        """
        return write(self._functions, arrays, self._past, self._never)

    def warm_up(self) -> None:
        """Run twice: what an interpreter puts off, it does in its first two runs."""
        length = self._functions.inputs(ENCODE)["source"][1]
        arrays = {
            "source": np.full((1, length), END, np.int32),
            "mask": np.zeros((1, 1, 1, length), np.float32),
            "target": np.zeros(1, np.int32),
        }
        for _ in range(2):
            write(self._functions, arrays, self._past, self._never, most=2)


class Written(Answer):
    """What an expert wrote.

    Attributes:
        label: which expert wrote it, by its name among the bundle's labels: a language, or a
            domain of one. Where one expert writes all, the language.
        pieces: the text as ids of the vocabulary, with the end where it came to one.
        first_us: microseconds from the question to the first piece.
    """

    __slots__ = ("_text", "first_us", "pieces")

    def __init__(self, text: str, pieces: np.ndarray, first_us: float, *answer: Any):
        super().__init__(*answer)
        self._text, self.pieces, self.first_us = text, pieces, first_us

    @property
    def text(self) -> str:
        """What was written."""
        return self._text

    @property
    def scores(self) -> np.ndarray:
        """The geometric mean of the pieces' probabilities, at the label's place: (labels,)."""
        return self._logits

    def __repr__(self) -> str:
        return f"Written(text={self.text!r:.60}, label={self.label!r}, score={self.score:.4f})"


def writing(manifest: Manifest, features: Features) -> Telling:
    """Of experts that write."""
    assert isinstance(features, PieceFeatures)
    labels, by_name = manifest.labels, manifest.by_name
    abstain_below = manifest.abstain_below

    def tell(
        arrays: Mapping[str, np.ndarray],
        output: Text,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Written:
        label, scores = first if by_name else int(arrays["target"][0]), np.zeros(len(labels))
        scores[label] = np.exp(output.chances.mean())
        text = features.text(output.pieces.tolist())
        first_ns = clock[3] - clock[0] + output.first_ns
        rest = (scores.astype(np.float32), 1.0, clock, experts, abstain_below, reason)
        return Written(text, output.pieces, first_ns / 1000, labels[label], first, *rest)

    return tell


def parts(features: Features, example: Any) -> list[Any]:
    """Examples that can each be encoded, for one that may be too long: the sentences of a text.

    Raises:
        UsageError: the text is longer than anyone may ask for.
    """
    if not isinstance(features, PieceFeatures):
        return [example]
    text, target = example
    return [(sentence, target) for sentence in features.sentences(text)] or [example]


def joined(answers: Sequence[Answer]) -> Answer:
    """The answers to an example's parts as one: as sure as the least sure, in the time of all."""
    first = answers[0]
    if len(answers) == 1 or not isinstance(first, Written):
        return first
    written = [answer for answer in answers if isinstance(answer, Written)]
    least = min(written, key=lambda answer: answer.score)
    spent = [
        round(1000 * sum(times)) for times in zip(*(one.timings for one in written), strict=True)
    ]
    return Written(
        " ".join(answer.text for answer in written),
        np.concatenate([answer.pieces for answer in written]),
        first.first_us,
        *(first.label, first.expert, least.scores, 1.0, tuple(accumulate(spent, initial=0))),
        tuple(dict.fromkeys(expert for answer in written for expert in answer.experts)),
        least._abstain_below,
        next((answer.reason for answer in written if answer.reason is not None), None),
    )


def named(arrays: Mapping[str, np.ndarray], logits: np.ndarray | None = None) -> np.ndarray:
    """A router's logits, or zeros, where nobody may answer but whom the example names."""
    asked: np.ndarray = arrays["asked"][0]
    return asked if logits is None else np.where(asked < 0, asked, logits)


def must_name(features: Features, manifest: Manifest, where: object) -> None:
    """Raises BundleError where examples are no pieces for experts of the manifest's names."""
    if not isinstance(features, PieceFeatures) or features.names != manifest.labels:
        raise BundleError(
            f"{where}: its experts write, and its features are not pieces for its labels"
        )
