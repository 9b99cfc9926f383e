"""READMEs of examples: short, in the list of examples/README.md, and with commands."""

from __future__ import annotations

import pytest

from .programs import EXAMPLES, NAMES, shown

_MOST = 24  # lines


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_is_short_and_names_what_it_needs(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= _MOST
    assert "pip install -e '.[" in text
    assert len(shown(name)) >= 1
    for program in (EXAMPLES / name).glob("*.py"):
        assert program.name in text, f"{program.name} is not explained"


def test_the_list_has_every_example() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    assert {name.removesuffix(".bundle") for name in folders} >= set(NAMES)
    missing = [name for name in NAMES if f"]({name}/README.md)" not in text]
    assert not missing
