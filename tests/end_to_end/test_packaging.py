"""What users install: the wheel, and from it the device part alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, source = tmp_path_factory.mktemp("dist"), tmp_path_factory.mktemp("source")
    # A copy: what an earlier build left in the tree would be shipped again.
    for name in ("edge_experts", "converters"):
        shutil.copytree(ROOT / name, source / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def test_the_wheel_holds_every_module_of_the_tree_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = {str(path.relative_to(ROOT)) for path in ROOT.glob("edge_experts/**/*.py")}
    tree |= {f"edge_experts/{path.relative_to(ROOT)}" for path in ROOT.glob("converters/**/*.py")}
    tree |= {f"edge_experts/{path}" for path in _c_files()}
    assert shipped == tree | {"edge_experts/py.typed", "edge_experts/runtime/tiny.tflite"}


def _c_files() -> list[Path]:
    """What is copied into C source, relative to the tree."""
    return [path.relative_to(ROOT) for path in ROOT.glob("converters/c_source/edge_experts*")]


def test_the_device_part_alone_runs_a_bundle(
    wheel: Path, sentiment_bundle: Path, tmp_path: Path
) -> None:
    """What the README says to do on a Raspberry Pi."""
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    subprocess.run(
        [str(binaries / "pip"), "install", "--quiet", f"{wheel}[device,cli]"],
        check=True, capture_output=True,
    )  # fmt: skip

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [str(binaries / "edge-experts"), *arguments],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    installed = json.loads(
        subprocess.run(
            [str(binaries / "pip"), "list", "--format", "json"],
            check=True, capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    assert not {"tensorflow", "pydantic"} & {package["name"] for package in installed}
    assert "intact" in run("verify", str(sentiment_bundle))
    assert "\texpert " in run("run", str(sentiment_bundle), "a film to remember")
    assert "side by side" in run("benchmark", str(sentiment_bundle), "--rounds", "3")
    assert "the device part works" in run("doctor")

    done = subprocess.run(
        [str(binaries / "edge-experts"), "train", "--data", "sentiment", "--out", "x"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 4
    assert "pip install 'edge-experts[train]'" in done.stderr
    assert "Traceback" not in done.stderr
