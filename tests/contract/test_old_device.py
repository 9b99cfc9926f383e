"""A device that runs 0.1.0 opens what the code under test makes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import run_cli

from . import answers
from .conftest import Convert
from .data import BUNDLES, DATA
from .other_version import OtherVersion


@pytest.fixture(scope="module")
def device(tmp_path_factory: pytest.TempPathFactory) -> OtherVersion:
    return OtherVersion(tmp_path_factory.mktemp("device"))


def test_it_runs_from_the_wheel(device: OtherVersion) -> None:
    lines = device.places().splitlines()
    assert len(lines) == 3
    assert all(Path(line).is_relative_to(device.folder) for line in lines)
    assert device("--version").stdout == "edge-experts 0.1.0\n"


@pytest.mark.parametrize(("run", "recipe"), [("text", "int8"), ("text", "float32")])
def test_it_answers_from_a_new_conversion(
    device: OtherVersion, converted: Convert, run: str, recipe: str
) -> None:
    inputs, wanted = answers.recorded("text" if recipe == "int8" else "text_float32")
    bundle = converted(run, recipe)
    verified = device("verify", bundle)
    assert verified.returncode == 0, verified.stderr
    done = device("run", bundle, "--json", stdin="".join(f"{line}\n" for line in inputs))
    assert done.returncode == 0, done.stderr
    told = [json.loads(line)["label"] for line in done.stdout.splitlines()]
    assert np.mean(np.array(told) == wanted.texts) >= 0.99, "by a step of int8 on some processors"


def test_it_installs_new_archives_and_signatures(device: OtherVersion, tmp_path: Path) -> None:
    key, archive, root = tmp_path / "new.key", tmp_path / "new.zip", tmp_path / "root"
    bundle = tmp_path / "new.bundle"
    for command in (
        ("unpack", DATA / "next.zip", "--out", bundle),
        ("keygen", key),
        ("sign", bundle, "--key", key),
        ("pack", bundle, "--since", BUNDLES / "table.bundle", "--out", archive),
    ):
        done = run_cli(*command)
        assert done.returncode == 0, done.stderr
    assert device("install", BUNDLES / "table.bundle", root).returncode == 0
    done = device("install", archive, root, "--trust", f"{key}.pub", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["changed"]
    assert told["signed_by"]
    assert told["reused_bytes"] > 0
