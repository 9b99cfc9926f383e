"""Work spread over two Dask workers on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.cluster import spread
from edge_experts.errors import CheckpointError, MachineError, NetworkError
from tests import checkpoints

distributed: Any = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster.scheduler_address


def test_results_come_with_their_places(address: str, tmp_path: Path) -> None:
    found = dict(spread(address, pow, [(2, 3), (5, 2), (7, 1)], tmp_path))
    assert found == {0: 8, 1: 25, 2: 7}
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_a_worker_is_raised_here(address: str, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        list(spread(address, divmod, [(1, 1), (1, 0)], tmp_path))


def test_a_call_that_ends_its_process_is_an_error_of_the_machine(
    address: str, tmp_path: Path
) -> None:
    with pytest.raises(MachineError, match="the process of a call ended with 3"):
        list(spread(address, os._exit, [(3,)], tmp_path))
    assert dict(spread(address, pow, [(2, 2)], tmp_path)) == {0: 4}


def test_an_address_without_a_scheduler_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_experts.cluster._PATIENCE", 1)
    with pytest.raises(NetworkError, match=r"--scheduler tcp://127\.0\.0\.1:9: no Dask scheduler"):
        list(spread("tcp://127.0.0.1:9", pow, [(1, 1)], tmp_path))
    with pytest.raises(NetworkError, match="--scheduler nonsense://: no Dask scheduler"):
        list(spread("nonsense://", pow, [(1, 1)], tmp_path))


def test_a_cluster_writes_the_bundle_that_one_machine_writes(
    address: str, keras: Any, tmp_path: Path
) -> None:
    from edge_experts.converters.checkpoints import convert_checkpoint

    source = checkpoints.copied("granite", tmp_path / "granite")
    here, there = (
        convert_checkpoint(
            source, tmp_path / f"{name}.bundle", quantization="float32", scheduler=scheduler
        ).manifest
        for name, scheduler in (("here", None), ("there", address))
    )
    assert [one.sha256 for one in here.models] == [one.sha256 for one in there.models]
    assert {path.name for path in (tmp_path / "there.bundle").iterdir()} == {
        path.name for path in (tmp_path / "here.bundle").iterdir()
    }


def test_a_damaged_checkpoint_is_refused_by_a_worker(
    address: str, keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters.checkpoints import convert_checkpoint

    source = checkpoints.copied("granite", tmp_path / "granite")
    weights = source / "model.safetensors"
    raw = weights.read_bytes()
    weights.write_bytes(raw[:-64] + b"\xff" * 64)  # not finite
    with pytest.raises(CheckpointError, match=r"model\.safetensors: .* not finite"):
        convert_checkpoint(source, tmp_path / "a.bundle", quantization="float32", scheduler=address)
    assert not (tmp_path / "a.bundle").exists()


def test_a_cluster_compares_as_one_machine_does(address: str, keras: Any, tmp_path: Path) -> None:
    from edge_experts.datasets import from_arrays
    from edge_experts.experiments.comparison import compare
    from edge_experts.training import TrainConfig

    random = np.random.default_rng(0)
    x = random.normal(size=(400, 4)).astype(np.float32)
    y = (x[:, 0] * x[:, 1] > 0).astype(int)
    dataset = from_arrays("signs", x[:300], y[:300], x[300:], y[300:])
    config = TrainConfig(experts=2, epochs=2, warm_epochs=1, choice_epochs=1, tune_epochs=1)
    here, there = (
        compare(
            dataset,
            tmp_path / name,
            config=config,
            seeds=(0, 1),
            rows=["sparse"],
            scheduler=scheduler,
        )
        for name, scheduler in (("here", None), ("there", address))
    )
    for ours, theirs in zip(here.rows, there.rows, strict=True):
        assert ours.name == theirs.name
        assert [one.scores["accuracy"] for one in ours.seeds] == pytest.approx(
            [one.scores["accuracy"] for one in theirs.seeds], abs=0.05
        )
