"""The table of published checkpoints is what the code computes."""

from __future__ import annotations

from tests.documents.checkpoint_table import lines
from tests.documents.pages import ROOT


def test_the_page_has_the_computed_table() -> None:
    page = (ROOT / "docs" / "checkpoints.md").read_text("utf-8")
    assert "\n".join(lines()) in page, "run python -m tests.documents.checkpoint_table"
