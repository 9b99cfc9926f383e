"""Help of every command at any width: names and defaults whole, in groups, one example at least."""

from __future__ import annotations

import re
import shlex
from typing import Any

import pytest
import typer

from edge_experts.cli import help as help_texts
from edge_experts.cli.app import GROUPS, app

GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = GROUP.commands
WIDTHS = (40, 60, 80, 100)


def _context(name: str) -> Any:
    context = GROUP.make_context("edge-experts", [], resilient_parsing=True)
    return COMMANDS[name].make_context(name, [], parent=context, resilient_parsing=True)


def _help(name: str, columns: int) -> str:
    return help_texts.command_help(COMMANDS[name], _context(name), columns)


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_name_and_default_is_whole(name: str, columns: int) -> None:
    text = _help(name, columns)
    lines = [line.strip() for line in text.split("\n")]
    for one in COMMANDS[name].get_params(_context(name)):
        shown = help_texts.names(one)
        assert any(line == shown or line.startswith(f"{shown}  ") for line in lines), shown
        for typed in (*one.opts, *one.secondary_opts) if one.param_type_name == "option" else ():
            assert re.search(rf"(?<![\w-]){re.escape(typed)}(?![\w-])", text), typed
        default = help_texts.default_of(one)
        if default is not None:
            assert default in _words(text), f"{shown}: {default}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_with_a_value_states_a_default(name: str) -> None:
    for one in COMMANDS[name].get_params(_context(name)):
        if one.param_type_name == "option" and not one.is_flag:
            text = help_texts.description(one)
            found = re.findall(r"\[default: [^\]]+\]|\[required\]", text)
            assert len(found) == 1, f"{one.opts}: {text}"


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_is_wider_than_the_terminal(name: str, columns: int) -> None:
    for line in _help(name, columns).split("\n"):
        # A word that is longer than the terminal cannot be broken without spoiling it.
        assert len(line) <= columns or len(line.split()) <= 2, line


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_it_takes(name: str, columns: int) -> None:
    _, _, below = _help(name, columns).partition("\nExample")
    assert below, "no example"
    for line in below.partition("\n")[2].replace("\\\n", "").split("\n"):
        words = shlex.split(line.rpartition("| ")[2])
        assert words[0] == "edge-experts"
        COMMANDS[words[1]].make_context(words[1], words[2:], parent=_context(name).parent)


@pytest.mark.parametrize("columns", WIDTHS)
def test_the_programs_help_lists_all_commands_in_groups(columns: int) -> None:
    context = GROUP.make_context("edge-experts", [], resilient_parsing=True)
    text = help_texts.group_help(GROUP, context, columns)
    for panel in GROUPS:
        assert f"\n{panel}:\n" in text
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +\S", text, re.MULTILINE), name
        assert command.rich_help_panel in GROUPS
    assert max(map(len, text.split("\n"))) <= columns


def test_a_commands_summary_takes_one_line_at_80_columns() -> None:
    context = GROUP.make_context("edge-experts", [], resilient_parsing=True)
    text = help_texts.group_help(GROUP, context, 80)
    rows = [line for line in text.split("\n") if line.startswith("  ") and line.strip()]
    named = [line for line in rows if line.split()[0] in COMMANDS]
    assert len(named) == len(COMMANDS)
    assert not [line for line in rows if line.startswith("     ")], "continued on another line"


def test_a_default_that_depends_on_the_data_is_stated_once() -> None:
    options = {one.name: one for one in COMMANDS["train"].params}
    assert help_texts.description(options["router"]).endswith(
        "(learned, kmeans, clusters, hash, random) [default: learned]"
    )
    assert help_texts.default_of(options["trunk"]) == "[default: --trunk; for texts --no-trunk]"
    assert help_texts.default_of(options["force"]) is None
    assert help_texts.default_of(options["out"]) == "[required]"


@pytest.mark.parametrize(("variable", "columns"), [("0", 80), ("20", 40), ("61", 61), ("500", 100)])
def test_the_width_is_the_terminals_within_bounds(
    variable: str, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", variable)
    if variable == "0":  # not known, and no terminal to ask
        monkeypatch.setattr("sys.__stdout__", None)
    assert help_texts.width() == columns
