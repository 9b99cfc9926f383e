"""Bundles as firmware of an emulated Cortex-M4: features, networks and dispatch beside Python's.

It needs a checkout of TensorFlow Lite Micro, which no package has: see micro_library.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge_experts.features import SoundFeatures, read_features
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli
from ...sounds import LABELS, made, noise, write_sounds
from ..micro_firmware import on_board, outputs
from ..micro_library import CHECKOUT
from .test_c_source import answers
from .test_c_streams import motion_source, source_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        CHECKOUT not in os.environ,
        reason=f"{CHECKOUT} names no checkout of TensorFlow Lite Micro: see micro_library.py",
    ),
]
_EXAMPLES = 24


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for firmware; the library in it is compiled once."""
    return tmp_path_factory.mktemp("board")


def _assert_same_on_board(folder: Path, source: Path, examples: np.ndarray, board: Path) -> None:
    bundle = folder / "a.bundle"
    wanted = answers(bundle, source, examples=examples)
    labels = len(read_manifest(bundle).labels)
    checkout = Path(os.environ[CHECKOUT]).resolve()
    found = on_board(checkout, source, examples, labels, board)
    assert len(set(found.experts)) > 1
    assert np.array_equal(found.encoded, wanted["encoded"])
    assert found.raw == outputs(wanted, found.experts)
    assert np.array_equal(found.experts, wanted["c_experts"])
    assert np.array_equal(found.labels, wanted["c_labels"])
    assert np.abs(found.scores - wanted["c_scores"]).max() < 1e-6


def test_sounds(tmp_path: Path, cli: Cli, board: Path) -> None:
    write_sounds(tmp_path / "sounds", 36)
    source = source_of(tmp_path, cli, "--data", "sounds/")
    bundle = tmp_path / "a.bundle"
    features = read_features(bundle, read_manifest(bundle).features)
    assert isinstance(features, SoundFeatures)
    random = np.random.default_rng(7)
    sounds = [made(LABELS[place % 3], random)[:, 0] for place in range(_EXAMPLES - 4)]
    sounds += [noise(0.5, random)[:, 0] for _ in range(4)]
    windows = np.array([features.window(one) for one in sounds])
    _assert_same_on_board(tmp_path, source, windows, board)


def test_sensors(tmp_path: Path, cli: Cli, board: Path) -> None:
    source, data = motion_source(tmp_path, cli, stride=32)
    windows = np.asarray(data.train.inputs)[:_EXAMPLES].astype(np.float32)
    _assert_same_on_board(tmp_path, source, windows, board)
