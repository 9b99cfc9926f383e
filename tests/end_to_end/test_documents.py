"""What the documents promise is what CI runs, and what the package has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents import pages

ROOT = Path(__file__).parents[2]
README = pages.read("README.md")


@pytest.mark.parametrize("name", ["quickstart", "test"])
def test_the_set_up_commands_are_one_line_each(name: str) -> None:
    found = re.findall(rf"<!-- {name} -->\n\n    (.+)\n\n", README)
    assert len(found) == 1
    assert subprocess.run(["bash", "-n", "-c", found[0]], check=False).returncode == 0


def test_ci_runs_the_readmes_own_commands() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert '"$(command_below test)"' in script
    assert '"$(command_below quickstart)"' in script


def test_every_command_in_a_document_exists_and_the_page_has_all(cli: object) -> None:
    from tests.conftest import run_cli

    text = "\n".join(path.read_text("utf-8") for path in pages.NAV)
    named = set(re.findall(r"(?:`|^    )edge-experts ([a-z][a-z-]*)", text, re.MULTILINE))
    offered = run_cli("--help").stdout
    assert named
    listed = pages.read("docs/commands.md").split("## Exit codes")[0]
    assert named <= set(re.findall(r"`([a-z][a-z-]*)`", listed))
    for command in named:
        assert f" {command} " in offered, command


def test_every_link_between_documents_holds() -> None:
    for name in pages.NAV:
        text = name.read_text("utf-8")
        for path in re.findall(r"`((?:edge_experts|converters|tests|device_tests)/[\w/.]*)`", text):
            assert (ROOT / path).exists(), f"{name}: {path}"


def test_every_module_that_a_document_names_exists() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [f"/{name}" for name in listed.stdout.split()]
    for name in ("ARCHITECTURE.md", "docs/walks.md"):
        for path in re.findall(r"`([\w/.-]+(?:\.py|/))`", (ROOT / name).read_text()):
            there = any(f"/{path}" in file for file in files)
            assert there, f"{name}: {path}"


def test_the_version_is_the_same_everywhere() -> None:
    from edge_experts import __version__

    assert __version__ in (ROOT / "edge_experts/version.py").read_text()
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert sys.version_info >= (3, 11)
