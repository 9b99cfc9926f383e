"""Every command of a board with a bundle of another package's task, in processes of their own."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import running
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.memory import measured_costs
from tests.layered import INPUTS, layered_bundle, path_of

from ...conftest import Cli

pytestmark = pytest.mark.usefixtures("two_layers")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Not to be changed."""
    return layered_bundle(tmp_path_factory.mktemp("two") / "turning.bundle")


def _states() -> np.ndarray:
    return np.array([path_of(example)[0] for example in INPUTS])


def test_run_prints_the_last_states(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "points.npy", INPUTS)
    done = cli("run", bundle, "--input", tmp_path / "points.npy", "--json")
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    np.testing.assert_allclose([one["state"] for one in told], _states(), atol=1e-5)
    assert cli("run", bundle, "[2, 1]").stdout == "-1.7649 1.373\t[2, 1]\n"
    refused = cli("run", bundle, "--to", "de", "[2, 1]")
    assert refused.returncode == 2
    assert "two-layers" in refused.stderr


@pytest.mark.parametrize("options", [(), ("--memory-budget", "3000")])
def test_evaluate_reads_the_tasks_own_targets(
    cli: Cli, bundle: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    wanted = _states() + np.array([0.5, -0.5])
    data, many = tmp_path / "turning.npz", 10
    np.savez(
        data,
        x_train=np.repeat(INPUTS, many, axis=0) + np.linspace(0, 1, many * len(INPUTS))[:, None],
        y_train=np.repeat(wanted, many, axis=0),
        x_test=INPUTS,
        y_test=wanted,
    )
    done = cli("evaluate", bundle, "--data", data, "--json", *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"schema_version": "1.0", "off": 0.5, "examples": 6}


def test_verify_and_inspect(cli: Cli, bundle: Path) -> None:
    done = cli("verify", bundle)
    assert done.returncode == 0, done.stderr
    assert "6 golden examples answered as published" in done.stdout
    told = cli("inspect", bundle).stdout
    assert "experts      4, in 2 layers of 2, 2, top-1 routing in each" in told
    assert "steps        {'steps': 3}" in told
    assert "routers/001.tflite" in told
    assert "in memory for one answer: 4,000 bytes" in told
    found = json.loads(cli("inspect", bundle, "--json").stdout)
    assert found["task_spec"] == {"type": "two-layers", "config": {"steps": 3}}
    assert [layer["experts"] for layer in found["layers"]] == [2, 2]
    assert found["anatomy"]["totals"]["resident_bytes"] == 6000


def test_monitor_refuses_a_task_that_is_not_watched(cli: Cli, bundle: Path) -> None:
    done = cli("monitor", bundle, stdin="[2, 1]\n")
    assert done.returncode == 2
    assert "two-layers" in done.stderr


def test_benchmark_measures_it_without_a_reference_loop(
    cli: Cli, bundle: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    done = cli("benchmark", bundle, "--rounds", 1, "--json", "--report", page)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["name"] for row in found["rows"]] == ["sparse experts"]
    assert found["rows"][0]["growth"]["experts_visited"] == 4
    assert found["switch_cached"]["answers"] > 0
    assert page.read_text()


def test_serve_answers_as_the_runtime(bundle: Path) -> None:
    body = {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [6, 2], "data": INPUTS.ravel().tolist()}
        ]
    }
    with running(bundle) as (_, port):
        content = _ask(port, "POST", "/v2/models/turning/infer", body)
        described = _ask(port, "GET", "/v2/models/turning", None)
    scores = content["outputs"][0]
    assert (scores["name"], scores["shape"]) == ("scores", [6, 2])
    np.testing.assert_allclose(np.reshape(scores["data"], (6, 2)), _states(), atol=1e-5)
    assert [one["name"] for one in described["outputs"]] == ["scores", "expert", "degraded"]


def _ask(port: int, method: str, path: str, body: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    content = json.loads(response.read())
    assert response.status == 200, content
    connection.close()
    return content


def test_updates_carry_what_changed_and_measure_every_router(cli: Cli, tmp_path: Path) -> None:
    first = layered_bundle(tmp_path / "first.bundle", here=False)
    second = layered_bundle(tmp_path / "second.bundle", version=2, steps=2, here=False)
    key, root, update = tmp_path / "a.key", tmp_path / "root", tmp_path / "update.zip"
    assert cli("keygen", key).returncode == 0
    for one in (first, second):
        assert cli("sign", one, "--key", key).returncode == 0
    done = cli("install", first, root, "--trust", f"{key}.pub")
    assert done.returncode == 0, done.stderr
    packed = cli("pack", second, "--since", first, "--out", update)
    # Steps are no file: golden examples and the card changed, all six models stayed.
    assert "has 2 of 9 files" in packed.stdout, packed.stdout + packed.stderr
    done = cli("install", update, root)
    assert done.returncode == 0, done.stderr
    manifest = read_manifest(resolve(root))
    assert (manifest.bundle_version, len(manifest.routers)) == (2, 2)
    found = measured_costs.known(resolve(root), manifest)
    assert found.always >= sum(2 * entry.bytes for entry in manifest.routers) > 2000
    assert len(found.experts) == 4
    assert cli("rollback", root).returncode == 0
    assert cli("run", root, "[2, 1]").stdout == "-1.7649 1.373\t[2, 1]\n"
