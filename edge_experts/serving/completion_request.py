"""Requests of OpenAI's completions, checked field by field.

https://platform.openai.com/docs/api-reference/completions/create
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError
from ..runtime.tasks.language_model.continuation import MAX_TOKENS, Prompt
from ..runtime.tasks.language_model.sampling import Sampling

_STOP_CHARACTERS = 1000
# Fields that are not supported, and the values at which they change nothing; so does null.
_NEUTRAL: Mapping[str, Any] = {
    "n": 1,
    "best_of": 1,
    "echo": False,
    "logprobs": None,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "suffix": None,
    "logit_bias": {},
}
_SAMPLING = ("temperature", "top_p", "repetition_penalty", "seed")
_FIELDS = frozenset(
    ("model", "prompt", "max_tokens", "stop", "stream", "stream_options", "user")
).union(_SAMPLING, _NEUTRAL)


class FieldError(UsageError):
    """A field of a request is missing, unknown or invalid.

    Attributes:
        code: OpenAI's name of the error; None for most.
    """

    def __init__(self, field: str, message: str, code: str | None = None):
        super().__init__(message)
        self.field, self.code = field, code


@dataclass(frozen=True)
class CompletionRequest:
    """A checked request.

    Attributes:
        includes_usage: a stream ends with the numbers of tokens.
    """

    model: str
    prompt: Prompt
    is_streamed: bool
    includes_usage: bool


def completion_request(content: Mapping[str, Any], most_tokens: int | None) -> CompletionRequest:
    """Check a request.

    Args:
        content: its JSON object.
        most_tokens: limit of `max_tokens`; None: the runtime's.

    Raises:
        FieldError: a field is missing, unknown, or has a value that is not supported.
    """
    for name in content:
        if name not in _FIELDS:
            shown = name[:80].encode("ascii", "backslashreplace").decode()
            raise FieldError(shown, f"unknown field {name!r:.80}")
    for name, neutral in _NEUTRAL.items():
        if not _is_neutral(content.get(name), neutral):
            wanted, given = json.dumps(neutral), content[name]
            raise FieldError(
                name, f"{name} is not supported: it must be {wanted}, got {given!r:.40}"
            )
    model = content.get("model")
    if not isinstance(model, str):
        raise FieldError("model", "model must be the name of the model; GET /v1/models lists it")
    if not isinstance(content.get("user", ""), str | None):
        raise FieldError("user", "user must be a text")
    is_streamed = _boolean(content, "stream", "stream")
    return CompletionRequest(
        model,
        Prompt(
            _prompt(content.get("prompt")),
            _max_tokens(content.get("max_tokens"), most_tokens),
            _stop(content.get("stop")),
            _sampling(content),
        ),
        is_streamed,
        _includes_usage(content.get("stream_options"), is_streamed),
    )


def _is_neutral(value: Any, neutral: Any) -> bool:
    same_kind = isinstance(value, bool) == isinstance(neutral, bool)
    return value is None or (same_kind and bool(value == neutral))


def _prompt(value: Any) -> str:
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    if not isinstance(value, str):
        raise FieldError(
            "prompt",
            "prompt must be one text; several, and lists of tokens, are not supported: send a "
            "request for each",
        )
    return value


def _max_tokens(value: Any, most: int | None) -> int:
    if value is None:
        return MAX_TOKENS if most is None else min(MAX_TOKENS, most)
    try:
        Prompt("", value)
    except UsageError as error:
        raise FieldError("max_tokens", str(error)) from None
    if most is not None and value > most:
        raise FieldError("max_tokens", f"max_tokens must be at most {most:,} here, got {value:,}")
    count: int = value
    return count


def _stop(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, str | list):
        raise FieldError("stop", f"stop must be a text, or a list of texts, got {value!r:.40}")
    stop = (value,) if isinstance(value, str) else tuple(value)
    try:
        Prompt("", stop=stop)
    except UsageError as error:
        raise FieldError("stop", str(error)) from None
    if max(map(len, stop), default=0) > _STOP_CHARACTERS:
        raise FieldError("stop", f"stop: a text may have at most {_STOP_CHARACTERS:,} characters")
    return stop


def _sampling(content: Mapping[str, Any]) -> Sampling:
    """Check the settings of sampling; the defaults are OpenAI's."""
    settings: dict[str, Any] = {"temperature": 1.0}
    for name in _SAMPLING:
        if content.get(name) is not None:
            settings[name] = content[name]
            try:
                Sampling(**{name: content[name]})
            except UsageError as error:
                raise FieldError(name, str(error)) from None
    settings.setdefault("seed", secrets.randbits(62))
    return Sampling(**settings)


def _includes_usage(value: Any, is_streamed: bool) -> bool:
    if value is None:
        return False
    if not is_streamed:
        raise FieldError("stream_options", "stream_options is for stream=true")
    if not isinstance(value, dict) or set(value) - {"include_usage"}:
        raise FieldError("stream_options", "stream_options may have include_usage, and no more")
    return _boolean(value, "include_usage", "stream_options.include_usage")


def _boolean(content: Mapping[str, Any], key: str, field: str) -> bool:
    value = content.get(key)
    if value is not None and not isinstance(value, bool):
        raise FieldError(field, f"{field} must be true or false, got {value!r:.40}")
    return bool(value)
