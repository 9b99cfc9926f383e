"""The code of docs/web.md in a page of one's own."""

from __future__ import annotations

import re
from pathlib import Path

from tests.documents.pages import ROOT

from .conftest import Export, Visiting


def test_the_shown_module_answers(
    tmp_path: Path, sentiment_bundle: Path, export: Export, visit: Visiting
) -> None:
    page = (ROOT / "docs" / "web.md").read_text()
    found = re.search(
        r"<!-- tests/web/test_documents.py runs this -->\n\n```js\n(.+?)```", page, re.S
    )
    assert found is not None
    site = export(sentiment_bundle, tmp_path / "site")
    (site / "own.js").write_text(f"{found[1]}console.log('closed');")
    (site / "own.html").write_text(
        '<!doctype html><link rel=icon href="data:,"><script type=module src=own.js></script>'
    )
    visited, lines = visit(site), list[str]()
    visited.page.on("console", lambda message: lines.append(message.text))
    with visited.page.expect_console_message(lambda message: message.text == "closed"):
        visited.page.goto(f"{visited.server.url}own.html")
    assert re.match(r"(positive|negative) 0\.\d+ \[\d\] {features_us: ", lines[0])
