"""Draw parts on a conveyor belt: photos to learn from, or frames as a camera sends them.

python camera.py photos           writes photos/LABEL/*.png
python camera.py frames           writes raw frames of a passing belt to stdout
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

LABELS = ("empty", "bolt", "washer")
WIDTH, HEIGHT = 160, 120


def scene(label: str, draw: np.random.Generator) -> np.ndarray:
    """A photo of the belt, (HEIGHT, WIDTH, 3) uint8: light, place and size differ each time."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    x, y = x - WIDTH / 2 - draw.uniform(-12, 12), y - HEIGHT / 2 - draw.uniform(-12, 12)
    size, turn = draw.uniform(22, 34), draw.uniform(0, np.pi)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    shape = {
        "empty": np.zeros_like(x, dtype=bool),
        "bolt": (abs(along) < size) & (abs(across) < size / 5)
        | (abs(along + size) < size / 4) & (abs(across) < size / 2.5),
        "washer": abs(np.hypot(x, y) - 0.7 * size) < 0.25 * size,
    }[label]
    belt, steel = np.array([50, 60, 55]), np.array([180, 185, 190])
    light = draw.uniform(0.7, 1.2)
    pixels = light * np.where(shape[:, :, None], steel, belt) + draw.normal(0, 6, (*x.shape, 3))
    return pixels.clip(0, 255).astype(np.uint8)


def write_photos(folder: Path, each: int = 40) -> None:
    try:
        from PIL import Image
    except ImportError:
        sys.exit("error: writing photos needs Pillow: pip install -e '.[train]'")
    draw = np.random.default_rng(0)
    for label in LABELS:
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            Image.fromarray(scene(label, draw)).save(folder / label / f"{number:03}.png")
    print(f"{folder}: {each} photos each of {', '.join(LABELS)}")


def frames() -> Iterator[bytes]:
    """Ten parts pass, each for six frames, and the empty belt between them."""
    draw = np.random.default_rng(1)
    for number in range(10):
        for label in ("empty", LABELS[1 + number % 2]):
            for _ in range(6):
                yield yuv420(scene(label, draw))


def yuv420(pixels: np.ndarray) -> bytes:
    """Planes of brightness and, at half the size, of two colour differences, as rpicam-vid's."""
    red, green, blue = np.moveaxis(pixels.astype(float), 2, 0)
    bright = 0.299 * red + 0.587 * green + 0.114 * blue  # ITU-R BT.601, full range
    planes = [bright, 128 + 0.564 * (blue - bright), 128 + 0.713 * (red - bright)]
    planes[1:] = [plane.reshape(HEIGHT // 2, 2, -1, 2).mean((1, 3)) for plane in planes[1:]]
    return b"".join(plane.round().clip(0, 255).astype(np.uint8).tobytes() for plane in planes)


if __name__ == "__main__":
    if sys.argv[1:] == ["photos"]:
        write_photos(Path("photos"))
    elif sys.argv[1:] == ["frames"]:
        for frame in frames():
            sys.stdout.buffer.write(frame)
    else:
        sys.exit(__doc__)
