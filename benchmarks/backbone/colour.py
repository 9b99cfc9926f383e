"""Accuracy, bytes, memory and latency on real photos, with a network pretrained on drawings.

The network is trained on the 1,906 emoji of Twemoji, by category, and its features are those of the
278 photographs of Tux Paint's stamps. Beside it: the same network untrained and frozen, and trained
from scratch on the photos. All are measured as deployed, in int8.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from edge_experts.converters import convert

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.training import adopt

from ..features import cutouts
from . import networks
from .economy import SIDE, drawings
from .figures import Figure, folder_bytes, use
from .transfer import fit, trained_heads

import tf_keras  # isort: skip

_EXPERTS = 4
_SHAPE = (SIDE, SIDE, 3)


def measure(folder: Path, epochs: int) -> list[Figure]:
    """Make what is missing in the folder, and measure it."""
    data, asked = photos(folder), folder / "cutouts.npy"
    splits = (data.train, data.validation, data.test)
    np.save(asked, np.concatenate([np.asarray(split.inputs) for split in splits]))
    network, untrained = pretrained(folder, epochs), folder / "untrained-colour.keras"
    if not untrained.exists():
        tf_keras.utils.set_random_seed(1)
        networks.small_network(len(data.labels), _SHAPE).save(untrained)
    counts = np.bincount(data.test.targets)
    figures = [
        Figure("test photos", len(data.test)),
        Figure("share of the most frequent label", counts.max() / counts.sum()),
    ]
    for name, path, heads in (
        (f"pretrained, {_EXPERTS} heads", network, _EXPERTS),
        ("pretrained, 1 head", network, 1),
        ("untrained and frozen, 1 head", untrained, 1),
    ):
        run = trained_heads(folder, data, path, heads)
        figures += _figures(name, run, asked)
    run = _from_scratch(folder, data, epochs)
    figures += _figures("1 whole network, from scratch", run, asked)
    return figures + _figures(f"{_EXPERTS} whole networks", run, asked, _EXPERTS)


def photos(folder: Path) -> Dataset:
    """The photos as a data set."""
    if not (folder / "cutouts").exists():
        cutouts.write(folder / "cutouts")
    return datasets.load(str(folder / "cutouts"), image_size=SIDE)


def pretrained(folder: Path, epochs: int) -> Path:
    """The network, trained on emoji."""
    path = folder / "emoji.keras"
    if not path.exists():
        whole = datasets.load(str(drawings(folder)), image_size=SIDE)
        tf_keras.utils.set_random_seed(0)
        network = networks.small_network(len(whole.labels), _SHAPE)
        fit(network, whole.train, whole.validation, epochs)
        network.save(path)
    return path


def _from_scratch(folder: Path, data: Dataset, epochs: int) -> Path:
    path, run = folder / "scratch-colour.keras", folder / "scratch-colour.run"
    if not path.exists():
        tf_keras.utils.set_random_seed(2)
        network = networks.small_network(len(data.labels), _SHAPE)
        fit(network, data.train, data.validation, epochs)
        network.save(path)
    adopt(path, data, run, force=True)
    return run


def _figures(name: str, run: Path, asked: Path, bundles: int = 1) -> list[Figure]:
    bundle = run.with_name(f"{run.stem}-int8.bundle")
    found = convert(run, bundle, quantization="int8", max_accuracy_drop=100, force=True)
    used = use(bundle, asked, bundles=bundles)
    models = sum(path.stat().st_size for path in bundle.rglob("*.tflite"))
    return [
        *([Figure(f"{name}: accuracy", found.test_accuracy)] if bundles == 1 else []),
        Figure(f"{name}: models", bundles * models, "bytes"),
        Figure(f"{name}: bundle", bundles * folder_bytes(bundle), "bytes"),
        Figure(f"{name}: networks that answered", used.visited),
        Figure(f"{name}: growth", used.growth / 1e6, "MB"),
        Figure(f"{name}: processor time, p50", used.p50 / 1000, "ms"),
    ]
