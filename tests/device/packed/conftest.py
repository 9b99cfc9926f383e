"""Installed bundles with packed experts, made of a small checkpoint."""

from __future__ import annotations

import importlib.util
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_experts import subprocesses
from edge_experts.runtime import interpreter
from tests import checkpoints

from ...conftest import Shared, run_cli

LITERT = "ai_edge_litert"
_NEEDED = ("tokenizers", "litert_quantizer")


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function in a process of its own, and show all that it wrote if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", subprocesses.__name__],
        input=pickle.dumps((function.__module__, function.__name__, arguments, {})),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return pickle.loads(done.stdout)


@pytest.fixture(autouse=True)
def on_litert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have child processes use LiteRT; this one may have another interpreter already."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing or not interpreter.installed(LITERT):
        pytest.skip(f"needs ai-edge-litert, {', '.join(_NEEDED)}")
    monkeypatch.setenv(interpreter.CHOICE, LITERT)


@pytest.fixture(params=["int8", "int4"])
def quantization(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(shared: Shared, quantization: str) -> Path:
    """Convert the checkpoint once for all tests."""

    def convert(out: Path) -> None:
        source = checkpoints.copied("granite", out.with_name(f"{quantization}-granite"))
        done = run_cli("convert", source, "--out", out, "--quantization", quantization)
        assert done.returncode == 0, done.stderr

    return shared(f"granite-{quantization}.bundle", convert)


def installed(shared: Shared, quantization: str) -> Path:
    """Install and pack it once for all tests."""
    bundle = made(shared, quantization)

    def install(out: Path) -> None:
        done = run_cli("install", bundle, out, "--packed")
        assert done.returncode == 0, done.stderr
        assert "8 experts packed" in done.stdout, done.stderr

    return shared(f"granite-{quantization}.root", install)


@pytest.fixture
def small_bundle(shared: Shared) -> Path:
    """A bundle of int8 experts that nobody changes."""
    return made(shared, "int8")


@pytest.fixture
def root(shared: Shared, tmp_path: Path) -> Path:
    """A copy of an install root with packed int8 experts, to damage."""
    return Path(shutil.copytree(installed(shared, "int8"), tmp_path / "root", symlinks=True))
