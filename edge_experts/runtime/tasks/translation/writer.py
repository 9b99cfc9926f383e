"""Experts that write: their file has two functions, of which `beam_search.py` makes an answer."""

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

    def must_fit(self, features: PieceFeatures) -> None:
        """Raises ModelError unless it takes and gives what the features make and spell."""
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
    first_us: float

    def __init__(self, text: str, pieces: np.ndarray, first_us: float, *answer: Any):
        super().__init__(*answer)
        self._text, self.pieces, self.first_us = text, pieces, first_us

    @property
    def text(self) -> str:
        """What was written."""
        return self._text

    @property
    def tokens(self) -> int:
        return len(self.pieces)

    @property
    def scores(self) -> np.ndarray:
        """The geometric mean of the pieces' probabilities, at the label's place: (labels,)."""
        return self._logits

    def __repr__(self) -> str:
        return f"Written(text={self.text!r:.60}, label={self.label!r}, score={self.score:.4f})"
