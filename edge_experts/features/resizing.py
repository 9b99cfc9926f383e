"""Resizing of photos of any size to arrays of one size, in whole numbers.

Only additions and products of integers, and one division that rounds half up, act on the pixels, so
that every machine computes the same bytes from the same decoded pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.limits import LIMITS

POLICIES = ("crop", "fit", "stretch")
GREY, COLOUR = 1, 3  # numbers of channels
_PAD = 127  # of the border that "fit" adds
_WHITE = 255  # behind transparent pixels
_LUMA = (19595, 38470, 7471)  # of ITU-R BT.601, in 65536ths: 0.299, 0.587, 0.114


@dataclass(frozen=True)
class Resizing:
    """Size, colours and policy, chosen at training and recorded in the bundle.

    Attributes:
        height, width: of the result, in pixels.
        channels: 1 for grey, 3 for red, green and blue.
        policy: "crop" cuts the middle of the photo out, in the proportions of the result; "fit"
            keeps the whole photo, and pads it with grey; "stretch" changes the proportions.
    """

    height: int
    width: int
    channels: int = COLOUR
    policy: str = "crop"

    def __post_init__(self) -> None:
        sides = (self.height, self.width)
        if not all(type(side) is int and 0 < side <= LIMITS.photo_side for side in sides):
            raise ValueError(
                f"height and width must be 1 to {LIMITS.photo_side} pixels, got {sides}"
            )
        if type(self.channels) is not int or self.channels not in (GREY, COLOUR):
            raise ValueError(f"channels must be {GREY} or {COLOUR}, got {self.channels!r:.40}")
        if self.policy not in POLICIES:
            raise ValueError(f"policy must be one of {POLICIES}, got {self.policy!r:.40}")

    @classmethod
    def from_json(cls, content: Any) -> Resizing:
        """Read what `to_json` wrote.

        Raises:
            ValueError: it is not such an object.
        """
        if not isinstance(content, Mapping) or set(content) != set(cls.__dataclass_fields__):
            raise ValueError(f"resizing must have {', '.join(cls.__dataclass_fields__)}")
        return cls(**content)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the result: (height, width, channels)."""
        return self.height, self.width, self.channels

    def apply(self, photo: np.ndarray) -> np.ndarray:
        """Resize decoded pixels.

        Args:
            photo: (height, width) or (height, width, channels) uint8, with 1 channel (grey), 2
                (grey and opacity), 3 (colour) or 4 (colour and opacity). What is transparent
                becomes white.

        Returns:
            `shape` uint8. A photo of that shape is returned unchanged.

        Raises:
            UsageError: it is no such array, or has too many pixels.
        """
        pixels = coloured(photo, self.channels)
        height, width = pixels.shape[:2]
        if (height, width) == (self.height, self.width):
            return pixels
        if self.policy == "stretch":
            return resized(pixels, self.height, self.width)
        if self.policy == "crop":
            return resized(self._middle(pixels), self.height, self.width)
        return self._padded(pixels)

    def _middle(self, pixels: np.ndarray) -> np.ndarray:
        """Largest part in the middle with the proportions of the result."""
        height, width = pixels.shape[:2]
        tall = min(height, max(1, width * self.height // self.width))
        wide = min(width, max(1, height * self.width // self.height))
        top, left = (height - tall) // 2, (width - wide) // 2
        return pixels[top : top + tall, left : left + wide]

    def _padded(self, pixels: np.ndarray) -> np.ndarray:
        height, width = pixels.shape[:2]
        tall, wide = self.height, self.width
        if width * self.height >= height * self.width:
            tall = max(1, _rounded(height * self.width, width))
        else:
            wide = max(1, _rounded(width * self.height, height))
        padded = np.full(self.shape, _PAD, np.uint8)
        top, left = (self.height - tall) // 2, (self.width - wide) // 2
        padded[top : top + tall, left : left + wide] = resized(pixels, tall, wide)
        return padded


def coloured(photo: np.ndarray, channels: int) -> np.ndarray:
    """Convert pixels to (height, width, channels) uint8, grey or colour, on white.

    Raises:
        UsageError: the array is not of uint8, has another shape, or too many pixels.
    """
    pixels = photo[:, :, None] if photo.ndim == 2 else photo
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 2, 3, 4):
        raise UsageError(
            "x: a photo must be (height, width), or (height, width, channels) with 1 to 4 "
            f"channels, of bytes (uint8); got {photo.shape} {photo.dtype}"
        )
    refuse_size(pixels.shape[0], pixels.shape[1], "x")
    if pixels.shape[2] in (2, 4):
        pixels = _on_white(pixels)
    if pixels.shape[2] == channels:
        return pixels
    if channels == COLOUR:
        return np.repeat(pixels, COLOUR, axis=2)
    red, green, blue = (pixels[:, :, place].astype(np.uint32) for place in range(COLOUR))
    luma = (red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2] + 2**15) >> 16
    grey: np.ndarray = luma.astype(np.uint8)[:, :, None]
    return grey


def refuse_size(height: int, width: int, name: str) -> None:
    """Raise UsageError for a photo without pixels, or with too many."""
    if min(height, width) < 1 or max(height, width) > LIMITS.photo_length:
        raise UsageError(
            f"{name}: the sides of a photo must be 1 to {LIMITS.photo_length:,} pixels, got "
            f"{width} x {height}"
        )
    if height * width > LIMITS.photo_pixels:
        raise UsageError(
            f"{name}: has {width} x {height} pixels; at most {LIMITS.photo_pixels:,} are read. "
            "Make it smaller"
        )


def resized(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize (height, width, channels) uint8 by area averages; an enlargement is bilinear."""
    firsts, rows, row_total = _taps(pixels.shape[0], height)
    lefts, columns, column_total = _taps(pixels.shape[1], width)
    # Sums are at most 255 times the product of the totals; twice that is divided.
    kind = np.int64 if 510 * row_total * column_total >= 2**31 else np.int32
    last = pixels.shape[0] - 1
    lines: np.ndarray = np.zeros((height, *pixels.shape[1:]), np.int32)
    for tap, weights in enumerate(rows):
        lines += pixels[np.minimum(firsts + tap, last)] * weights[:, None, None]
    last = pixels.shape[1] - 1
    sums: np.ndarray = np.zeros((height, width, pixels.shape[2]), kind)
    for tap, weights in enumerate(columns):
        sums += lines[:, np.minimum(lefts + tap, last)] * weights.astype(kind)[:, None]
    total = row_total * column_total
    made: np.ndarray = ((2 * sums + total) // (2 * total)).astype(np.uint8)
    return made


def _taps(given: int, wanted: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Weights of `given` pixels in each of `wanted` ones along an axis.

    Returns:
        First pixel, (wanted,); weights of it and the following ones, (taps, wanted) int32; and the
        sum of the weights, the same for every result.
    """
    places = np.arange(wanted, dtype=np.int64)
    if given < wanted:  # bilinear, between the centres of two pixels, in 2 * wanted-ths
        centre = np.maximum((2 * places + 1) * given - wanted, 0)
        firsts = np.minimum(centre // (2 * wanted), given - 1)
        after = np.where(firsts == given - 1, 0, centre - firsts * 2 * wanted)
        return firsts, np.stack([2 * wanted - after, after]).astype(np.int32), 2 * wanted
    # The part of each pixel that the result covers, in units of 1 / wanted pixels.
    begin, end = places * given, (places + 1) * given
    firsts = begin // wanted
    taps = int(((end + wanted - 1) // wanted - firsts).max())
    pixel = (firsts + np.arange(taps)[:, None]) * wanted
    covered = np.minimum(end, pixel + wanted) - np.maximum(begin, pixel)
    return firsts, np.maximum(covered, 0).astype(np.int32), given


def _on_white(pixels: np.ndarray) -> np.ndarray:
    """Blend with white by the opacity, the last channel."""
    opacity = pixels[:, :, -1:].astype(np.uint32)
    blended = pixels[:, :, :-1] * opacity + (_WHITE - opacity) * _WHITE
    return ((2 * blended + _WHITE) // (2 * _WHITE)).astype(np.uint8)


def _rounded(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
