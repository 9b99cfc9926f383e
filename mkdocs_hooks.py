"""Prepares pages for the site: root documents, links that hold there, and references from the code.

In a checkout README.md and others lie above docs/, so that links lead to `docs/tables.md` and
`../SECURITY.md`; on the site all pages are in one folder. A line `<!-- generated: NAME -->` of a
page becomes what `GENERATED` makes from the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LICENSE = "LICENSE"
_COLUMNS = 80  # of help texts


def on_files(files: Files, *, config: Any) -> Files:
    """Adds root documents as pages and the licence as a file."""
    for name in DOCUMENTS:
        text = re.sub(r'(\]\(|src=")docs/', r"\1", (ROOT / name).read_text("utf-8"))
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, LICENSE, content=(ROOT / LICENSE).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Rewrites links from pages in docs/ to root documents, and fills in generated references."""
    above = "../" * page.file.src_uri.count("/")
    names = "|".join(map(re.escape, DOCUMENTS))
    markdown = re.sub(rf"\]\({above}\.\./({names})([)#])", rf"]({above}\1\2", markdown)
    return re.sub(
        r"(?m)^<!-- generated: ([\w-]+) -->$", lambda found: GENERATED[found[1]](), markdown
    )


def command_reference() -> str:
    """Help of every command, as a terminal of 80 columns shows it."""
    import click
    import typer

    from edge_experts.cli import help as help_texts
    from edge_experts.cli.app import app

    group: Any = typer.main.get_command(app)
    parent = click.Context(group, info_name="edge-experts", **group.context_settings)
    parts = []
    for name, command in group.commands.items():
        context = click.Context(command, info_name=name, parent=parent)
        text = help_texts.command_help(command, context, _COLUMNS)
        parts.append(f"### {name}\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def training_settings() -> str:
    """Fields of `TrainConfig`, with their types, defaults and comments."""
    return _table("edge_experts/training/config.py", "TrainConfig")


def language_settings() -> str:
    """Fields of `LanguageSettings`; its docstring says what they are."""
    return _table("edge_experts/training/language_settings.py", "LanguageSettings")


def limits() -> str:
    """Fields of `Limits`, with their values and comments."""
    return _table("edge_experts/format/limits.py", "Limits")


def _table(module: str, name: str) -> str:
    """Fields of a dataclass as a table, from its source: nothing is imported."""
    source = (ROOT / module).read_text("utf-8")
    definitions = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    (definition,) = [one for one in definitions if one.name == name]
    told = dict(re.findall(r"(?m)^    (\w+): (.+)$", ast.get_docstring(definition) or ""))
    lines = ["| name | type | default | meaning |", "|---|---|---|---|"]
    for field, kind, default, comment in _fields(definition, source.splitlines()):
        cells = (f"`{field}`", f"`{kind.replace(' | ', ' or ')}`", f"`{default}`")
        lines.append(f"| {' | '.join(cells)} | {told.get(field, comment)} |")
    return "\n".join(lines)


def _fields(definition: ast.ClassDef, lines: Sequence[str]) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and comment of each field."""
    for node in definition.body:
        if not isinstance(node, ast.AnnAssign) or node.value is None:
            continue
        default = ast.unparse(node.value)
        if default.startswith("field("):
            default = "the table below"
        beside = lines[node.lineno - 1].partition("  # ")[2]
        above: list[str] = []
        place = node.lineno - 2
        while not beside and lines[place].strip().startswith("#"):
            above.insert(0, lines[place].strip("# "))
            place -= 1
        name, kind = ast.unparse(node.target), ast.unparse(node.annotation)
        yield name, kind, default, beside or " ".join(above)


GENERATED = {
    "commands": command_reference,
    "training-settings": training_settings,
    "language-settings": language_settings,
    "limits": limits,
}
