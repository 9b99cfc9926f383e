"""Text of tokens as it grows: whole characters only, and nothing of a stop string."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Turns the bytes of tokens into text.

    Args:
        stops: the text ends before the first of them.
        stripped: text that is removed from the beginning.

    Attributes:
        stopped: True once a stop string was found.
        text: all text so far.
    """

    def __init__(self, stops: Sequence[str], stripped: str = ""):
        self._stops = tuple(stops)
        self._stripped = stripped
        self._held = ""  # may be the beginning of a stop string
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.stopped, self.text = False, ""

    def push(self, content: bytes, *, last: bool = False) -> str:
        """Add bytes of the next token; return the text that is certain by now.

        Args:
            last: no more bytes follow.
        """
        self._held += self._decoder.decode(content, last)
        if self._stripped and self._held:
            self._held, self._stripped = self._held.removeprefix(self._stripped), ""
        places = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if places:
            self.stopped, told, self._held = True, self._held[: min(places)], ""
        else:
            keep = 0 if last else self._beginning()
            end = len(self._held) - keep
            told, self._held = self._held[:end], self._held[end:]
        self.text += told
        return told

    def _beginning(self) -> int:
        """Return the length of the longest end of the held text that begins a stop string."""
        longest = max(map(len, self._stops), default=0) - 1
        for length in range(min(longest, len(self._held)), 0, -1):
            end = self._held[-length:]
            if any(stop.startswith(end) for stop in self._stops):
                return length
        return 0
