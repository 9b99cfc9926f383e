"""Choice between two installed interpreters, in processes of its own."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

from edge_experts.runtime.interpreter import CHOICE

BOTH = ("tflite_runtime", "ai_edge_litert")
pytestmark = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, BOTH)), reason="needs both interpreters"
)
HEAD = "from edge_experts.runtime import interpreter as i\n"


def _printed(code: str, choice: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code],
        env={**os.environ, CHOICE: choice},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_a_bundle_that_needs_litert_gets_it() -> None:
    assert _printed("print(i.package())") == "tflite_runtime"
    assert _printed("i.prefer(['ai_edge_litert']); print(i.package())") == "ai_edge_litert"
    assert _printed("i.prefer(['toaster', 'ai_edge_litert']); print(i.package())") == BOTH[1]
    assert _printed(f"i.prefer({BOTH!r}); print(i.package())") == "tflite_runtime"


def test_neither_the_variable_nor_an_imported_interpreter_is_overridden() -> None:
    code = "i.prefer(['ai_edge_litert']); print(i.package())"
    assert _printed(code, "tflite_runtime") == "tflite_runtime"
    assert _printed(f"i.package(); {code}") == "tflite_runtime"
