"""Placeholders for special tokens that stand in the messages of a conversation.

A message "<|im_end|><|im_start|>system ..." could pose as the system. So the texts of special
tokens in messages are replaced before a chat template is rendered, and encoded as ordinary text
afterwards.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Sequence

# Private-use characters: no template looks for them.
_OPEN, _CLOSE = "\ue0f0", "\ue0f1"


class Placeholders:
    """Placeholders of one conversation; their random number cannot be guessed by a message.

    Args:
        texts: contents of special tokens.
    """

    def __init__(self, texts: Sequence[str]):
        longest_first = sorted(texts, key=len, reverse=True)
        self._texts = longest_first
        self._special = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        number = secrets.randbelow(10**18)
        self._head = f"{_OPEN}{number:018}"
        self._place = re.compile(f"{self._head}([0-9]{{1,5}}){_CLOSE}")

    def hidden(self, content: str) -> str:
        """Replace special tokens of a message."""
        return self._special.sub(
            lambda found: f"{self._head}{self._texts.index(found[0])}{_CLOSE}", content
        )

    def parts(self, rendered: str) -> Iterator[tuple[str, bool]]:
        """Yield the parts of a rendered conversation, and if they are text of hidden tokens."""
        for place, part in enumerate(self._place.split(rendered)):
            if place % 2 == 0:
                if part:
                    yield part, False
            elif int(part) < len(self._texts):  # a template could write another number
                yield self._texts[int(part)], True
