"""A benchmark as one HTML page without scripts or anything to load, to keep and to show."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from .benchmark import Benchmark
from .report import NOTES, conditions_told, contender_table, phase_table

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { padding: .3rem .8rem; text-align: right }
th:first-child, td:first-child { text-align: left } tr { border-bottom: 1px solid #ddd }
.note { color: #555; font-size: .9rem }
"""


def as_html(result: Benchmark) -> str:
    """The page: what was measured, where, and how to read it."""
    environment = [["", "value"]]
    environment += [[name, str(value)] for name, value in result.environment.items()]
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Benchmark of {escape(result.bundle)}</title>
<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>
<h1>Benchmark of {escape(result.bundle)}</h1>
<p>{result.golden_examples} golden examples were answered as published before anything was timed;
{result.threads} interpreter thread(s).</p>
<h2>Where the time goes</h2>
{_table(phase_table(result))}
<h2>Side by side, in one run</h2>
{_table(contender_table(result))}
<p class="note">{escape(NOTES)}</p>
{_paragraphs([f"Caution: {caution}" for caution in result.cautions])}
<h2>Where it was measured</h2>
{_table(environment)}
{_paragraphs(conditions_told(result))}
</html>
"""


def _paragraphs(texts: Sequence[str]) -> str:
    return "\n".join(f"<p>{escape(text)}</p>" for text in texts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = ["<table><tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in head) + "</tr>"]
    lines += [
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in body
    ]
    return "\n".join(lines) + "</table>"
