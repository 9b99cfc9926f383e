"""The device part imports the standard library, numpy and an interpreter, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = (
    "tensorflow",
    "tf_keras",
    "keras",
    "typer",
    "rich",
    "tqdm",
    "cryptography",
    "jinja2",
    "matplotlib",
    "onnxruntime",
    "edge_experts.training",
    "edge_experts.converters",
    "edge_experts.datasets",
)


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "module",
    ["format.manifest", "features", "runtime", "benchmarking.benchmark", "updates.install"],
)
def test_device_modules_import_nothing_of_the_host(module: str) -> None:
    assert not _loaded(f"import edge_experts.{module}").intersection(HEAVY)


def test_the_package_itself_imports_not_even_numpy() -> None:
    loaded = _loaded("import edge_experts")
    assert "numpy" not in loaded
    assert not loaded.intersection(HEAVY)


def test_a_runtime_is_exported_lazily() -> None:
    assert "edge_experts.runtime.engine" in _loaded("from edge_experts import ExpertRuntime")
    assert "edge_experts.runtime.installed" in _loaded("from edge_experts import InstalledRuntime")


def test_converting_does_not_import_tensorflow_into_the_callers_process() -> None:
    assert "tensorflow" not in _loaded("import edge_experts.converters")


def test_the_command_line_imports_nothing_heavy_before_a_command_runs() -> None:
    loaded = _loaded("import edge_experts.cli.app")
    assert not loaded.intersection({"numpy", "tensorflow", "pydantic", "importlib.metadata"})
