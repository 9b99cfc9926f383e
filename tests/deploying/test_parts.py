"""What goes to a board is chosen on the workstation: without a board, and without a network."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from edge_experts.deploying import Outcome, on_board, own_wheel, resolving
from edge_experts.deploying.board_target import BoardTarget
from edge_experts.deploying.saving import as_text
from edge_experts.deploying.unit import unit
from edge_experts.deploying.wheels import Store
from edge_experts.errors import BoardError, NetworkError

BOOKWORM = BoardTarget((3, 11), "aarch64", (2, 36))
TRIXIE = BoardTarget((3, 13), "aarch64", (2, 41))


def _facts(**changed: object) -> dict[str, Any]:
    return {
        "python": [3, 11],
        "implementation": "cpython",
        "machine": "aarch64",
        "bits": 64,
        "glibc": [2, 36],
        **changed,
    }


def test_a_32_bit_system_on_a_64_bit_kernel_is_known() -> None:
    assert BoardTarget.of(_facts(), "pi") == BOOKWORM
    assert BoardTarget.of(_facts(bits=32), "pi").machine == "armv7l"


@pytest.mark.parametrize(
    "changed",
    [
        {"machine": "armv6l", "bits": 32},
        {"machine": "riscv64"},
        {"machine": "x86_64", "bits": 32},
        {"glibc": None},
        {"implementation": "pypy"},
    ],
)
def test_boards_that_no_interpreter_is_made_for(changed: dict[str, object]) -> None:
    with pytest.raises(BoardError, match=r"^pi: "):
        BoardTarget.of(_facts(**changed), "pi")


def test_wheels_of_every_older_glibc_fit() -> None:
    tags = BOOKWORM.platforms()
    assert tags[0] == "manylinux_2_36_aarch64"
    assert {"manylinux_2_17_aarch64", "manylinux2014_aarch64", "linux_aarch64"} < set(tags)
    assert "manylinux_2_37_aarch64" not in tags


def test_requirements_are_the_boards_and_not_this_machines() -> None:
    required = own_wheel.requirements()
    bookworm = resolving.selected(required, ["device", "cli"], BOOKWORM)
    trixie = resolving.selected(required, ["device", "cli"], TRIXIE)
    assert "tflite-runtime==2.14.0" in bookworm
    assert any(one.startswith("ai-edge-litert") for one in trixie)
    assert not any(one.startswith("tflite-runtime") for one in trixie)
    assert not any(one.startswith("tensorflow") for one in bookworm)
    served = resolving.selected(required, ["serve"], BOOKWORM)
    assert any(one.startswith("typer") for one in served)  # [serve] takes [cli] along


def _wheel(
    folder: Path, name: str, version: str, *requires: str, tag: str = "py3-none-any"
) -> None:
    info = f"{name}-{version}.dist-info"
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join(["Metadata-Version: 2.1", *lines, ""]))
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        archive.writestr(f"{info}/RECORD", "")


def _fetched(folder: Path, wheels: Path, target: BoardTarget) -> set[str]:
    folder.mkdir()
    resolving.fetch(folder, ["first"], target, wheels=wheels)
    return {path.name.split("-py3")[0] for path in folder.iterdir()}


def test_what_is_required_is_followed_by_the_boards_markers(tmp_path: Path) -> None:
    """And where a later requirement is narrower, the older version is taken after all."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels, "first", "1", "second", "old; python_version < '3.12'", "new; extra == 'x'")
    _wheel(wheels, "second", "2")
    _wheel(wheels, "second", "1")
    _wheel(wheels, "old", "1", "second<2", "arm; platform_machine == 'aarch64'")
    _wheel(wheels, "arm", "1")
    assert _fetched(tmp_path / "a", wheels, BOOKWORM) == {"first-1", "second-1", "old-1", "arm-1"}
    assert _fetched(tmp_path / "b", wheels, TRIXIE) == {"first-1", "second-2"}


def test_a_wheel_that_is_nowhere_is_named(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels, "first", "1", tag="cp311-cp311-manylinux_2_17_x86_64")
    with pytest.raises(NetworkError, match=r"aarch64.*first.*--wheels"):
        _fetched(tmp_path / "a", wheels, BOOKWORM)


