"""Layers and the device part: where a module may run, checked on what users install."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from edge_experts.deploying import own_wheel
from edge_experts.deploying.device_part import DEVICE_PART

from .tiny import INPUTS, tiny_bundle

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
LAYERS: list[str] = CONTRACTS["contracts"][0]["layers"]
LAST_OF_THE_HOST = "run_folder"  # the lowest layer that no board has
HOST = (
    *("training", "converters", "experiments", "deploying", "web", "run_folder"),
    *("keras3_process", "cluster"),
)


def _modules(layer: str) -> list[str]:
    return [name.strip(" ()") for name in layer.split("|")]


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole package in one folder, converters included, as pip unpacks it."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The device part, unpacked as on a board."""
    folder = tmp_path_factory.mktemp("board")
    with zipfile.ZipFile(own_wheel.write(folder)) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()",
         "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_imports_keep_to_their_layers(installed: Path) -> None:
    done = _lint(installed)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("runtime/engine.py", "    from ..training import train"),
        ("format/manifest.py", "    from ..features import restore"),
        ("converters/parity_of_experiments.py", "    from ..experiments import comparison"),
        ("updates/install.py", "    import tensorflow"),
        ("text_table.py", "    from .cli import app"),
    ],
)
def test_an_upward_import_is_noticed_where_it_is_lazy(
    installed: Path, tmp_path: Path, module: str, line: str
) -> None:
    folder = Path(shutil.copytree(installed, tmp_path / "damaged"))
    with (folder / "edge_experts" / module).open("a") as file:
        file.write(f"\n\ndef _lazy() -> None:\n{line}\n")
    assert _lint(folder).returncode == 1


def test_the_device_part_is_the_layers_below_the_host() -> None:
    names = [_modules(layer) for layer in LAYERS]
    lowest_of_host = next(place for place, layer in enumerate(names) if LAST_OF_THE_HOST in layer)
    below = {name for layer in names[lowest_of_host + 1 :] for name in layer}
    assert set(DEVICE_PART) == below | {"__init__", "__main__", "cli"}


def test_a_board_gets_no_module_of_the_host(board: Path) -> None:
    assert not [name for name in HOST if list((board / "edge_experts").glob(f"{name}*"))]
    assert not (board / "benchmarks").exists()


def _on_board(
    board: Path, *arguments: object, hidden: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command of the device part alone; `-S` keeps the checkout's installation out."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({hidden.split()!r}));"
    code = f"{hide} from edge_experts.cli import main; main()"
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return subprocess.run(
        [sys.executable, "-S", "-c", code, *map(str, arguments)],
        cwd=board.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(board), *packages])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_the_device_part_answers_measures_and_installs(board: Path, tmp_path: Path) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    lines = tmp_path / "inputs.jsonl"
    lines.write_text("".join(f"{json.dumps(row.tolist())}\n" for row in INPUTS))
    root = tmp_path / "root"
    hidden = "tensorflow tf_keras keras matplotlib jinja2"
    for arguments in (
        ("verify", bundle),
        ("inspect", bundle, "--json"),
        ("install", bundle, root, "--json"),
        ("benchmark", bundle, "--json", "--rounds", 2),
        ("run", root, "--input", lines, "--json"),
        ("doctor", "--json"),
    ):
        done = _on_board(board, *arguments, hidden=hidden)
        assert done.returncode == 0, (arguments, done.stderr)


def test_every_command_explains_itself_on_a_board(board: Path) -> None:
    done = _on_board(board, "--help")
    names = re.findall(r"^  ([a-z][a-z-]+) ", done.stdout, re.MULTILINE)
    assert {"run", "train", "benchmark", "deploy"} <= set(names)
    for name in names:
        done = _on_board(board, name, "--help")
        assert done.returncode == 0, (name, done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [
        ("train", "--data", "sentiment", "--out", "x.run"),
        ("convert", "x.run", "--out", "x.bundle"),
        ("compare", "--data", "sentiment"),
        ("deploy", "x.bundle", "pi"),
    ],
)
def test_a_command_of_the_host_names_what_a_board_lacks(
    board: Path, arguments: tuple[str, ...]
) -> None:
    done = _on_board(board, *arguments)
    assert done.returncode == 4
    assert "device part" in done.stderr
    assert "edge-experts[train,cli]" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", DEVICE_PART)
def test_a_module_of_the_device_part_imports_alone(board: Path, name: str) -> None:
    package = "edge_experts" if name == "__init__" else f"edge_experts.{name}"
    code = (
        f"import importlib, pkgutil, sys; module = importlib.import_module({package!r})\n"
        "inside = pkgutil.walk_packages(getattr(module, '__path__', ()), module.__name__ + '.')\n"
        "for found in inside: importlib.import_module(found.name)\n"
        "print(*sys.modules)"
    )
    if name == "__main__":
        code = "import edge_experts.cli, sys; print(*sys.modules)"
    packages = [path for path in sys.path if path.endswith("site-packages")]
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=board.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(board), *packages])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert not loaded & {"tensorflow", "tf_keras", "keras"}
    assert not {module for module in loaded for host in HOST if module == f"edge_experts.{host}"}
