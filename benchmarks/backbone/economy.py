"""Memory and latency of eight heads on one network, beside eight whole networks and one head.

The networks are MobileNetV2 without training: weights change neither memory nor time, and nothing
is said of accuracy.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from edge_experts.converters import convert

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.training import adopt, train
from edge_experts.training.default_settings import config_of

from ..features import emoji
from . import networks
from .figures import Figure, Use, folder_bytes, some, use

SIDE, _EXPERTS = 64, 8
_EXAMPLES = 60  # of each split


def measure(folder: Path, alpha: float) -> list[Figure]:
    """Make missing bundles in the folder, and measure them."""
    data = photos(folder)
    heads = _heads(folder, data, alpha, _EXPERTS)
    one = _heads(folder, data, alpha, 1)
    whole = _whole(folder, data, alpha)
    asked = folder / "photos.npy"
    splits = (data.train, data.validation, data.test)
    np.save(asked, np.concatenate([np.asarray(split.inputs) for split in splits]))
    free = {name: use(path, asked) for name, path in _named(heads, one, whole).items()}
    # The same memory for both: whole networks then are loaded for most answers.
    tight = use(whole, asked, _budget_of_one(whole))
    eight, all_heads = free["8 whole networks"], free["8 heads"]
    return [
        *(
            figure
            for name, path in _named(heads, one, whole).items()
            for figure in _figures(name, free[name], path)
        ),
        Figure("8 whole networks, memory for one: growth", tight.growth / 1e6, "MB"),
        Figure("8 whole networks, memory for one: answers that load", 100 * tight.loads, "%"),
        Figure("8 whole networks, memory for one: p50", tight.p50 / 1000, "ms"),
        Figure("memory: 8 whole networks / 8 heads", eight.growth / all_heads.growth),
        Figure("latency: 8 whole networks, memory for one / 8 heads", tight.p50 / all_heads.p50),
        Figure("latency: 8 whole networks in memory / 8 heads", eight.p50 / all_heads.p50),
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


def _named(heads: Path, one: Path, whole: Path) -> dict[str, Path]:
    return {"8 heads": heads, "1 head": one, "8 whole networks": whole}


def _figures(name: str, found: Use, bundle: Path) -> list[Figure]:
    manifest_models = [bundle / "router.tflite", *(bundle / "experts").iterdir()]
    return [
        Figure(f"{name}: router's file", (bundle / "router.tflite").stat().st_size, "bytes"),
        Figure(f"{name}: an expert's file", manifest_models[-1].stat().st_size, "bytes"),
        Figure(f"{name}: bundle", folder_bytes(bundle), "bytes"),
        Figure(f"{name}: experts that answered", found.visited, "experts"),
        Figure(f"{name}: growth", found.growth / 1e6, "MB"),
        Figure(f"{name}: p50", found.p50 / 1000, "ms"),
    ]


def _budget_of_one(bundle: Path) -> int:
    from edge_experts.benchmarking.measure.growth import room_for_one

    return room_for_one(bundle)


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


def _whole(folder: Path, data: Dataset, alpha: float) -> Path:
    trained, bundle = folder / "whole", folder / "8-whole.bundle"
    if bundle.exists():
        return bundle
    trained.mkdir(exist_ok=True)
    for index in range(_EXPERTS):
        path = trained / f"expert_{index}.keras"
        networks.mobile_net(path, SIDE, alpha, index + 1, len(data.labels))
    inputs: Any = data.train.inputs
    networks.router(trained / "router.keras", np.asarray(inputs), _EXPERTS)
    adopt(trained, data, folder / "8-whole.run", force=True)
    convert(folder / "8-whole.run", bundle, quantization="int8", max_accuracy_drop=100)
    return bundle
