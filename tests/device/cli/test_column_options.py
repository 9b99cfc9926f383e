"""Options that name columns: what was given goes before what a run or a bundle recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_experts import datasets
from edge_experts.cli.column_options import as_options, columns_of, print_notes
from edge_experts.datasets import Columns
from edge_experts.errors import UsageError

RECORDED = {"label": "kind", "group": "person", "unused": ["id"]}


def test_what_is_given_goes_before_what_was_recorded() -> None:
    assert columns_of() == Columns()
    assert columns_of(recorded=RECORDED) == Columns.from_json(RECORDED)
    given = columns_of("species", drop=["a", "b"], time="when", recorded=RECORDED)
    assert (given.label, given.drop, given.group) == ("species", ("a", "b"), None)
    assert (given.time, given.unused) == ("when", ("id",))
    assert given.recorded == ("group", "unused")
    assert columns_of(normal=["ok"], recorded={"normal": ["fine"]}).normal == ("ok",)


def test_options_make_the_same_choice_again() -> None:
    chosen = Columns(label="a b", drop=("x", "y"), group="who", keep=("t",), normal=("fine",))
    assert as_options(chosen) == [
        *("--label-column", "a b", "--group-column", "who"),
        *("--drop", "x", "--drop", "y", "--keep", "t", "--normal-label", "fine"),
    ]


@pytest.mark.parametrize("name", ["sentiment", "d.npz"])
def test_data_without_columns_refuses_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "d.npz").touch()
    source = str(tmp_path / name) if name.endswith(".npz") else name
    with pytest.raises(UsageError, match="options that name columns are for"):
        datasets.load(source, columns=Columns(drop=("x",)))


def test_notes_are_printed_with_the_name_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"{n * 7 % 23},n{n},{'ab'[n % 2]}\n" for n in range(60))
    (tmp_path / "d.csv").write_text("x,id,label\n" + rows)
    print_notes(datasets.load(str(tmp_path / "d.csv")))
    assert "d: column 'id' is not used: identifiers" in capsys.readouterr().err
