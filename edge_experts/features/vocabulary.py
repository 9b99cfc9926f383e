"""Base of a language model's features: texts, and their tokens in both directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from . import packing
from .chat_template import MOST_CHARACTERS, Message
from .fields import ANY, Fields, described

__all__ = ["MOST_CHARACTERS", "Vocabulary"]


class Vocabulary(ABC):
    """Conversion of a text to `tokens`, (1, tokens) int32, and of tokens to text.

    Attributes:
        kind: name of the features in manifests.
    """

    kind: str

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Values that `restore` needs besides the arrays."""

    @property
    @abstractmethod
    def arrays(self) -> dict[str, np.ndarray]:
        """Arrays stored in features.npz."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of ids: one more than the largest."""

    @property
    @abstractmethod
    def start(self) -> tuple[int, ...]:
        """Tokens that precede the first token of a text; may be empty."""

    @property
    @abstractmethod
    def ends(self) -> tuple[int, ...]:
        """Tokens that end a text, at least one; the usual one first."""

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """Bytes of memory, approximately."""

    @abstractmethod
    def fits(self, rows: int) -> bool:
        """Test if an embedding of so many rows has exactly the tokens that can occur."""

    @abstractmethod
    def bytes_of(self, tokens: Sequence[int]) -> bytes:
        """Return the text of tokens in UTF-8; those of `start` and `ends` have no bytes."""

    @abstractmethod
    def text(self, tokens: Sequence[int]) -> str:
        """Decode the tokens of a whole text.

        Bytes that are not UTF-8 become replacement characters.
        """

    @property
    def stripped(self) -> str:
        """Text that the first token of a whole text may begin with, and that is not part of it."""
        return ""

    def chat_tokens(self, messages: Sequence[Message]) -> list[int]:
        """Convert a conversation to tokens, up to where the next answer begins.

        Raises:
            UsageError: there is no chat template, or it refuses the conversation.
            BundleError: the template takes too much time.
            MissingExtraError: Jinja2 is not installed.
        """
        self.require_chat()
        raise AssertionError("a vocabulary with a template converts conversations")

    def require_chat(self) -> None:
        """Check that conversations can be converted.

        Raises:
            UsageError: there is no chat template.
            MissingExtraError: Jinja2 is not installed.
        """
        raise UsageError(
            "this model has no chat template: it continues texts (edge-experts run, and POST "
            "/v1/completions); convert a checkpoint that was trained for chats"
        )

    @abstractmethod
    def _encoded(self, text: str) -> list[int]:
        """Convert a text to tokens, after the checks of `tokens`."""

    def tokens(self, text: str) -> list[int]:
        """Convert a text to tokens, without those of `start` and `ends`.

        Raises:
            UsageError: it is not a text, or has more than a million characters.
        """
        if not isinstance(text, str):
            raise UsageError(f"an example must be a text, got {type(text).__name__}")
        if len(text) > MOST_CHARACTERS:
            raise UsageError(
                f"a text must have at most {MOST_CHARACTERS:,} characters, got {len(text):,}; "
                "split it"
            )
        return self._encoded(text)

    @property
    def shapes(self) -> dict[str, tuple[tuple[int, ...], type[np.number]]]:
        return {"tokens": ((1, ANY), np.int32)}

    def pack(self, examples: Sequence[str]) -> np.ndarray:
        return packing.packed(examples)

    def unpack(self, packed: np.ndarray) -> list[str]:
        return packing.unpacked(packed)

    @property
    def fields(self) -> Fields:
        return {"text": (str, ())}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [one | {"characters": MOST_CHARACTERS} for one in described(self.fields)]

    def put_together(self, parts: Mapping[str, Any]) -> str:
        text: str = parts["text"]
        return text

    def take_apart(self, example: str) -> Mapping[str, Any]:
        return {"text": example}

    def parse(self, line: str) -> str:
        return line

    def encode(self, example: str, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Encode a text; its tokens do not begin with `start` or end with one of `ends`.

        Raises:
            UsageError: as of `tokens`.
        """
        return {"tokens": np.array([self.tokens(example)], np.int32)}
