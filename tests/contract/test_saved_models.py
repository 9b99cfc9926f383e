"""Networks that 0.1.0 saved load, by the names of classes and modules in their files."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT

from . import saved
from .data import RUNS, snapshot

_OWN = "edge_experts>"
# Every class and function of this project that Keras files name.
_NAMES = {"InRange", "SparseExperts", "Translators", "WeightedBag", "edge_experts>sparse_step"}


def _ask(*arguments: str) -> Any:
    """Run saved.py in a separate process: TensorFlow must not meet the device's interpreter."""
    command = [sys.executable, "-m", "tests.contract.saved", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _own_classes() -> list[tuple[str, str, str]]:
    """Module, name and registered name of what is of this project, in all files."""
    found: set[tuple[str, str, str]] = set()
    for classes in snapshot("saved_classes").values():
        found |= {(one[0], one[1], one[2]) for one in classes if _OWN in f"{one[1]} {one[2]}"}
    return sorted(found)


@pytest.mark.parametrize("way", ["plain", "with-training"])
def test_every_saved_network_loads(way: str) -> None:
    """Plain: a new process knows nothing but tf_keras, and imports the modules in the file."""
    runs = sorted(map(str, RUNS.glob("*.run")))
    assert _ask(way, *runs) == snapshot("loaded_models")[way]


def test_modules_in_the_files_hold_the_classes() -> None:
    found = _ask("resolve", json.dumps(_own_classes()))
    assert found == {
        f"{module}.{name}": [name if registered == "function" else registered, True]
        for module, name, registered in _own_classes()
    }


def test_the_files_name_every_class_that_can_be_saved() -> None:
    assert {name for _, name, _ in _own_classes()} == _NAMES


def test_the_recorded_names_are_those_in_the_files() -> None:
    for run, classes in snapshot("saved_classes").items():
        assert saved.classes(RUNS / f"{run}.run/model.keras") == classes
