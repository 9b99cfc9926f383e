"""Time of a training on 86 images of 64 x 64 pixels, once their features are in the cache."""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

from edge_experts import datasets
from edge_experts.training import train
from edge_experts.training.default_settings import config_of

from .economy import SIDE, drawings, pretrained
from .figures import Figure

_IMAGES, _LABELS = 86, ("flags", "food-and-drink")


def measure(folder: Path, alpha: float) -> list[Figure]:
    """Train twice: the first training computes the features."""
    few = folder / "86-images"
    if not few.exists():
        for label in _LABELS:
            (few / label).mkdir(parents=True)
            for path in sorted((drawings(folder) / label).iterdir())[: _IMAGES // len(_LABELS)]:
                shutil.copy(path, few / label)
    data = datasets.load(str(few), image_size=SIDE)
    config = config_of(data, backbone=str(pretrained(folder, alpha)))
    figures = []
    for name in ("features computed", "features in the cache"):
        with tempfile.TemporaryDirectory() as temporary:
            wall, cpu = time.perf_counter(), time.process_time()
            train(data, Path(temporary) / "few.run", config, pictures=False)
            figures += [
                Figure(f"86 images, {name}: training", time.perf_counter() - wall, "s"),
                Figure(f"86 images, {name}: processor time", time.process_time() - cpu, "s"),
            ]
    return figures
