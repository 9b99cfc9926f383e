"""What users install: the wheel, and from it the device part alone."""

from __future__ import annotations

import json
import subprocess
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_wheel_holds_every_module_of_the_tree_and_no_other(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    tree = {str(path.relative_to(ROOT)) for path in ROOT.glob("edge_experts/**/*.py")}
    tree |= {f"edge_experts/{path.relative_to(ROOT)}" for path in ROOT.glob("converters/**/*.py")}
    tree |= {f"edge_experts/{path}" for path in _c_files()}
    page = [f"benchmarking/report/html/{name}" for name in ("page.html", "parts.html", "style.css")]
    data = ["py.typed", *page, "deploying/fleet/fleet.html", "runtime/tiny.tflite"]
    site = ROOT / "edge_experts" / "web" / "site"
    data += [str(path.relative_to(site.parents[1])) for path in site.rglob("*") if path.is_file()]
    assert shipped == tree | {f"edge_experts/{name}" for name in data}


def test_deploy_ships_files_of_the_wheel_as_they_are(wheel: Path, tmp_path: Path) -> None:
    from edge_experts.deploying import own_wheel

    with zipfile.ZipFile(wheel) as built, zipfile.ZipFile(own_wheel.write(tmp_path)) as own:
        names = [name for name in own.namelist() if ".dist-info/" not in name]
        assert [name for name in names if own.read(name) != built.read(name)] == []
        assert len(names) > 100


def _c_files() -> list[Path]:
    """What is copied into C source, relative to the tree."""
    return [path.relative_to(ROOT) for path in ROOT.glob("converters/c_source/edge_experts*")]


def test_the_device_part_alone_runs_a_bundle(
    wheel: Path, sentiment_bundle: Path, tmp_path: Path
) -> None:
    """What docs/boards.md says to do on a Raspberry Pi."""
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

    for command, extra in (
        (["train", "--data", "sentiment", "--out", "x"], "train"),
        (["deploy", str(sentiment_bundle), "pi"], "deploy"),
    ):
        done = subprocess.run(
            [str(binaries / "edge-experts"), *command],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert done.returncode == 4
        assert f"pip install '{wheel}[{extra}]'" in done.stderr
        assert "Traceback" not in done.stderr
