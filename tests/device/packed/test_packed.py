"""Packed experts: the bits of plain interpreters in every way of loading, or a refusal."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from edge_experts import subprocesses
from edge_experts.errors import BundleError, MachineError
from edge_experts.format.archive import pack as pack_archive
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.packed import sidecars
from edge_experts.updates import packed_experts
from edge_experts.updates.install import install

from ...conftest import Cli, Shared
from ...tiny import tiny_bundle
from . import scenarios
from .conftest import installed, made, run


def test_the_same_bits_by_every_scheme_and_budget(shared: Shared, quantization: str) -> None:
    root = installed(shared, quantization)
    run(scenarios.every_scheme_and_budget, root)


def test_a_damaged_sidecar_is_packed_again(root: Path) -> None:
    run(scenarios.every_sidecar_damaged, root)


def test_an_expert_without_intact_files_is_refused(root: Path) -> None:
    folder = root / "versions" / (root / "current").readlink().name
    run(scenarios.original_lost, root, folder)


def test_sidecars_of_another_machine_are_ignored(root: Path) -> None:
    run(scenarios.other_machines, root)


def test_wrong_weights_that_the_index_vouches_for_never_answer(root: Path) -> None:
    run(scenarios.weights_of_another_processor, root)


def test_threads_share_slots(root: Path) -> None:
    run(scenarios.threads_and_slots, root)


def test_interpreters_are_used_where_they_are_faster_and_fit(root: Path) -> None:
    run(scenarios.faster_interpreters, root)


def test_a_slot_that_does_not_follow_is_noticed(root: Path) -> None:
    run(scenarios.frozen_slots, root)


def test_a_forked_process_does_not_share_slots(root: Path) -> None:
    run(scenarios.forked, root)


def test_a_budget_too_small_for_slots(root: Path) -> None:
    run(scenarios.tight, root)


def test_kill_while_packing(small_bundle: Path, tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "root"
    assert cli("install", small_bundle, root, "--no-packed").returncode == 0
    assert not (root / sidecars.FOLDER).exists()
    with pytest.raises(BundleError, match="SIGKILL"):
        subprocesses.call(scenarios.killed_while_packing, small_bundle, root)
    assert len(list((root / sidecars.FOLDER).glob("*.xnnpack"))) == 3
    run(scenarios.after_the_kill, small_bundle, root)


def test_a_process_that_litert_ends_leaves_a_plain_bundle(
    small_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    ending = tmp_path / "python"
    ending.write_text("#!/bin/sh\nkill -ILL $$\n")
    ending.chmod(0o755)
    assert cli("install", small_bundle, tmp_path / "root", "--no-packed").returncode == 0
    place = SimpleNamespace(path=tmp_path / "root", folder=lambda name: tmp_path / name)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(ending))
        done = packed_experts.pack(place, "1", [])  # type: ignore[arg-type]
        from edge_experts.runtime.packed import support

        assert "SIGILL" in support.problem()
    assert done.experts == 0
    assert "SIGILL" in done.reason


def test_sidecars_stay_on_their_board(root: Path, tmp_path: Path, cli: Cli) -> None:
    current = root / (root / "current").readlink()
    before = {path.name for path in current.iterdir()}
    assert cli("verify", root).returncode == 0
    archive = tmp_path / "a.zip"
    pack_archive(current, archive)
    import zipfile

    with zipfile.ZipFile(archive) as opened:
        assert not [name for name in opened.namelist() if "xnnpack" in name or "packed" in name]
    # A bundle that brings some: nothing but what its manifest lists is installed.
    foreign = Path(shutil.copytree(current, tmp_path / "foreign"))
    shutil.copytree(root / sidecars.FOLDER, foreign / sidecars.FOLDER)
    done = cli("install", foreign, tmp_path / "elsewhere", "--no-packed", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["packed"] == {"experts": 0, "bytes": 0}
    assert not list((tmp_path / "elsewhere").rglob("*.xnnpack"))
    assert {path.name for path in current.iterdir()} == before


def test_what_the_disk_must_hold_is_checked_first(
    shared: Shared,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from edge_experts.format.manifest_parser import read_manifest

    manifest = read_manifest(made(shared, "int8"))
    place = SimpleNamespace(path=tmp_path)
    assert packed_experts.plan(place, manifest, None, 0) == packed_experts.NONE  # type: ignore[arg-type]
    monkeypatch.setattr(packed_experts, "SMALLEST", 1)
    assert packed_experts.plan(place, manifest, None, 0) is None  # type: ignore[arg-type]
    assert "Packing 8 experts will take" in capsys.readouterr().err
    full = SimpleNamespace(free=100_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    found = packed_experts.plan(place, manifest, None, 95_000)  # type: ignore[arg-type]
    assert found is not None
    assert "more bytes and 100,000 are free" in found.reason
    with pytest.raises(MachineError, match="make room, or install with --no-packed"):
        packed_experts.plan(place, manifest, True, 95_000)  # type: ignore[arg-type]


def test_an_update_keeps_what_it_can(root: Path, cli: Cli) -> None:
    folder = root / sidecars.FOLDER
    paths = sorted(folder.glob("*.xnnpack"))
    paths[0].write_bytes(b"damaged")
    (folder / "left.by.another.version").write_bytes(b"")
    whole = {path: path.stat().st_mtime_ns for path in paths[1:]}
    done = cli("install", root, root, "--packed", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["packed"]["experts"] == 8
    assert {path: path.stat().st_mtime_ns for path in whole} == whole
    assert paths[0].stat().st_size > 100
    assert len(list(folder.iterdir())) == 9
    assert cli("install", root, root, "--no-packed").returncode == 0
    assert not folder.exists()


def test_a_scheme_that_is_not_possible_is_refused(root: Path, small_bundle: Path) -> None:
    assert "must be one of" in run(scenarios.refused, root, "swift")
    found = run(scenarios.refused, small_bundle, "slots")
    assert "is not possible: no packed experts are here" in found


def test_doctor_names_the_scheme(root: Path, cli: Cli) -> None:
    done = cli("doctor", root, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["packed_experts"] == {"work": True, "problem": None}
    times = told["residency"].pop("slot_times")
    assert len(times) == 4
    assert all(0.1 < ratio < 10 for ratio in times.values())
    assert told["residency"] == {"scheme": "slots", "reason": ""}
    assert set(told["locked_memory"]) == {"bytes", "of", "problem"}
    shutil.rmtree(root / sidecars.FOLDER)
    done = cli("doctor", root)
    assert "'plain' (no packed experts are here" in done.stdout, done.stderr
    assert "they work here" in done.stdout


def test_packing_and_dropping_by_themselves(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from edge_experts.updates.root import Root

    with Root.locked(root) as place:
        name = place.current
        assert name is not None
        done = packed_experts.pack(place, name, [])
        assert (done.experts, done.reason) == (8, "")
        manifest = read_manifest(root / "versions" / name)
        capsys.readouterr()
        assert packed_experts.plan(place, manifest, wanted=True, new=0) is None
        assert capsys.readouterr().err == "", "all are packed, no disk space is needed"
        packed_experts.drop(place)
        packed_experts.drop(place)
        assert not (root / sidecars.FOLDER).exists()
    done = install(tiny_bundle(tmp_path / "tiny"), tmp_path / "other", packed=False).packed
    assert done == packed_experts.NONE
    done = install(
        tiny_bundle(tmp_path / "tiny2", version=2), tmp_path / "other", packed=True
    ).packed
    assert "only experts of layers" in done.reason
