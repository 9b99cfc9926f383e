"""Options of a conversion: each has a meaning for a task, or is refused by its name."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from edge_experts.converters import ConvertOptions
from edge_experts.converters.tasks import CONVERSIONS

from edge_experts.errors import UsageError

from ...conftest import Cli

FIELDS = [one.name for one in fields(ConvertOptions)]
# A value of each option that is not its default, and is no error in itself.
GIVEN: dict[str, Any] = {
    "quantization": "float32",
    "io": "integer",
    "layout": "gated",
    "top_k": 2,
    "second_share": 0.5,
    "abstain_below": 0.5,
    "max_accuracy_drop": 1.0,
    "size_budget": 1000,
    "size_budget_compressed": 1000,
    "target": "pi-bookworm",
    "base": "b.bundle",
    "bundle_version": 2,
    "compress": ["pruning"],
    "data": object(),
    "processes": 1,
    "cache": False,
    "force": True,
    "beams": 2,
    "scheduler": "tcp://127.0.0.1:8786",
}


@pytest.mark.parametrize("task", CONVERSIONS.names)
@pytest.mark.parametrize("name", FIELDS)
def test_an_option_has_a_meaning_or_is_refused_by_name(task: str, name: str) -> None:
    kind = CONVERSIONS.get(task)
    opened = object.__new__(kind)  # options are the class's
    auto = {"quantization": "auto"} if name.startswith("size_budget") else {}
    options = ConvertOptions(**{**auto, name: GIVEN[name]})
    said = f"--{name.replace('_', '-')} is not supported for {task}"
    if name in kind.options:
        if options.quantization in kind.recipes:
            options.refuse_meaningless(opened)
        return
    with pytest.raises(UsageError, match=said):
        options.refuse_meaningless(opened)


def test_each_task_knows_options_that_there_are() -> None:
    of_command_line = {"frontier", "c_source"}
    for task in CONVERSIONS.names:
        assert CONVERSIONS.get(task).options <= {*FIELDS, *of_command_line}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--c-source", "c"), "--c-source is not supported for translation"),
        (("--layout", "gated"), "--layout is not supported for translation"),
        (("--quantization", "int16x8"), "takes float32, float16, dynamic, int8"),
        (("--abstain-below", "0.5", "--top-k", "1"), "--abstain-below"),
    ],
)
def test_translators_refuse_what_has_no_meaning(
    cli: Cli, translator_run: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = cli("convert", translator_run, "--out", tmp_path / "x", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "x").exists()
