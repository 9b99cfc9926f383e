"""Memory and latency of eight heads on one network, beside eight whole networks and one head.

Each of the whole networks answers its share of the photos, without a router before it; and, as an
ensemble, all of them answer each photo.

The networks are MobileNetV2 without training: weights change neither memory nor time, and nothing
is said of accuracy.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from edge_experts.converters import convert

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.training import adopt, train
from edge_experts.training.default_settings import config_of

from ..features import emoji
from . import networks
from .figures import Figure, Use, some, use

SIDE, _EXPERTS = 64, 8
_EXAMPLES = 60  # of each split


def measure(folder: Path, alpha: float) -> list[Figure]:
    """Make missing bundles in the folder, and measure them."""
    data, asked = photos(folder), folder / "photos.npy"
    heads, one = (_heads(folder, data, alpha, experts) for experts in (_EXPERTS, 1))
    whole = _whole(folder, data, alpha)
    splits = (data.train, data.validation, data.test)
    np.save(asked, np.concatenate([np.asarray(split.inputs) for split in splits]))
    all_heads, one_head = use(heads, asked), use(one, asked)
    eight = use(whole, asked, bundles=_EXPERTS)
    together = use(_together(folder), asked)
    apart = use(whole, asked, bundles=_EXPERTS, every=True)
    # With room for one network at a time, most answers load theirs.
    room = read_manifest(whole).experts[0].resident_bytes
    loaded = use(whole, asked, bundles=_EXPERTS, budget=room)
    return [
        *_figures("8 heads", all_heads, heads),
        *_figures("1 head", one_head, one),
        Figure("a whole network: its file", (whole / "experts/000.tflite").stat().st_size, "bytes"),
        *_use("8 whole networks", eight),
        *_use("8 whole networks, room for one", loaded),
        *_use("all 8 heads answer each photo", together),
        *_use("all 8 whole networks answer each photo", apart),
        Figure("memory: all 8 whole networks / all 8 heads", apart.growth / together.growth),
        Figure("processor time: all 8 whole networks / all 8 heads", apart.p50 / together.p50),
        Figure("memory: 8 whole networks / 8 heads", eight.growth / all_heads.growth),
        Figure(
            "processor time: 8 whole networks, room for one / 8 heads", loaded.p50 / all_heads.p50
        ),
        Figure("time: 8 whole networks / 8 heads", eight.p50 / all_heads.p50),
    ]


def photos(folder: Path) -> Dataset:
    """Some emoji of Twemoji as a data set: enough to calibrate."""
    whole = datasets.load(str(drawings(folder)), image_size=SIDE)
    return replace(
        whole,
        train=some(whole.train, _EXAMPLES),
        validation=some(whole.validation, _EXAMPLES),
        test=some(whole.test, _EXAMPLES),
    )


def drawings(folder: Path) -> Path:
    """Folder of the emoji's files."""
    if not (folder / "emoji").exists():
        emoji.write(folder / "emoji")
    return folder / "emoji"


def pretrained(folder: Path, alpha: float) -> Path:
    return networks.mobile_net(folder / f"mobilenet-{alpha}.keras", SIDE, alpha, seed=0)


def _figures(name: str, found: Use, bundle: Path) -> list[Figure]:
    return [
        Figure(f"{name}: router's file", (bundle / "router.tflite").stat().st_size, "bytes"),
        Figure(f"{name}: a head's file", (bundle / "experts/000.tflite").stat().st_size, "bytes"),
        *_use(name, found),
    ]


def _use(name: str, found: Use) -> list[Figure]:
    return [
        Figure(f"{name}: networks that answered", found.visited),
        Figure(f"{name}: answers that load", 100 * found.loads, "%"),
        Figure(f"{name}: growth", found.growth / 1e6, "MB"),
        Figure(f"{name}: processor time, p50", found.p50 / 1000, "ms"),
    ]


def _heads(folder: Path, data: Dataset, alpha: float, experts: int) -> Path:
    run, bundle = folder / f"{experts}-heads.run", folder / f"{experts}-heads.bundle"
    if bundle.exists():
        return bundle
    config = config_of(
        data,
        backbone=str(pretrained(folder, alpha)),
        experts=experts,
        measure_gain=False,
        router="random",  # an untrained network leaves nothing to learn, and all heads must answer
        epochs=2,
        choice_epochs=2,
    )
    train(data, run, config, force=True, pictures=False)
    convert(run, bundle, quantization="int8", max_accuracy_drop=100)
    return bundle


def _together(folder: Path) -> Path:
    """The heads as an ensemble: all of them answer each photo."""
    bundle = folder / "8-heads-together.bundle"
    if not bundle.exists():
        run = folder / f"{_EXPERTS}-heads.run"
        convert(run, bundle, quantization="int8", top_k=_EXPERTS, max_accuracy_drop=100)
    return bundle


def _whole(folder: Path, data: Dataset, alpha: float) -> Path:
    """One whole network, which is opened eight times: weights change neither memory nor time."""
    bundle = folder / "whole.bundle"
    if not bundle.exists():
        path = folder / "whole.keras"
        networks.mobile_net(path, SIDE, alpha, 1, len(data.labels))
        adopt(path, data, folder / "whole.run", force=True)
        convert(folder / "whole.run", bundle, quantization="int8", max_accuracy_drop=100)
    return bundle
