"""Bundles that 0.1.0 made answer as they did there: labels, experts and scores."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import run_cli

from . import answers
from .data import ANSWERS, BUNDLES, DATA, snapshot

_NAMES = sorted(path.stem for path in BUNDLES.glob("*.bundle"))


@pytest.mark.parametrize("name", _NAMES)
def test_a_bundle_answers_as_with_0_1_0(name: str) -> None:
    inputs, wanted = answers.recorded(name)
    given = answers.ask_bundle(BUNDLES / f"{name}.bundle", inputs)
    assert len(inputs) == 500
    answers.refuse_other(wanted, given, inputs, floats=name.endswith("float32"))


def test_answers_are_recorded_for_every_bundle_and_tell_experts_apart() -> None:
    recorded = {path.stem for path in ANSWERS.glob("*.npz")}
    assert set(_NAMES) <= recorded
    for name in _NAMES:
        _, found = answers.recorded(name)
        assert len(np.unique(found.texts)) > 1, f"{name} has one answer only"
        if not name.startswith("table_sum"):
            assert len(np.unique(found.experts)) > 1, f"{name} uses one expert only"


def test_the_command_line_answers_as_the_runtime_does() -> None:
    inputs, _ = answers.recorded("table")
    lines = "".join(f"{line}\n" for line in inputs[:100])
    done = run_cli("run", BUNDLES / "table.bundle", "--json", stdin=lines)
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = answers.ask_bundle(BUNDLES / "table.bundle", inputs[:100])
    assert [one["label"] for one in told] == wanted.texts.tolist()
    assert [one["expert"] for one in told] == wanted.experts.tolist()
    assert np.allclose([one["score"] for one in told], wanted.scores.max(axis=1), atol=2e-6)


def test_the_signature_of_0_1_0_is_trusted(tmp_path: Path) -> None:
    key = DATA / "contract.key.pub"
    done = run_cli("verify", BUNDLES / "signed.bundle", "--trust", key)
    assert done.returncode == 0, done.stderr
    assert "signed by" in done.stdout
    assert run_cli("verify", BUNDLES / "table.bundle", "--trust", key).returncode == 3
    changed = shutil.copytree(BUNDLES / "signed.bundle", tmp_path / "changed.bundle")
    shutil.copy(BUNDLES / "table.bundle/manifest.json", changed)
    assert run_cli("verify", changed, "--trust", key).returncode == 3


def test_an_archive_of_0_1_0_is_unpacked_to_the_same_answers(tmp_path: Path) -> None:
    done = run_cli("unpack", DATA / "next.zip", "--out", tmp_path / "next.bundle")
    assert done.returncode == 0, done.stderr
    inputs, wanted = answers.recorded("version_4")
    given = answers.ask_bundle(tmp_path / "next.bundle", inputs)
    answers.refuse_other(wanted, given, inputs, floats=True)


def test_an_archive_keeps_every_byte(tmp_path: Path) -> None:
    archive, out = tmp_path / "table.zip", tmp_path / "table.bundle"
    for arguments in (("pack", BUNDLES / "table.bundle", "--out", archive),
                      ("unpack", archive, "--out", out)):  # fmt: skip
        done = run_cli(*arguments)
        assert done.returncode == 0, done.stderr
    names = [one.relative_to(out) for one in out.rglob("*") if one.is_file()]
    assert len(names) >= 8
    for name in names:
        assert (out / name).read_bytes() == (BUNDLES / "table.bundle" / name).read_bytes()


def test_c_source_is_the_one_of_0_1_0(tmp_path: Path) -> None:
    out = tmp_path / "c"
    done = run_cli("export-c", BUNDLES / "microcontroller.bundle", "--out", out)
    assert done.returncode == 0, done.stderr
    digests = {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.rglob("*")
        if path.is_file()
    }
    assert digests == snapshot("c_source_digests")


@pytest.mark.parametrize("change", ["texts", "experts", "scores"])
def test_another_answer_is_noticed(change: str) -> None:
    inputs, wanted = answers.recorded("table")
    _, other = answers.recorded("table")
    changed = getattr(other, change)
    changed[7] = "other" if change == "texts" else changed[7] + 0.001 + (change == "experts")
    (found,) = answers.differences(wanted, other, inputs, 1e-6)
    assert found.startswith("input 7 ")
