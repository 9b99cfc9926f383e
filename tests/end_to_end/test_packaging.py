"""What users install: the wheel, and from it the device part alone."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from edge_experts.version import VERSION

ROOT = Path(__file__).parents[2]


def test_all_documents_tell_the_same_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    first = re.search(r"(?m)^## (\S+) \((.+)\)$", (ROOT / "CHANGELOG.md").read_text("utf-8"))
    assert first is not None
    assert project["version"] == VERSION == first[1]
    assert f"\nversion: {VERSION}\n" in citation
    released = re.search(r"(?m)^date-released: (\S+)$", citation)
    assert first[2] == ("unreleased" if released is None else released[1])


@pytest.mark.long
def test_archives_of_a_commit_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Built at other times, in other time zones, with other rights for new files."""
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
    ).stdout.strip()
    for number, (zone, mask) in enumerate((("UTC", 0o022), ("Pacific/Auckland", 0o077))):
        subprocess.run(
            [
                *(sys.executable, ROOT / ".ci" / "build_archives.py"),
                *(tmp_path / str(number), "--commit", head),
            ],
            env={**os.environ, "TZ": zone},
            umask=mask,
            capture_output=True,
            check=True,
        )
    first, second = (sorted((tmp_path / number).iterdir()) for number in "01")
    assert [path.name for path in first] == [
        f"edge_experts-{VERSION}-py3-none-any.whl",
        f"edge_experts-{VERSION}.tar.gz",
    ]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes(), one.name
    _check_source(first[1])
    _check_metadata(first[0])


def _check_source(path: Path) -> None:
    """It has the package and its documents, and neither tests nor examples."""
    with tarfile.open(path) as archive:
        names = [one.name.split("/", 1)[1] for one in archive.getmembers() if one.isfile()]
    folders = {name.split("/")[0] for name in names if "/" in name}
    assert folders == {"converters", "docs", "edge_experts", "edge_experts.egg-info"}
    tracked = subprocess.run(
        ["git", "ls-files", "edge_experts", "converters", "docs", "*.md", "LICENSE"],
        cwd=ROOT, check=True, capture_output=True, encoding="utf-8",
    ).stdout.split()  # fmt: skip
    kept = {name for name in tracked if name.split("/")[0] in folders or "/" not in name}
    assert kept <= set(names)
    assert {"pyproject.toml", "CITATION.cff", "check_setup.py", "PKG-INFO"} <= set(names)


def _check_metadata(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
        assert archive.read(name.replace("METADATA", "licenses/LICENSE"))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == "<3.14,>=3.11"
    versions = [one.rsplit(" ", 1)[1] for one in metadata.get_all("Classifier") or ()]
    assert {"3.11", "3.12", "3.13"} <= set(versions)
    assert metadata.get_all("Project-URL") is None, "there is no public address yet"


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
