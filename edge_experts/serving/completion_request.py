"""Requests of OpenAI's completions, checked field by field.

https://platform.openai.com/docs/api-reference/completions/create
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence, Set
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
SAMPLING = ("temperature", "top_p", "repetition_penalty", "seed")
_FIELDS = frozenset(
    ("model", "prompt", "max_tokens", "stop", "stream", "stream_options", "user")
).union(SAMPLING, _NEUTRAL)


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
    """A checked request of texts, or of a conversation's next message.

    Attributes:
        model: None if the request does not say.
        prompts: one for each choice of the answer.
        includes_usage: a stream ends with the numbers of tokens.
    """

    model: str | None
    prompts: Sequence[Prompt]
    is_streamed: bool
    includes_usage: bool


def completion_request(
    content: Mapping[str, Any], most_tokens: int | None, most_prompts: int
) -> CompletionRequest:
    """Check a request.

    Args:
        content: its JSON object.
        most_tokens: limit of `max_tokens`; None: the runtime's.
        most_prompts: largest number of texts to continue.

    Raises:
        FieldError: a field is missing, unknown, or has a value that is not supported.
    """
    check_fields(content, _FIELDS, _NEUTRAL)
    most = max_tokens(content, "max_tokens", MAX_TOKENS, most_tokens)
    stop = stop_texts(content.get("stop"))
    # Without a seed each text is drawn anew, also if it stands in the list twice.
    prompts = [
        Prompt(text, most, stop, sampling(content))
        for text in _prompts(content.get("prompt"), most_prompts)
    ]
    return request_of(content, prompts)


def check_fields(
    content: Mapping[str, Any], known: Set[str], neutral_values: Mapping[str, Any]
) -> None:
    """Refuse unknown fields, and unsupported ones unless their values change nothing."""
    for name in content:
        if name not in known:
            shown = name[:80].encode("ascii", "backslashreplace").decode()
            raise FieldError(shown, f"unknown field {name!r:.80}")
    for name, neutral in neutral_values.items():
        if not _is_neutral(content.get(name), neutral):
            wanted, given = json.dumps(neutral), content[name]
            raise FieldError(
                name, f"{name} is not supported: it must be {wanted}, got {given!r:.40}"
            )


def request_of(content: Mapping[str, Any], prompts: Sequence[Prompt]) -> CompletionRequest:
    """Return the request of prompts, with the fields that say how it is answered."""
    model = content.get("model")
    if not isinstance(model, str | None):
        raise FieldError("model", "model must be the name of the model; GET /v1/models lists it")
    if not isinstance(content.get("user", ""), str | None):
        raise FieldError("user", "user must be a text")
    is_streamed = _boolean(content, "stream", "stream")
    usage = _includes_usage(content.get("stream_options"), is_streamed)
    return CompletionRequest(model, prompts, is_streamed, usage)


def _is_neutral(value: Any, neutral: Any) -> bool:
    same_kind = isinstance(value, bool) == isinstance(neutral, bool)
    return value is None or (same_kind and bool(value == neutral))


def _prompts(value: Any, most: int) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts or not all(isinstance(one, str) for one in texts):
        raise FieldError(
            "prompt", "prompt must be a text, or a list of texts; lists of tokens are not supported"
        )
    if len(texts) > most:
        raise FieldError("prompt", f"prompt: at most {most:,} texts here, got {len(texts):,}")
    return texts


def max_tokens(content: Mapping[str, Any], name: str, usual: int, most: int | None) -> int:
    """Return the limit of an answer.

    Args:
        name: its field.
        usual: its default.
        most: largest allowed value; None: the runtime's.
    """
    value = content.get(name)
    if value is None:
        return usual if most is None else min(usual, most)
    try:
        Prompt("", value)
    except UsageError as error:
        raise FieldError(name, str(error).replace("max_tokens", name)) from None
    if most is not None and value > most:
        raise FieldError(name, f"{name} must be at most {most:,} here, got {value:,}")
    count: int = value
    return count


def stop_texts(value: Any) -> tuple[str, ...]:
    """Return the texts before which an answer ends."""
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


def sampling(content: Mapping[str, Any]) -> Sampling:
    """Check the settings of sampling; the defaults are OpenAI's."""
    settings: dict[str, Any] = {"temperature": 1.0}
    for name in SAMPLING:
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
