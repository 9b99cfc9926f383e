"""What models take in memory, measured where a bundle is installed, and used there."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import MemoryBudgetError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest import canonical_digest
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.memory import measured_costs
from edge_experts.updates.install import install

from ...conftest import Cli
from ...tiny import INPUTS, tiny_bundle

GUESS = 1000  # what the manifest of a tiny bundle says of each model
GUESSED = measured_costs.Costs(GUESS, (GUESS, GUESS), (GUESS, GUESS))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root in which two versions are installed that share an expert; not to be changed."""
    base = tmp_path_factory.mktemp("figures")
    for version in (1, 2):
        bundle = tiny_bundle(
            base / str(version), version=version, seeds=(version, version + 1), here=False
        )
        assert install(bundle, base / "root").unmeasured is None
    return base / "root"


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """One like it, to damage its figures."""
    return Path(shutil.copytree(made, tmp_path / "root", symlinks=True))


def test_a_root_knows_what_models_take_here(made: Path) -> None:
    manifest = read_manifest(resolve(made))
    router, experts, opening = measured_costs.known(resolve(made), manifest)
    assert manifest.router is not None
    assert router >= 2 * manifest.router.bytes > GUESS
    for cost, entry in zip(experts, manifest.experts, strict=True):
        assert cost >= 2 * entry.bytes
    assert opening == experts
    assert measured_costs.known(made / "current", manifest) == (router, experts, opening)
    with ExpertRuntime(made, memory_budget=router + max(experts)) as runtime:
        for example in INPUTS:
            pick = runtime.predict(example).expert
            assert runtime.resident_bytes == router + experts[pick]
    with pytest.raises(MemoryBudgetError):
        ExpertRuntime(made, memory_budget=router + min(experts) - 1)
    with ExpertRuntime(made, costs=[7, 7]) as runtime:
        runtime.predict(INPUTS[0])
        assert runtime.resident_bytes == router + 7


def test_a_bundle_stays_as_it_was_signed(made: Path) -> None:
    manifest = read_manifest(resolve(made))
    assert {entry.resident_bytes for entry in manifest.experts} == {GUESS}
    alone = made.parent / "2"
    assert measured_costs.known(alone, manifest) == GUESSED


def test_figures_of_versions_that_went_are_forgotten(made: Path) -> None:
    content = json.loads((made / measured_costs.FILE).read_text())
    assert len(content["bytes"]) == 4  # a router, and the experts of seeds 1, 2 and 3
    bundle = tiny_bundle(made.parent / "3", version=3, seeds=(7, 8))
    measured_costs.record(
        made,
        read_manifest(bundle),
        dict.fromkeys(("router.tflite", "experts/000.tflite", "experts/001.tflite"), 5),
        (),
    )
    assert sorted(json.loads((made / measured_costs.FILE).read_text())["bytes"].values()) == [
        5,
        5,
        5,
    ]
    (made / measured_costs.FILE).write_text(json.dumps(content))


def test_what_was_measured_is_not_measured_again(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    before = (made / measured_costs.FILE).read_bytes()
    assert install(made.parent / "2", made).unmeasured is None
    here = tiny_bundle(tmp_path / "here")
    assert install(here, tmp_path / "root").unmeasured is None
    assert not (tmp_path / "root" / measured_costs.FILE).exists()
    assert (made / measured_costs.FILE).read_bytes() == before


def test_where_nothing_can_be_measured_the_manifest_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    done = install(tiny_bundle(tmp_path / "bundle", here=False), tmp_path / "root")
    assert "a separate process failed" in str(done.unmeasured)
    with ExpertRuntime(tmp_path / "root") as runtime:
        runtime.predict(INPUTS[0])
        assert runtime.resident_bytes == 2 * GUESS


def _changed(**changes: object) -> Callable[[dict[str, Any]], bytes]:
    def change(content: dict[str, Any]) -> bytes:
        content.update(changes)
        content["digest"] = canonical_digest(content)
        return json.dumps(content).encode()

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: json.dumps(content).replace("0", "1", 1).encode(),
        lambda content: json.dumps(content).encode()[:-9],
        lambda content: b"[" * 10**5,
        lambda content: b"[]",
        lambda content: b"\xff",
        lambda content: b" " * 4_000_001,
        _changed(machine={"interpreter": "tflite_runtime", "version": "9", "machine": "riscv64"}),
        _changed(bytes=[1, 2]),
        _changed(bytes={"x": "much"}),
        _changed(bytes={"x": None}),
    ],
)
def test_figures_that_are_no_such_are_left_out(
    root: Path, damage: Callable[[dict[str, Any]], bytes]
) -> None:
    path, manifest = root / measured_costs.FILE, read_manifest(resolve(root))
    path.write_bytes(damage(json.loads(path.read_text())))
    assert measured_costs.known(resolve(root), manifest) == GUESSED
    assert not measured_costs.cover(root, manifest)


def test_a_file_that_may_not_be_read_is_left_out(root: Path) -> None:
    path, manifest = root / measured_costs.FILE, read_manifest(resolve(root))
    path.unlink()
    path.symlink_to(path)  # what reading it says is an error of the machine
    assert measured_costs.known(resolve(root), manifest).always == GUESS


def test_the_command_tells_where_it_could_not_measure(cli: Cli, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "bundle", here=False)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif 'edge_experts.subprocesses' in sys.orig_argv:\n    os._exit(1)\n"
    )
    env = {"PYTHONPATH": str(tmp_path)}
    done = cli("install", bundle, tmp_path / "root", "--json", env=env)
    assert "exit code 1" in json.loads(done.stdout)["unmeasured"]
    assert "the manifest's figures apply" in done.stderr
    done = cli("install", bundle, tmp_path / "root", "--json")
    assert json.loads(done.stdout)["unmeasured"] is None
    assert "figures" not in done.stderr
    assert done.returncode == 0, done.stderr
