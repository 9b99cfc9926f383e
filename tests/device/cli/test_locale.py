"""UTF-8 in and out, whatever the locale."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUNDLES = Path(__file__).parents[2] / "data" / "v0_1_0" / "bundles"
TEXT = "schön 😀, größer"
_OURS = ("LC_", "LANG", "LOCPATH", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONCOERCECLOCALE")
_UTF8 = {"LC_ALL": "C.UTF-8"}


def _run(
    changes: dict[str, str], *arguments: object, content: bytes = b"", options: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[bytes]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    return subprocess.run(
        [sys.executable, *options, "-m", "edge_experts", *map(str, arguments)],
        input=content,
        capture_output=True,
        env={**plain, **changes},
        check=False,
    )


@pytest.fixture(scope="module", params=["ISO-8859-1", "KOI8-R", "C", "POSIX with Python's own"])
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Environment of a locale without UTF-8."""
    if request.param == "C":
        return {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    if request.param.startswith("POSIX"):
        return {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0"}
    folder = tmp_path_factory.mktemp("locales")
    if shutil.which("localedef") is None:
        pytest.skip("there is no localedef here")
    name = {"ISO-8859-1": "en_US", "KOI8-R": "ru_RU"}[request.param]
    command = ["localedef", "-i", name, "-f", request.param, str(folder / name)]
    if subprocess.run(command, capture_output=True, check=False).returncode > 1:
        pytest.skip("localedef has no sources of locales here")
    return {"LC_ALL": name, "LOCPATH": str(folder)}


@pytest.fixture(scope="module")
def bundle() -> Path:
    return BUNDLES / "text.bundle"


def test_arguments_and_lines_are_utf8(bundle: Path, other: dict[str, str]) -> None:
    for arguments, content in (((TEXT,), b""), ((), f"{TEXT}\n".encode())):
        expected = _run(_UTF8, "run", bundle, *arguments, content=content)
        found = _run(other, "run", bundle, *arguments, content=content)
        assert found.returncode == expected.returncode == 0, found.stderr
        assert found.stdout.decode() == expected.stdout.decode()


def test_files_may_have_any_name_and_their_errors_are_utf8(
    tmp_path: Path, bundle: Path, other: dict[str, str]
) -> None:
    path = tmp_path / "schön.txt"
    path.write_text(f"{TEXT}\n", encoding="utf-8")
    expected = _run(_UTF8, "run", bundle, "--input", path)
    found = _run(other, "run", bundle, "--input", path)
    assert found.returncode == 0, found.stderr
    assert found.stdout == expected.stdout
    missing = _run(other, "run", bundle, "--input", tmp_path / "größer.txt")
    assert missing.returncode == 2
    assert "größer.txt" in missing.stderr.decode()


@pytest.mark.parametrize("command", ["benchmark", "train"])
def test_help_is_printed(command: str, other: dict[str, str]) -> None:
    found = _run(other, command, "--help")
    assert found.returncode == 0, found.stderr
    assert found.stdout.decode()


def test_a_python_that_ignores_its_environment_still_prints(other: dict[str, str]) -> None:
    found = _run({**other, "PYTHONUTF8": "1"}, "--help", options=("-E",))
    assert found.returncode == 0, found.stderr
    assert found.stdout.decode()


def test_a_text_that_is_not_utf8_is_refused(bundle: Path) -> None:
    found = _run(_UTF8, "run", bundle, os.fsdecode("schön".encode("latin-1")))
    assert found.returncode == 2
    assert "not UTF-8" in found.stderr.decode()
