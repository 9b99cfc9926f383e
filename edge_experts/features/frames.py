"""Raw frames of a camera, such as `rpicam-vid --codec yuv420` writes: bytes to pixels."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from ..errors import UsageError
from .resizing import refuse_size

FORMATS = ("yuv420", "rgb24", "grey")
_TEXT = re.compile(r"(\d{1,6})x(\d{1,6}):([a-z0-9]+)")
# Of ITU-R BT.601 in full range, as JFIF and rpicam-vid have it, in 65536ths.
_RED_V, _GREEN_U, _GREEN_V, _BLUE_U = 91881, 22554, 46802, 116130
_HALF = 2**15


@dataclass(frozen=True)
class FrameFormat:
    """Size and layout of the frames of a stream.

    Attributes:
        layout: "yuv420", planes of brightness and, at half the size, of two colour differences
            (I420); "rgb24", three bytes a pixel; "grey", one.
    """

    width: int
    height: int
    layout: str

    @classmethod
    def parse(cls, text: str) -> FrameFormat:
        """Read "640x480:yuv420".

        Raises:
            UsageError: the text has another form, or the frames are too large.
        """
        match = _TEXT.fullmatch(text)
        if match is None or match[3] not in FORMATS:
            raise UsageError(
                f"--frames must be WIDTHxHEIGHT:FORMAT with a format of {', '.join(FORMATS)}, as "
                f"640x480:yuv420; got {text!r:.80}"
            )
        width, height = int(match[1]), int(match[2])
        refuse_size(height, width, f"--frames {text}")
        return cls(width, height, match[3])

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        pixels = self.width * self.height
        colour = -(-self.width // 2) * -(-self.height // 2)
        return {"grey": pixels, "rgb24": 3 * pixels, "yuv420": pixels + 2 * colour}[self.layout]

    def pixels(self, frame: bytes) -> np.ndarray:
        """Convert the bytes of a frame to (height, width, 3 or 1) uint8."""
        data = np.frombuffer(frame, np.uint8, self.size)
        if self.layout == "rgb24":
            return data.reshape(self.height, self.width, 3)
        count = self.width * self.height
        bright = data[:count].reshape(self.height, self.width)
        if self.layout == "grey":
            return bright[:, :, None]
        shape = (-(-self.height // 2), -(-self.width // 2))
        u, v = (data[count:].reshape(2, *shape).astype(np.int32) - 128)[:]
        differences = (
            (_RED_V * v + _HALF) >> 16,
            -((_GREEN_U * u + _GREEN_V * v + _HALF) >> 16),
            (_BLUE_U * u + _HALF) >> 16,
        )
        made = np.empty((self.height, self.width, 3), np.uint8)
        for channel, difference in enumerate(differences):
            whole = difference.astype(np.int16).repeat(2, axis=0).repeat(2, axis=1)
            sums = bright + whole[: self.height, : self.width]
            made[:, :, channel] = np.clip(sums, 0, 255)
        return made
