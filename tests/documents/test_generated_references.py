"""References that the site makes from the code: they are what commands print and classes have."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import mkdocs_hooks
from edge_experts.cli.app import app
from edge_experts.cli.device import doctor
from edge_experts.errors import EdgeExpertsError
from tests.documents.pages import NAV, ROOT, read

GROUP: Any = typer.main.get_command(app)


def test_the_command_reference_is_what_terminals_show() -> None:
    found = mkdocs_hooks.command_reference()
    for name in GROUP.commands:
        shown = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "80"}).stdout
        assert f"### {name}\n\n```text\n{shown.rstrip()}\n```" in found, name


def test_no_help_is_wider_than_80_columns() -> None:
    assert not [line for line in mkdocs_hooks.command_reference().splitlines() if len(line) > 80]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("training-settings", "training.config:TrainConfig"),
        ("language-settings", "training.language_settings:LanguageSettings"),
        ("limits", "format.limits:Limits"),
    ],
)
def test_a_table_has_every_field_with_its_default_and_meaning(name: str, place: str) -> None:
    table = mkdocs_hooks.GENERATED[name]()
    rows = re.findall(r"(?m)^\| `(\w+)` \| `[^|]+` \| `([^|]+)` \| (.*) \|$", table)
    defaults = _defaults(place)
    assert [row[0] for row in rows] == list(defaults)
    for field, default, meaning in rows:
        if default != "the table below":
            assert repr(eval(default)) == defaults[field], field
        assert meaning or name == "limits", field


def _defaults(place: str) -> dict[str, str]:
    """Default of each field of a class, from a process that may import TensorFlow."""
    module, _, kind = place.partition(":")
    code = (
        f"import json; from dataclasses import fields; from edge_experts.{module} import {kind}\n"
        f"print(json.dumps({{one.name: repr(one.default) for one in fields({kind})}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_pages_name_references_that_exist() -> None:
    named = {
        name
        for path in NAV
        for name in re.findall(r"(?m)^<!-- generated: ([\w-]+) -->$", path.read_text("utf-8"))
    }
    assert named == set(mkdocs_hooks.GENERATED)


def test_every_extra_is_on_the_page_and_known_to_doctor() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    extras = set(project["optional-dependencies"])
    rows = re.findall(r"(?m)^\| (`.+?`) \|", read("docs/installing.md"))
    assert {name for row in rows for name in re.findall(r"`([\w-]+)`", row)} == extras
    assert set(doctor.PACKAGES) == set(doctor.ENABLES) == extras


def test_exit_codes_are_those_of_the_errors() -> None:
    def below(kind: type[EdgeExpertsError]) -> set[int]:
        return {kind.exit_code}.union(*map(below, kind.__subclasses__()))

    codes = {int(code) for code in re.findall(r"(?m)^\| (\d)(?= \|)", read("docs/exit-codes.md"))}
    assert codes == below(EdgeExpertsError) | {0}
    assert (ROOT / "edge_experts" / "errors.py").is_file()
