"""Requests of OpenAI's chat completions, checked field by field.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import UsageError
from ..features.chat_template import Message
from ..format.limits import LIMITS
from ..runtime.tasks.language_model.continuation import Prompt
from .completion_request import (
    SAMPLING,
    CompletionRequest,
    FieldError,
    check_fields,
    max_tokens,
    request_of,
    sampling,
    stop_texts,
)

# Fields that are not supported, and the values at which they change nothing; so does null.
_NEUTRAL: Mapping[str, Any] = {
    "n": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "top_logprobs": None,
    "response_format": {"type": "text"},
    "tools": [],
    "tool_choice": "none",
    "parallel_tool_calls": True,
    "functions": [],
    "function_call": "none",
    "modalities": ["text"],
    "audio": None,
    "prediction": None,
    "store": False,
    "metadata": {},
    "service_tier": "auto",
    "reasoning_effort": None,
    "verbosity": None,
    "web_search_options": None,
}
_MOST = ("max_completion_tokens", "max_tokens")  # the latter is the older name
_FIELDS = frozenset(("model", "messages", "stop", "stream", "stream_options", "user")).union(
    _MOST, SAMPLING, _NEUTRAL
)
_ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def chat_request(content: Mapping[str, Any], most_tokens: int | None) -> CompletionRequest:
    """Check a request.

    Args:
        content: its JSON object.
        most_tokens: largest number of tokens of an answer; None: the runtime's.

    Raises:
        FieldError: a field is missing, unknown, or has a value that is not supported.
    """
    check_fields(content, _FIELDS, _NEUTRAL)
    given = [name for name in _MOST if content.get(name) is not None]
    if len(given) == 2:
        raise FieldError(_MOST[1], f"give {_MOST[0]} or {_MOST[1]}, not both")
    prompt = Prompt(
        "",
        max_tokens(content, given[0] if given else _MOST[0], LIMITS.written_tokens, most_tokens),
        stop_texts(content.get("stop")),
        sampling(content),
        _messages(content.get("messages")),
    )
    return request_of(content, [prompt])


def _messages(value: Any) -> tuple[Message, ...]:
    if not isinstance(value, list) or not value:
        raise FieldError("messages", "messages must be a list of at least one message")
    return tuple(_message(one, f"messages[{place}]") for place, one in enumerate(value))


def _message(value: Any, where: str) -> Message:
    if not isinstance(value, dict):
        raise FieldError(where, f"{where} must be an object with role and content")
    for name, given in value.items():
        if name not in ("role", "content") and given is not None:
            shown = name[:80].encode("ascii", "backslashreplace").decode()
            raise FieldError(f"{where}.{shown}", f"{where}: {name!r:.80} is not supported")
    role = value.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        raise FieldError(
            f"{where}.role",
            f"{where}: role must be one of {', '.join(_ROLES)}, got {role!r:.40}; tools are not "
            "supported",
        )
    try:
        return Message(_ROLES[role], _text(value.get("content"), f"{where}.content"))
    except FieldError:
        raise
    except UsageError as error:
        raise FieldError(where, str(error)) from None


def _text(value: Any, where: str) -> str:
    """Return the text of a message: itself, or its parts one after the other."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise FieldError(where, f"{where} must be a text, or a list of parts, got {value!r:.40}")
    texts = []
    for place, part in enumerate(value):
        text = part.get("text") if isinstance(part, dict) else None
        if text is None or part.get("type") != "text" or not isinstance(text, str):
            raise FieldError(
                f"{where}[{place}]",
                f'{where}[{place}] must be {{"type": "text", "text": ...}}; images, sounds and '
                "files are not supported",
            )
        texts.append(text)
    return "".join(texts)
