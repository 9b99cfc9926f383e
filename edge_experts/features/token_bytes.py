"""Bytes of tokens, by the decoder of a tokenizer.json.

Two families cover the published decoder models. Of byte-level tokenizers (GPT-2, Llama 3, Qwen)
each character of a token stands for a byte. Of those of sentencepiece (Llama 2, Mixtral) U+2581
stands for a space, and tokens such as `<0x0A>` for bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .tokenizer_rules import decoder_steps

_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")


class TokenBytes:
    """Bytes of tokens.

    Attributes:
        stripped: text that decoding removes from the beginning of a whole text, a space or none.

    Raises:
        ValueError: the decoder is not supported.
    """

    def __init__(self, decoder: Mapping[str, Any]):
        self.stripped = ""
        self._mark, self._has_bytes = " ", False
        steps = list(decoder_steps(decoder))
        self._of: Callable[[str], bytes] = self._spaced
        if [step.get("type") for step in steps] == ["ByteLevel"]:
            self._of = _level
            return
        for step in steps:
            self._add(step)
        if not steps:
            raise ValueError("decoder must have steps")

    def of(self, token: str) -> bytes:
        """Return the bytes of a token."""
        return self._of(token)

    def _add(self, step: Mapping[str, Any]) -> None:
        kind = step.get("type")
        if kind == "Replace" and step.get("content") == " ":
            pattern = step.get("pattern")
            mark = pattern.get("String") if isinstance(pattern, dict) else None
            if isinstance(mark, str) and len(mark) == 1:
                self._mark = mark
                return
        if kind == "Metaspace":
            mark = step.get("replacement")
            if isinstance(mark, str) and len(mark) == 1:
                prefixed = step.get("prepend_scheme", "always") != "never"
                self._mark, self.stripped = mark, " " * int(prefixed)
                return
        if kind == "Strip" and step.get("content") == " " and not step.get("stop"):
            start = step.get("start")
            if start in (0, 1) and type(start) is int:
                self.stripped = " " * start
                return
        if kind == "ByteFallback":
            self._has_bytes = True
        elif kind != "Fuse":
            raise ValueError(
                f"decoder {kind!r:.40} with these settings is not supported; there are ByteLevel, "
                "and Metaspace, Replace of one character by a space, ByteFallback, Fuse and Strip "
                "of one space"
            )

    def _spaced(self, token: str) -> bytes:
        byte = _BYTE.fullmatch(token) if self._has_bytes else None
        if byte is not None:
            return bytes([int(byte[1], 16)])
        return token.replace(self._mark, " ").encode()


def _level(token: str) -> bytes:
    """Return the bytes that characters stand for; the text itself if one stands for none."""
    try:
        return bytes(map(_BYTES.__getitem__, token))
    except KeyError:
        return token.encode()


def _characters() -> dict[str, int]:
    """Compute the bytes of characters.

    Printable bytes of Latin-1 stand for themselves, the others have characters from U+0100 on
    (Radford et al., 2019, https://github.com/openai/gpt-2/blob/master/src/encoder.py).
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    found = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in printable)
    return found | {chr(256 + place): byte for place, byte in enumerate(others)}


_BYTES = _characters()
