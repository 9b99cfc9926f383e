"""What the commands for emulated boards refuse and report; nothing is emulated here."""

from __future__ import annotations

from pathlib import Path

import pytest

from device_tests.boards import building
from device_tests.boards.__main__ import main
from device_tests.boards.agreement import expect, refuse_difference
from device_tests.boards.kinds import board
from device_tests.boards.machine import Step, _steps
from edge_experts.errors import MachineError, ManifestError, ThresholdError, UsageError
from tests.tiny import tiny_bundle


def test_an_unknown_board_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="arm64-bookworm, armhf-bookworm, arm64-trixie"):
        board("riscv")
    with pytest.raises(SystemExit):
        main(["build", "riscv"])
    assert "invalid choice" in capsys.readouterr().err


def test_only_the_tables_own_bundles_are_written_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["instructions", "some.bundle", "--write"])
    assert "the table has its own bundles" in capsys.readouterr().err


def test_what_is_counted_must_be_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["instructions", str(tmp_path / "absent.bundle")]) == ManifestError.exit_code
    assert "absent.bundle" in capsys.readouterr().err


@pytest.mark.parametrize("where", [(), ("--here",)])
def test_a_limited_model_must_be_a_bundle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], where: tuple[str, ...]
) -> None:
    command = ["limited", str(tmp_path / "absent.bundle"), "--budget", "8", *where]
    assert main(command) == ManifestError.exit_code
    assert "absent.bundle" in capsys.readouterr().err


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MachineError, match=r"mmdebstrap is missing; \.ci/run"):
        building.run("mmdebstrap", "--version")


def test_a_failing_program_is_quoted() -> None:
    with pytest.raises(MachineError, match=r"sh -c .* failed \(3\):\nthe reason"):
        building.run("sh", "-c", "echo the reason >&2; exit 3")


def test_a_folder_is_made_once_for_what_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path))
    made: list[Path] = []
    source = tmp_path / "source"

    def get(content: str) -> Path:
        source.write_text(content)
        return building.cached("thing", ("a", source), made.append)

    assert get("one") == get("one") != get("two")
    assert len(made) == 2


def test_an_interrupted_build_is_not_taken_for_a_finished_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path))

    def half(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        building.cached("thing", (), half)
    folder = building.cached("thing", (), lambda folder: (folder / "whole").touch())
    assert [path.name for path in folder.iterdir()] == ["whole"]


@pytest.mark.parametrize("kind", ["features", "reference"])
def test_answers_that_differ_are_refused(kind: str) -> None:
    found = {"examples": 200, "features": 0, "reference": 0, "default": 9, "other_labels": 1}
    refuse_difference(found)
    with pytest.raises(ThresholdError, match=r"of 200 examples, .*\b3 (have )?different"):
        refuse_difference({**found, kind: 3})


def test_a_host_that_cannot_answer_is_said(tmp_path: Path) -> None:
    bundle, out = tiny_bundle(tmp_path / "tiny.bundle"), tmp_path / "e.npz"
    with pytest.raises(MachineError, match=r"tiny\.bundle: no expected answers could be made"):
        expect(bundle, "tflite_runtime", out, ("--data", "no such data"))
    with pytest.raises(ManifestError, match=r"no\.bundle: no such bundle folder"):
        expect(tmp_path / "no.bundle", "tflite_runtime", out, ("--data", "sentiment"))


def test_steps_of_a_machine_are_told_apart() -> None:
    serial = "[ 0.9] kernel\nfirst\n\n@@ one 0\nKilled\n@@ two 137\n[ 9.9] Power down"
    found = _steps(serial, {"one": "", "two": ""})
    assert found == {"one": Step("[ 0.9] kernel\nfirst", 0), "two": Step("Killed", 137)}
    with pytest.raises(MachineError, match="stopped early:\nKernel panic"):
        _steps("@@ one 0\nKernel panic", {"one": "", "two": ""})
