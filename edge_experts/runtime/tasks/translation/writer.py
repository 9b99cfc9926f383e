"""Experts that generate text: files with two functions, which `beam_search.py` calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ....errors import ModelError
from ....features.pieces import END, PieceFeatures
from ....format.expert_names import languages
from ....format.manifest import Manifest
from ...answer import Answer
from ...interpreter import Delegate
from .beam_search import ENCODE, KEYS_VALUES, STEP, Text, no_text, write
from .signatures import Functions, Signatures


class Writer:
    """Expert that generates text; the counterpart of `Model`.

    Args:
        content: the bytes of its file, already checked against the manifest.
        name: the file's name in errors.
        manifest: of a bundle whose experts generate text.
        signatures: of the same bytes, from an earlier opening.

    Raises:
        ModelError: the interpreter refuses the file, or it is not such an expert.
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
            raise ModelError(
                f"{name}: is not a translation expert: its step has no keys, values and logits"
            ) from None
        one = (beams, heads, 1, width)
        if (
            inputs["past_values"] != self._past
            or made != [one, one]
            or self._logits[0] != beams
            or beams != generation.beams
            or length != generation.length
        ):
            raise ModelError(
                f"{name}: has {beams} beams of {length} tokens; its manifest has "
                f"{generation.beams} of {generation.length}"
            )

    def must_fit(self, features: PieceFeatures) -> None:
        """Raise ModelError unless its inputs and outputs fit the features and their vocabulary."""
        wanted = {key: features.shapes[key][0] for key in ("source", "mask")}
        if self._functions.inputs(ENCODE) != wanted or self._logits[1:] != (features.size,):
            raise ModelError(f"{self.name}: does not fit the vocabulary of its bundle")

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> Text:
        """Generate an answer.

        Raises:
            ModelError: an operator fails.
        """
        return write(self._functions, arrays, self._past, self._never)

    def warm_up(self) -> None:
        """Run twice: an interpreter defers work to its first two runs."""
        length = self._functions.inputs(ENCODE)["source"][1]
        arrays = {
            "source": np.full((1, length), END, np.int32),
            "mask": np.zeros((1, 1, 1, length), np.float32),
            "target": np.zeros(1, np.int32),
        }
        for _ in range(2):
            write(self._functions, arrays, self._past, self._never, most=2)


class Written(Answer):
    """Answer that consists of generated text.

    Attributes:
        label: the name of the expert among the bundle's labels: a language, or a domain of one. If
            one expert writes all languages, the language.
        pieces: the text as token ids, with the end token if it was generated.
        least: probability of the least certain token.
        first_us: microseconds from the input to the first token.
    """

    __slots__ = ("_text", "first_us", "least", "pieces")
    first_us: float

    def __init__(self, text: str, pieces: np.ndarray, least: float, first_us: float, *answer: Any):
        super().__init__(*answer)
        self._text, self.pieces, self.least, self.first_us = text, pieces, least, first_us

    @property
    def text(self) -> str:
        """Generated text."""
        return self._text

    @property
    def tokens(self) -> int:
        return len(self.pieces)

    @property
    def scores(self) -> np.ndarray:
        """Geometric mean of the tokens' probabilities, at the label's index: (labels,)."""
        return self._logits

    def __repr__(self) -> str:
        return f"Written(text={self.text!r:.60}, label={self.label!r}, score={self.score:.4f})"
