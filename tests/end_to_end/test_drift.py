"""The short form of `python -m benchmarks drift`: real shifts, and none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.runtime import drift
from edge_experts import datasets
from tests.conftest import Cli


def _told(bundle: Path, shifts: dict[str, object]) -> dict[str, drift.ShiftOutcome]:
    found = drift.measure(bundle, shifts, streams=5, length=600)  # type: ignore[arg-type]
    return {one.shift: one for one in found}


def test_other_sentences_are_noticed(sentiment_bundle: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get, which fetches German texts, is not on this machine; CI has it")
    found = _told(sentiment_bundle, dict(drift.sentences()))
    assert found["none"].noticed == 0
    german = next(one for name, one in found.items() if name.startswith("German"))
    assert german.noticed == 5
    domains = [one for name, one in found.items() if name.endswith("only")]
    assert len(domains) == 4
    # How much domains differ, to so small a model, depends on what it learned; most do.
    assert sum(one.noticed == 5 for one in domains) >= 2


def test_inverted_images_are_noticed(cli: Cli, tmp_path: Path, quick_config: Path) -> None:
    if shutil.which("apt-get") is None:
        pytest.skip("apt-get, which fetches the images, is not on this machine; CI has it")
    data = datasets.load("fashion-mnist")
    arrays = {"x_train": data.train.inputs[:2500], "y_train": data.train.targets[:2500]}
    arrays |= {"x_test": data.test.inputs[:300], "y_test": data.test.targets[:300]}
    np.savez(tmp_path / "data.npz", **arrays)
    for command in (
        ("train", "--data", "data.npz", "--out", "a.run", "--experts", 3, "--config", quick_config),
        ("convert", "a.run", "--out", "a.bundle"),
    ):
        done = cli(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    test = np.asarray(data.test.inputs[:800])
    found = _told(tmp_path / "a.bundle", {"none": test, "inverted": 255 - test})
    assert found["none"].noticed == 0
    assert found["inverted"].noticed == 5
