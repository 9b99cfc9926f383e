"""Tokenization by a checkpoint's own tokenizer.json, run by the `tokenizers` library.

https://github.com/huggingface/tokenizers. The library is the extra `tokenizers`; this is the only
module that imports it. Tokens become text without it, by `token_bytes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import MissingExtraError, UsageError
from ..format.limits import LIMITS
from ..format.strict_json import deceives
from .chat_template import ChatTemplate, Message, require_jinja
from .placeholders import Placeholders
from .token_bytes import TokenBytes
from .tokenizer_rules import check, parsed
from .utf8 import decoded
from .vocabulary import Vocabulary

_MEMORY = 1050  # bytes that the library takes for a token: `python -m benchmarks tokenizer`


class TokenizerFeatures(Vocabulary):
    """Conversion of a text to `tokens`, (1, tokens) int32, and of tokens to text.

    Args:
        content: a tokenizer.json without truncation, padding and post_processor.
        start, ends: see `Vocabulary`.
        names: texts of special tokens by the names that chat templates use, such as bos_token.
        template: the chat template, in Jinja; None without one.

    Raises:
        ValueError: a part of the tokenizer is not supported, or exceeds a limit.
        MissingExtraError: the library is not installed.
    """

    kind = "tokenizer"
    extras = ("chat",)  # for `deploying`

    def __init__(
        self,
        content: bytes,
        start: Sequence[int],
        ends: Sequence[int],
        names: Mapping[str, str],
        template: str | None,
    ):
        summary = check(parsed(content))
        if template is not None and len(template.encode()) > LIMITS.template_bytes:
            raise ValueError(f"the chat template has more than {LIMITS.template_bytes:,} bytes")
        self._content, self._names, self.template = content, dict(names), template
        self._start = _tokens("start", start, summary.size, 0)
        self._ends = _tokens("ends", ends, summary.size, 1)
        self._size, self._bytes = summary.size, TokenBytes(summary.decoder)
        self._special_texts = summary.special_texts
        self._silent = summary.specials.union(self._start, self._ends)
        self._library = _opened(content)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> TokenizerFeatures:
        template = arrays.get("template")
        return cls(
            _plain(arrays["tokenizer"], "tokenizer"),
            settings["start"],
            settings["ends"],
            _named(settings["names"]),
            None if template is None else _plain(template, "template").decode("utf-8"),
        )

    @property
    def settings(self) -> dict[str, Any]:
        return {"start": list(self._start), "ends": list(self._ends), "names": dict(self._names)}

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        arrays = {"tokenizer": np.frombuffer(self._content, np.uint8)}
        if self.template is not None:
            arrays["template"] = np.frombuffer(self.template.encode(), np.uint8)
        return arrays

    @property
    def size(self) -> int:
        return self._size

    @property
    def start(self) -> tuple[int, ...]:
        return self._start

    @property
    def ends(self) -> tuple[int, ...]:
        return self._ends

    @property
    def nbytes(self) -> int:
        return _MEMORY * self._size

    def fits(self, rows: int) -> bool:
        """Test if an embedding has a row for each token; those of checkpoints may have more."""
        return rows >= self._size

    def bytes_of(self, tokens: Sequence[int]) -> bytes:
        return b"".join(map(self._bytes_of, tokens))

    def text(self, tokens: Sequence[int]) -> str:
        return decoded(self.bytes_of(tokens)).removeprefix(self.stripped)

    @property
    def stripped(self) -> str:
        return self._bytes.stripped

    def require_chat(self) -> None:
        if self.template is None:
            super().require_chat()
        require_jinja()

    def chat_tokens(self, messages: Sequence[Message]) -> list[int]:
        if self.template is None:
            return super().chat_tokens(messages)
        safe = Placeholders(self._special_texts)
        hidden = [replace(one, content=safe.hidden(one.content)) for one in messages]
        tokens: list[int] = []
        for text, is_plain in safe.parts(ChatTemplate(self.template, self._names).render(hidden)):
            # A special token of several characters is none if these are encoded one by one.
            for one in text if is_plain else [text]:
                tokens += self._encoded(one)
        return tokens

    def _bytes_of(self, token: int) -> bytes:
        if token in self._silent:
            return b""
        text = self._library.id_to_token(token)
        return b"" if text is None else self._bytes.of(text)  # a padding row of the embedding

    def _encoded(self, text: str) -> list[int]:
        try:
            text.encode()
        except UnicodeEncodeError:
            raise UsageError("a text must be Unicode without surrogates") from None
        try:
            found: list[int] = self._library.encode(text, add_special_tokens=False).ids
        except BaseException as error:
            _refuse_panic(error)
            raise UsageError(f"the bundle's tokenizer cannot encode the text: {error}") from None
        return found


def _opened(content: bytes) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise MissingExtraError("The tokenizer of this model", "tokenizers") from None
    try:
        return Tokenizer.from_str(content.decode("utf-8"))
    except BaseException as error:
        _refuse_panic(error)
        raise ValueError(f"the tokenizers library refuses the tokenizer: {error!s:.200}") from None


def _refuse_panic(error: BaseException) -> None:
    """Raise again what is neither an error nor a panic of the library, such as Ctrl-C.

    Panics of Rust are no `Exception`, and their class cannot be imported.
    """
    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
        raise error


def _tokens(name: str, values: Any, size: int, least: int) -> tuple[int, ...]:
    fits = isinstance(values, list | tuple) and least <= len(values) <= LIMITS.end_tokens
    if not fits or not all(type(one) is int and 0 <= one < size for one in values):
        raise ValueError(
            f"{name} must be {least} to {LIMITS.end_tokens} ids below {size:,}, got {values!r:.60}"
        )
    return tuple(values)


def _named(names: Any) -> dict[str, str]:
    if not isinstance(names, dict) or len(names) > LIMITS.end_tokens:
        raise ValueError(f"names must be an object of at most {LIMITS.end_tokens}")
    for name, text in names.items():
        fits = isinstance(text, str) and len(text) <= LIMITS.token_characters
        if not fits or not name.isidentifier() or deceives(name):
            raise ValueError(f"names: {name!r:.40} must have a text, got {text!r:.40}")
    return dict(names)


def _plain(array: np.ndarray, name: str) -> bytes:
    if array.dtype != np.uint8 or array.ndim != 1:
        raise ValueError(f"{name} must be bytes")
    return array.tobytes()
