"""Numbers of options are finite, of every command."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from edge_experts.cli.app import app
from edge_experts.errors import UsageError


@pytest.mark.parametrize("value", ["nan", "inf"])
@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["train", "--data", "d.csv", "--out", "d.run"], "--width"),
        (["convert", "d.run", "--out", "d.bundle"], "--max-accuracy-drop"),
        (["evaluate", "d.bundle", "--data", "d.csv"], "--min-accuracy"),
    ],
    ids=["train", "convert", "evaluate"],
)
def test_options_that_are_no_finite_number(command: list[str], option: str, value: str) -> None:
    """Inf is beyond an option's range already where it has one."""
    done = CliRunner().invoke(app, [*command, option, value])
    refused = isinstance(done.exception, UsageError)
    assert refused or done.exit_code == 2
    told = str(done.exception) if refused else done.output
    assert option in told
    assert "not in the range" in told or "must be a finite number" in told
