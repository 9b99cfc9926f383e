"""Commands that need TensorFlow say that they load it before they do, which takes seconds."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import edge_experts.cli.host

HOST = Path(edge_experts.cli.host.__path__[0])
LOADING = "Loading TensorFlow, which takes some seconds ..."
NEEDING = sorted(
    path.stem for path in HOST.glob("*.py") if "require_training()" in path.read_text("utf-8")
)


def test_all_commands_that_train_or_convert_are_among_them() -> None:
    assert {"train", "convert", "compare", "advise", "quickstart", "extend", "adopt"} <= {*NEEDING}


@pytest.mark.parametrize("name", NEEDING)
def test_nothing_comes_before_the_first_line(name: str) -> None:
    module = ast.parse((HOST / f"{name}.py").read_text("utf-8"))
    (command,) = (
        one for one in module.body if isinstance(one, ast.FunctionDef) and one.name == name
    )
    assert ast.unparse(command.body[1]) == "require_training()", "the first after the docstring"


def test_the_line_is_printed_before_tensorflow_is_imported(tmp_path: Path) -> None:
    for package in ("tensorflow", "tf_keras"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(
            "import sys\nprint('imported', file=sys.stderr)\nraise RuntimeError('a stand-in')\n"
        )
    done = subprocess.run(
        [sys.executable, "-m", "edge_experts", "train", "--data", "x.csv", "--out", "x.run"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stderr.splitlines()
    assert lines[0] == LOADING
    assert "imported" in lines[1:]
