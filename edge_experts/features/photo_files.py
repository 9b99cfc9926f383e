"""Image files to pixels, by Pillow, in bounded memory.

JPEG decoders differ in the last bits, so the pixels of one file can differ between machines. What
follows, resizing and standardization, does not.
"""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingExtraError, UsageError
from ..format.limits import LIMITS
from .file_names import is_file
from .resizing import Resizing, refuse_size

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
_WORDS = "JPEG, PNG, WebP, BMP or GIF"
_FINER = 2  # a JPEG is decoded at an eighth, a quarter or half of its size, if twice the result
_ORIENTATION = 0x0112  # the EXIF tag
_GREY = ("1", "L", "LA", "La")
_WIDE = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # modes with 16 bits or more
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc", b"ftypavif")


def is_photo_name(name: str) -> bool:
    """Test if the name ends as those of image files do."""
    return name.lower().endswith(SUFFIXES)


@dataclass(frozen=True)
class PhotoHeader:
    """Size of a photo after the rotation that EXIF states, and if it has no colours."""

    height: int
    width: int
    is_grey: bool


def read_header(path: Path) -> PhotoHeader:
    """Read the size of an image file, without decoding it.

    Raises:
        UsageError: the file is no image.
        MissingExtraError: Pillow is not installed.
    """
    with _opened(read_content(path), str(path)) as image:
        width, height = image.size
        if _orientation(image) > 4:
            height, width = width, height
        return PhotoHeader(height, width, image.mode in (*_GREY, *_WIDE))


def read_photo(path: Path, resizing: Resizing | None = None) -> np.ndarray:
    """Decode an image file; see `decode_photo`.

    Raises:
        UsageError: the file does not exist, is no image, or too large; names it.
        MissingExtraError: Pillow is not installed.
    """
    return decode_photo(read_content(path), str(path), resizing)


def decode_photo(content: bytes, name: str, resizing: Resizing | None = None) -> np.ndarray:
    """Decode an image: JPEG, PNG, WebP, BMP or GIF, the first frame of an animated one.

    It is turned as EXIF says. Palettes and CMYK become colours, 16 bits become 8. Colour profiles
    are not applied.

    Args:
        name: for errors.
        resizing: what follows. A large JPEG is decoded at a fraction of its size, at least twice
            the size of the result, which takes less time and memory.

    Returns:
        (height, width, channels) uint8; 1 channel for grey, 2 for grey and opacity, 3 for colour, 4
        for colour and opacity.

    Raises:
        UsageError: it is no such image, damaged, or has too many pixels.
        MissingExtraError: Pillow is not installed.
    """
    with _opened(content, name) as image:
        try:
            if image.info.get("progressive"):
                # It is held as a whole in any case, three numbers of 16 bits for each pixel.
                refuse_size(image.size[1], image.size[0], name)
            if resizing is not None:
                side = _FINER * max(resizing.height, resizing.width)
                image.draft(None, (side, side))
            refuse_size(image.size[1], image.size[0], name)
            orientation = _orientation(image)
            pixels = _pixels(image)
        except UsageError:
            raise
        except Exception as error:  # Pillow raises many classes for damaged files
            raise UsageError(f"{name}: a damaged image: {_said(error)}") from None
    return _turned(pixels, orientation)


def read_content(path: Path) -> bytes:
    """Read an image file of bounded size.

    Raises:
        UsageError: it does not exist, or is empty.
    """
    if not is_file(path):
        raise UsageError(f"{path!s:.300}: no such file")
    try:
        with path.open("rb") as file:
            # Reading allocates what is asked for.
            size = os.fstat(file.fileno()).st_size
            content = file.read(min(size, LIMITS.photo_bytes) + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    if not content:
        raise UsageError(f"{path}: is empty")
    return content


def _opened(content: bytes, name: str) -> Any:
    """Open an image, without decoding it."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError("Pillow, which reads image files,", "images") from None
    if len(content) > LIMITS.photo_bytes:
        raise UsageError(f"{name}: an image file must have at most {LIMITS.photo_bytes:,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own limit of pixels, above ours
            return Image.open(io.BytesIO(content), formats=_FORMATS)
    except Exception as error:  # Pillow raises many classes for damaged files
        if isinstance(error, Image.DecompressionBombError):
            raise UsageError(
                f"{name}: has too many pixels; at most {LIMITS.photo_pixels:,} are read. Make it "
                "smaller"
            ) from None
        remedy = "; convert it to JPEG" if content[4:12] in _HEIC else ""
        raise UsageError(f"{name}: not an image in {_WORDS}{remedy}") from None


def _orientation(image: Any) -> int:
    """EXIF orientation, 1 to 8; 1 if there is none, or it is damaged."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # Pillow raises many classes for damaged metadata
        return 1
    return value if type(value) is int and 1 <= value <= 8 else 1


def _pixels(image: Any) -> np.ndarray:
    """Decode to (height, width, channels) uint8."""
    if image.mode in _WIDE:
        wide = np.nan_to_num(np.asarray(image, np.float64))
        return (np.clip(wide, 0, 65535).astype(np.uint32) >> 8).astype(np.uint8)[:, :, None]
    has_opacity = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if image.mode in _GREY:
        target = "LA" if has_opacity else "L"
    else:
        target = "RGBA" if has_opacity else "RGB"
    pixels = np.asarray(image if image.mode == target else image.convert(target))
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turn and mirror as the EXIF orientation says (CIPA DC-008, 4.6.5.1.6)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
