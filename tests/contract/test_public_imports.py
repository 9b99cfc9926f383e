"""Packages export what 0.1.0 exported, to be called the same way."""

from __future__ import annotations

import copy
import json
import subprocess
import sys

from tests.conftest import ROOT

from . import surface
from .data import snapshot


def test_every_exported_name_of_0_1_0_is_called_as_before() -> None:
    command = [sys.executable, "-m", "tests.contract.surface"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert surface.differences(snapshot("public_imports"), json.loads(done.stdout)) == []


def test_what_may_not_change_is_noticed_and_additions_are_not() -> None:
    recorded = snapshot("public_imports")
    changed = copy.deepcopy(recorded)
    runtime = changed["edge_experts"]["ExpertRuntime"]
    runtime["signature"]["strict"]["default"] = "True"
    del runtime["members"]["predict_batch"], changed["edge_experts.training"]["adopt"]
    changed["edge_experts.converters"]["QUANTIZATIONS"]["value"].remove("int16x8")
    more = {"kind": "keyword-only", "default": None}
    changed["edge_experts.converters"]["convert"]["signature"]["more"] = more
    assert len(surface.differences(recorded, changed)) == 5
