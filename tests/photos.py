"""Folders of drawn photos, and image files of every odd kind."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np

LABELS = ("disc", "square", "stripes")
_FORMATS = (".jpg", ".png", ".webp", ".bmp")


def encoded(
    pixels: np.ndarray, form: str = "PNG", mode: str | None = None, **options: Any
) -> bytes:
    """An image file of (height, width[, channels]) pixels."""
    from PIL import Image

    image = Image.fromarray(pixels)
    content = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(content, form, **options)
    return content.getvalue()


def drawn(label: str, random: np.random.Generator) -> np.ndarray:
    """A photo of one of `LABELS`: another size, place, colour and noise each time."""
    height, width = random.integers(40, 90, 2).tolist()
    y, x = np.mgrid[:height, :width]
    middle_y, middle_x = height * random.uniform(0.4, 0.6), width * random.uniform(0.4, 0.6)
    radius = min(height, width) * random.uniform(0.2, 0.35)
    away_y, away_x = abs(y - middle_y), abs(x - middle_x)
    shape = {
        "disc": np.hypot(away_y, away_x) < radius,
        "square": np.maximum(away_y, away_x) < radius,
        "stripes": (y // max(3, int(radius / 3))) % 2 == 0,
    }[label]
    back, front = random.uniform(0, 110, 3), random.uniform(140, 255, 3)
    pixels = np.where(shape[:, :, None], front, back) + random.normal(0, 6, (height, width, 3))
    made: np.ndarray = pixels.clip(0, 255).astype(np.uint8)
    return made


def write_photos(folder: Path, each: int = 40, seed: int = 0) -> Path:
    """A folder of photos of `LABELS`, in four file formats."""
    random = np.random.default_rng(seed)
    forms = {".jpg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".bmp": "BMP"}
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for place in range(each):
            suffix = _FORMATS[place % len(_FORMATS)]
            content = encoded(drawn(label, random), forms[suffix])
            (folder / label / f"{place:03}{suffix}").write_bytes(content)
    return folder


def png_claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its few bytes do not have."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rest = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + rest
