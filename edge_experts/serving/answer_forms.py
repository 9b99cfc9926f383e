"""JSON of answers in OpenAI's API: texts, and messages of a chat."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from typing import Any, Protocol


class AnswerForm(Protocol):
    """JSON of one kind of answer.

    Attributes:
        field: field of the request that has the prompt.
    """

    field: str

    def head(self, model: str, *, is_part: bool = False) -> dict[str, Any]:
        """Return the fields beside the choices.

        Args:
            is_part: of an event of a stream.
        """

    def whole(self, text: str, finish_reason: str) -> dict[str, Any]:
        """Return the choice of a whole answer."""

    def first(self) -> Sequence[dict[str, Any]]:
        """Return the choices of events before the text."""

    def part(self, text: str) -> dict[str, Any]:
        """Return the choice of an event with a part of the text."""

    def last(self, finish_reason: str) -> dict[str, Any]:
        """Return the choice of the event after the text."""


class TextForm:
    """https://platform.openai.com/docs/api-reference/completions/object"""

    field = "prompt"

    def head(self, model: str, *, is_part: bool = False) -> dict[str, Any]:
        return _head("cmpl", "text_completion", model)

    def whole(self, text: str, finish_reason: str | None) -> dict[str, Any]:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}

    def first(self) -> Sequence[dict[str, Any]]:
        return ()

    def part(self, text: str) -> dict[str, Any]:
        return self.whole(text, None)

    def last(self, finish_reason: str) -> dict[str, Any]:
        return self.whole("", finish_reason)


class ChatForm:
    """https://platform.openai.com/docs/api-reference/chat/object"""

    field = "messages"

    def head(self, model: str, *, is_part: bool = False) -> dict[str, Any]:
        return _head("chatcmpl", "chat.completion.chunk" if is_part else "chat.completion", model)

    def whole(self, text: str, finish_reason: str) -> dict[str, Any]:
        message = {"role": "assistant", "content": text, "refusal": None}
        return {**_CHOICE, "message": message, "finish_reason": finish_reason}

    def first(self) -> Sequence[dict[str, Any]]:
        return [_delta({"role": "assistant", "content": ""})]

    def part(self, text: str) -> dict[str, Any]:
        return _delta({"content": text})

    def last(self, finish_reason: str) -> dict[str, Any]:
        return _delta({}, finish_reason)


_CHOICE = {"index": 0, "logprobs": None}
TEXT, CHAT = TextForm(), ChatForm()


def _head(prefix: str, kind: str, model: str) -> dict[str, Any]:
    return {
        "id": f"{prefix}-{secrets.token_hex(12)}",
        "object": kind,
        "created": int(time.time()),
        "model": model,
    }


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {**_CHOICE, "delta": delta, "finish_reason": finish_reason}
