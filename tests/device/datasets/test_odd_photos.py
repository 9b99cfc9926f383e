"""A folder with every odd file that people have: each is used or named, in bounded memory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.photos import encoded, png_claiming, write_photos

Image = pytest.importorskip("PIL.Image")

_EACH = 20
_GROWTH = 150_000_000  # bytes; the 100 megapixels of one file are 300 MB as pixels of colours

# Loads the folder in a process of its own: Pillow's memory is not Python's.
_LOAD = """
import json, sys
import numpy as np
from edge_experts import datasets
from edge_experts.runtime.memory import process_memory
from PIL import Image
process_memory.reset_peak()
base = process_memory.read().resident
found = datasets.load(sys.argv[1])
growth = process_memory.read().peak - base
rows = {name: len(getattr(found, name)) for name in ("train", "validation", "test")}
print(json.dumps({"labels": found.labels, "rows": rows, "notes": found.notes, "growth": growth}))
"""


def _photo(place: int) -> np.ndarray:
    """Different pixels for each file, so that none is a near-duplicate."""
    random = np.random.default_rng(place)
    coarse = random.integers(0, 256, (6, 7, 3), np.uint8)
    return np.kron(coarse, np.ones((9, 8, 1), np.uint8))


def _animated(place: int, form: str) -> bytes:
    frames = [Image.fromarray(_photo(place + shift)) for shift in (0, 500)]
    content = io.BytesIO()
    frames[0].save(content, form, save_all=True, append_images=frames[1:])
    return content.getvalue()


def _turned(place: int, orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(_photo(place), "JPEG", exif=exif)


def _palette(place: int) -> bytes:
    image = Image.fromarray(_photo(place)).quantize(16)
    content = io.BytesIO()
    image.save(content, "PNG", transparency=0)
    return content.getvalue()


def _large_jpeg() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (10_000, 10_000), (200, 30, 60)).save(content, "JPEG", quality=30)
    return content.getvalue()


def _used() -> dict[str, bytes]:
    """Files that are photos, by their names within a label's folder."""
    photo = _photo
    deep = np.random.default_rng(3).integers(0, 65536, (40, 50)).astype(np.uint16)
    return {
        "png named.jpg": encoded(photo(0)),
        "jpeg named.png": encoded(photo(1), "JPEG"),
        "UPPER.JPG": encoded(photo(2), "JPEG"),
        "100 megapixels.jpg": _large_jpeg(),
        "animated.gif": _animated(3, "GIF"),
        "animated.webp": _animated(4, "WEBP"),
        "animated.png": _animated(5, "PNG"),
        "cmyk.jpg": encoded(photo(6), "JPEG", mode="CMYK"),
        "16 bits.png": encoded(deep),
        "grey.jpg": encoded(photo(7), "JPEG", mode="L"),
        "grey and opacity.png": encoded(photo(8), mode="LA"),
        "opacity.png": encoded(photo(9), mode="RGBA"),
        "palette.png": _palette(10),
        "one bit.png": encoded(photo(11), mode="1"),
        "progressive.jpg": encoded(photo(12), "JPEG", progressive=True),
        "one pixel.png": encoded(photo(13)[:1, :1]),
        "a line.png": encoded(np.tile(photo(14)[:1], (1, 100, 1))),
        "bitmap.bmp": encoded(photo(15), "BMP"),
        "damaged exif.jpg": encoded(photo(16), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff"),
        'it\'s "one" ; $(x) 😀.png': encoded(photo(17)),
        "two\nlines.png": encoded(photo(18)),
        "deeper/and/still deeper/a.png": encoded(photo(19)),
        "folder.png/b.png": encoded(photo(20)),
        **{f"turned {way}.jpg": _turned(20 + way, way) for way in range(1, 9)},
        "turned 99.jpg": _turned(29, 99),
    }


REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing.jpg": (b"", "is empty"),
    "zeros.png": (bytes(1000), "not an image"),
    "text.jpg": (b"hello, this is no image\n", "not an image"),
    "page.png": (b"<!DOCTYPE html><html>404 not found</html>", "not an image"),
    "drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image"),
    "scan.jpg": (encoded(_photo(30), "TIFF"), "not an image"),
    "phone.jpg": (b"\0\0\0\x18ftypheic\0\0\0\0", "convert it to JPEG"),
    "half a jpeg.jpg": (encoded(_photo(31), "JPEG")[:700], "damaged|not an image"),
    "half a png.png": (encoded(_photo(32))[:90], "damaged|not an image"),
    "half a webp.webp": (encoded(_photo(33), "WEBP")[:80], "damaged|not an image"),
    "half a bmp.bmp": (encoded(_photo(34), "BMP")[:900], "damaged|not an image"),
    "100 megapixels.png": (png_claiming(10_000, 10_000), "pixels"),
    "4 gigapixels.png": (png_claiming(65_000, 65_000), "too many pixels"),
    "a thin million.png": (png_claiming(1_000_000, 1), "sides of a photo"),
}


def test_each_odd_file_is_used_or_named(tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos", _EACH)
    odd = folder / "disc"
    used = _used()
    assert len(used) + len(REFUSED) >= 40
    for name, content in used.items():
        (odd / name).parent.mkdir(parents=True, exist_ok=True)
        (odd / name).write_bytes(content)
    for name, (content, _) in REFUSED.items():
        (odd / name).write_bytes(content)
    _leave_more(folder)
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:surrogateescape"}
    done = subprocess.run(
        [sys.executable, "-c", _LOAD, folder], capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["labels"] == ["disc", "square", "stripes"]
    # The last is the one with a name that is no UTF-8.
    assert sum(found["rows"].values()) == 3 * _EACH + len(used) + 1
    told = "\n".join(found["notes"])
    assert (
        f"{len(REFUSED)} of {3 * _EACH + len(used) + len(REFUSED) + 1} photos cannot be read"
        in told
    )
    assert "1 photo outside of a label's folder left out: outside.png" in told
    assert "1 .txt" in told
    assert found["growth"] < _GROWTH


def _leave_more(folder: Path) -> None:
    """What is no photo of a label: hidden, links, a pipe, and others."""
    odd = folder / "disc"
    (odd / ".hidden.png").write_bytes(b"x")
    (odd / "._resource.jpg").write_bytes(b"x")
    (odd / ".DS_Store").write_bytes(b"x")
    (odd / "Thumbs.db").write_bytes(b"x")
    (odd / "notes.txt").write_text("no photo")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._1.jpg").write_bytes(b"x")
    (folder / "empty").mkdir()
    (folder / "outside.png").write_bytes(encoded(_photo(40)))
    (folder / "loop").symlink_to(folder)
    (odd / "loop").symlink_to(odd)
    (odd / "itself").symlink_to(odd / "itself")
    (odd / "dangling.png").symlink_to(folder / "none.png")
    os.mkfifo(odd / "pipe.png")  # reading it would never end
    with Path(os.fsdecode(bytes(odd) + b"/\xff\xfe.png")).open("wb") as file:
        file.write(encoded(_photo(41)))


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_file_is_named_with_its_reason(name: str, tmp_path: Path) -> None:
    from edge_experts.errors import UsageError
    from edge_experts.features.photo_files import read_photo

    content, reason = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=rf"{name}: .*({reason})"):
        read_photo(tmp_path / name)