def test_the_wheel_of_this_edge_experts_is_the_same_every_time_and_installs(
    tmp_path: Path,
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    wheel = own_wheel.write(tmp_path / "a")
    assert own_wheel.write(tmp_path / "b").read_bytes() == wheel.read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert "edge_experts/runtime/engine.py" in names
    assert "edge_experts/runtime/tiny.tflite" in names
    assert not [name for name in names if "__pycache__" in name]

    venv.create(tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    shown = [str(tmp_path / "venv/bin/edge-experts"), "--version"]
    done = subprocess.run(shown, capture_output=True, text=True, check=False)
    assert done.returncode == 4  # its entry point is there, and the command line's packages are not
    assert "edge-experts[cli]" in done.stderr
    assert f"pip install '{wheel}[cli]'" in done.stderr, "it works, as the name alone would not"


def test_what_runs_on_the_board_needs_nothing_but_python(tmp_path: Path) -> None:
    script = Path(on_board.__file__).read_text()
    asked = [sys.executable, "-I", "-S", "-", "ask", str(tmp_path / "not/there/yet")]
    done = subprocess.run(asked, input=script, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout.removeprefix(on_board.ANSWER))
    assert facts["python"] == list(sys.version_info[:2])
    assert facts["nearest"] == str(tmp_path)
    assert facts["environment"] is None


def test_a_units_words_mean_what_they_say() -> None:
    """systemd.service(5): % and $ are its own, in paths too."""
    made = unit("pi", "pi", "/srv/100% $HOME", "texts", 80)
    assert '"/srv/100%% $$HOME/environment/bin/edge-experts" serve' in made.text
    assert "User=pi\n" in made.text
    assert made.enable.startswith("ssh -t pi 'sudo cp ")


def test_a_bundle_with_a_tokenizer_brings_its_library() -> None:
    from edge_experts.deploying.carrying import Plan, _extras
    from edge_experts.features import KINDS, extras_of

    assert extras_of("tokenizer") == ("chat",)
    assert {extras_of(kind) for kind in KINDS if kind not in ("tokenizer", "photo")} == {()}
    facts: dict[str, object] = {"environment": None, "trusting": []}
    plan = Plan(bundle=Path("a"), files={}, name="a", extras=extras_of("tokenizer"))
    assert _extras(plan, facts) == {"device", "cli", "chat"}


def test_a_bundle_of_photos_brings_pillow(tmp_path: Path) -> None:
    """Except where the board's numpy is used: there the board's Pillow is, or what installs it."""
    from edge_experts.deploying.carrying import Plan, _wheels
    from edge_experts.features import extras_of

    assert extras_of("photo") == ("images",)
    asked: list[tuple[list[str], str | None]] = []

    class Noted(Store):
        def wheels(
            self,
            target: BoardTarget,
            extras: Iterable[str],
            python: str,
            *,
            numpy: str | None = None,
        ) -> Any:
            asked.append((sorted(extras), numpy))

    store, plan = Noted(tmp_path), Plan(bundle=Path("a"), files={}, name="a", extras=("images",))
    with_images, without = ["cli", "device", "images"], ["cli", "device"]
    command = "ssh -t pi sudo apt-get install python3-pil"
    for bits, numpy, pillow, extras, told in (
        (64, "1.24", False, with_images, None),
        (32, None, False, with_images, None),  # of a folder of wheels that has numpy too
        (32, "1.24", True, without, None),
        (32, "1.24", False, without, command),
    ):
        facts = _facts(
            bits=bits,
            numpy=numpy,
            pillow=pillow,
            trusting=[],
            executable="python3",
            environment=None,
        )
        found: dict[str, Any] = {}
        _wheels(store, BoardTarget.of(facts, "pi"), plan, facts, "pi", found)
        assert asked.pop() == (extras, numpy if bits == 32 else None)
        assert found.get("image_files") == told
    shown = as_text([Outcome("pi", current="1", image_files=command)], {})
    assert f"for the board to read image files: {command}" in shown
