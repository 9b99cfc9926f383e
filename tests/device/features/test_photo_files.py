"""Image files of every kind are decoded as they look, or refused by name in bounded memory."""

from __future__ import annotations

import builtins
import contextlib
import io
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts.errors import MissingExtraError, UsageError
from edge_experts.features import resizing
from edge_experts.features.photo_files import decode_photo, read_header, read_photo
from edge_experts.features.resizing import Resizing, coloured
from edge_experts.format.limits import LIMITS
from tests.photos import encoded, png_claiming

Image = pytest.importorskip("PIL.Image")

RANDOM = np.random.default_rng(0)
PHOTO = RANDOM.integers(0, 256, (5, 7, 3), np.uint8)
SMOOTH = np.broadcast_to(
    np.linspace(0, 250, 64).astype(np.uint8)[:, None, None], (64, 48, 3)
).copy()


@pytest.mark.parametrize("form", ["PNG", "BMP", "WEBP"])
def test_lossless_formats_are_the_pixels(form: str) -> None:
    options: dict[str, Any] = {"lossless": True} if form == "WEBP" else {}
    assert np.array_equal(decode_photo(encoded(PHOTO, form, **options), "a"), PHOTO)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_exif_orientation_is_applied(form: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(SMOOTH, form, exif=exif)
    plain = decode_photo(encoded(SMOOTH, form), "a")
    wanted = {
        1: plain,
        2: plain[:, ::-1],
        3: plain[::-1, ::-1],
        4: plain[::-1],
        5: plain.transpose(1, 0, 2),
        6: np.rot90(plain, -1),
        7: plain.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(plain),
    }[orientation]
    assert np.array_equal(decode_photo(content, "a"), wanted)
    (tmp_path / "a").write_bytes(content)
    header = read_header(tmp_path / "a")
    assert (header.height, header.width) == wanted.shape[:2]


def _palette(transparent: bool) -> bytes:
    image = Image.new("P", (4, 2), 1)
    image.putpalette([0, 0, 0, 200, 10, 20])
    image.putpixel((0, 0), 0)
    content = io.BytesIO()
    image.save(content, "PNG", **({"transparency": 0} if transparent else {}))
    return content.getvalue()


def test_palettes_opacity_bits_and_cmyk() -> None:
    assert coloured(decode_photo(_palette(False), "a"), 3)[0, :2].tolist() == [
        [0, 0, 0],
        [200, 10, 20],
    ]
    assert coloured(decode_photo(_palette(True), "a"), 3)[0, :2].tolist() == [
        [255, 255, 255],
        [200, 10, 20],
    ]
    grey = decode_photo(encoded(PHOTO[:, :, 0]), "a")
    assert np.array_equal(grey[:, :, 0], PHOTO[:, :, 0])
    both = decode_photo(encoded(PHOTO[:, :, 0], mode="LA"), "a")
    assert both.shape == (5, 7, 2)
    one = decode_photo(encoded(PHOTO[:, :, 0], mode="1"), "a")
    assert set(np.unique(one)) <= {0, 255}
    deep = np.array([[0, 255, 256, 65535]], np.uint16)
    assert decode_photo(encoded(deep), "a")[0, :, 0].tolist() == [0, 0, 1, 255]
    cmyk = decode_photo(encoded(SMOOTH, "JPEG", mode="CMYK"), "a")
    assert abs(cmyk.astype(int) - SMOOTH).max() < 12
    four = np.dstack([PHOTO, np.full((5, 7), 9, np.uint8)])
    assert np.array_equal(decode_photo(encoded(four), "a"), four)


def test_an_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    for form in ("GIF", "WEBP", "PNG"):
        content = io.BytesIO()
        options = {"lossless": True} if form == "WEBP" else {}
        frames[0].save(content, form, save_all=True, append_images=frames[1:], **options)
        made = coloured(decode_photo(content.getvalue(), "a"), 3)
        assert (made == (255, 0, 0)).all(), form


def test_a_large_jpeg_is_decoded_at_a_fraction() -> None:
    large = np.kron(SMOOTH, np.ones((16, 16, 1), np.uint8))
    content = encoded(large, "JPEG", quality=95)
    wanted = Resizing(32, 32)
    small = decode_photo(content, "a", wanted)
    assert small.shape[0] < large.shape[0] / 2
    assert min(small.shape[:2]) >= 64
    whole = wanted.apply(decode_photo(content, "a"))
    assert abs(wanted.apply(small).astype(int) - whole).max() <= 4


def test_a_large_progressive_jpeg_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """libjpeg holds all coefficients of such a file, at any scale."""
    monkeypatch.setattr(resizing, "LIMITS", replace(LIMITS, photo_pixels=100_000))
    large = np.kron(SMOOTH, np.ones((16, 16, 1), np.uint8))
    wanted = Resizing(32, 32)
    assert decode_photo(encoded(large, "JPEG"), "a", wanted).shape[0] < 200
    with pytest.raises(UsageError, match="a: has 768 x 1024 pixels"):
        decode_photo(encoded(large, "JPEG", progressive=True), "a", wanted)
    small = decode_photo(encoded(SMOOTH, "JPEG", progressive=True), "a", wanted)
    assert small.shape == (64, 48, 3)


def test_a_wrong_suffix_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded(PHOTO))
    assert np.array_equal(read_photo(path), PHOTO)


