"""What cannot be installed ends in one sentence, before anything is fetched."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import check_setup

ROOT = Path(__file__).parents[2]
GOOD: dict[str, Any] = {
    "version": (3, 12),
    "system": "Linux",
    "machine": "x86_64",
    "bits": 64,
    "libc": ("glibc", "2.36"),
    "free": 10**11,
}


@pytest.mark.parametrize(
    "here",
    [
        {},
        {"version": (3, 11)},
        {"version": (3, 13)},
        {"machine": "aarch64"},
        {"system": "Darwin", "machine": "arm64", "libc": ("", "")},
    ],
)
def test_what_has_packages_is_let_through(here: dict[str, Any]) -> None:
    assert check_setup.problem(**{**GOOD, **here}) == ""


@pytest.mark.parametrize(
    ("here", "words"),
    [
        ({"version": (3, 10)}, ("3.11 to 3.13", "this is 3.10")),
        ({"version": (3, 14)}, ("3.11 to 3.13", "this is 3.14")),
        ({"version": (2, 7)}, ("this is 2.7",)),
        ({"machine": "armv7l", "bits": 32}, ("armv7l", "device part")),
        ({"bits": 32}, ("32 bits",)),
        ({"system": "Darwin"}, ("Darwin on x86_64",)),
        ({"system": "Windows", "machine": "AMD64"}, ("WSL 2",)),
        ({"libc": ("", "")}, ("glibc 2.28", "another C library")),
        ({"libc": ("glibc", "2.17")}, ("glibc 2.17",)),
        ({"free": 10**9}, ("1.0 GB are free",)),
    ],
)
def test_everything_else_ends_in_one_sentence(here: dict[str, Any], words: tuple[str, ...]) -> None:
    found = check_setup.problem(**{**GOOD, **here})
    assert all(word in found for word in words), found
    assert "\n" not in found
    assert not re.search(r"[.!?] ", found), "one sentence"


def test_it_says_how_much_will_be_fetched() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "check_setup.py"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"pip will fetch about [\d.]+ GB", done.stdout)


def test_an_older_python_can_read_it() -> None:
    ast.parse((ROOT / "check_setup.py").read_text("utf-8"), feature_version=(3, 6))


def test_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (major, oldest), (_, newest) = check_setup.OLDEST, check_setup.NEWEST
    assert project["requires-python"] == f">={major}.{oldest},<{major}.{newest + 1}"
    named = {name.rpartition(" ")[2] for name in project["classifiers"] if " 3." in name}
    assert named == {f"{major}.{minor}" for minor in range(oldest, newest + 1)}


def test_readmes_set_up_commands_begin_with_it_and_state_the_same_size() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for name in ("quickstart", "test"):
        (command,) = re.findall(rf"<!-- {name} -->\n\n    (.+)\n", text)
        assert command.startswith("python3 check_setup.py && ")
    assert f"{check_setup.FETCHED} GB" in text
    assert f"{check_setup.INSTALLED} GB" in text