ODD = {
    "nothing": (b"", "is empty"),
    "text": (b"hello world, this is no image\n", "not an image in JPEG"),
    "zeros": (bytes(1000), "not an image"),
    "half a jpeg": (encoded(SMOOTH, "JPEG")[:400], "damaged image|not an image"),
    "half a png": (encoded(PHOTO)[:60], "damaged image|not an image"),
    "half a webp": (encoded(PHOTO, "WEBP")[:40], "damaged image|not an image"),
    "half a bmp": (encoded(PHOTO, "BMP")[:60], "damaged image|not an image"),
    "a signature": (b"\xff\xd8\xff", "damaged image|not an image"),
    "a tiff": (encoded(PHOTO, "TIFF"), "not an image"),
    "an svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    "a pdf": (b"%PDF-1.4\n", "not an image"),
    "a heic": (b"\0\0\0\x18ftypheic\0\0\0\0", "convert it to JPEG"),
    "claims of 100 megapixels": (png_claiming(10_000, 10_000), "pixels; at most"),
    "claims of 4 gigapixels": (png_claiming(65_000, 65_000), "too many pixels"),
    "a line of a million": (png_claiming(1_000_000, 1), "sides of a photo"),
    "no data for its size": (png_claiming(500, 500), "damaged image"),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_files_are_refused_by_name(name: str, tmp_path: Path) -> None:
    content, reason = ODD[name]
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=rf"odd\.jpg: .*({reason})"):
            read_photo(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_folders_and_missing_files_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png"):
        with pytest.raises(UsageError, match="no such file"):
            read_photo(path)


@settings(deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF"]), st.integers(0), st.integers(1, 255))
def test_any_changed_byte_is_pixels_or_refused(form: str, position: int, flip: int) -> None:
    raw = bytearray(encoded(PHOTO, form))
    raw[position % len(raw)] ^= flip
    with contextlib.suppress(UsageError):
        made = decode_photo(bytes(raw), "a", Resizing(4, 4))
        assert made.dtype == np.uint8
        assert made.ndim == 3


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_or_pixels(raw: bytes) -> None:
    with pytest.raises(UsageError):
        decode_photo(raw, "a")


def test_without_pillow_the_command_that_installs_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = builtins.__import__

    def without(name: str, *arguments: Any, **options: Any) -> Any:
        if name.startswith("PIL"):
            raise ImportError(name)
        return plain(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError, match=r"Pillow.*edge-experts\[images\]"):
        decode_photo(b"x", "a")
