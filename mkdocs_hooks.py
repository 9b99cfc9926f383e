"""Prepares pages for the site: root documents, links that hold there, and references from the code.

In a checkout README.md and others lie above docs/, so that links lead to `docs/tables.md` and
`../SECURITY.md`; on the site all pages are in one folder. A line `<!-- generated: NAME -->` of a
page becomes what `GENERATED` makes from the code.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
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
    parts = []
    for name, command in group.commands.items():
        context = click.Context(command, info_name=f"edge-experts {name}")
        text = help_texts.command_help(command, context, _COLUMNS)
        parts.append(f"### {name}\n\n```text\n{text}\n```")
    return "\n\n".join(parts)


def training_settings() -> str:
    """Fields of `TrainConfig`, with their types, defaults and comments."""
    from edge_experts.training.config import TrainConfig

    return _table(TrainConfig)


def language_settings() -> str:
    """Fields of `LanguageSettings`; its docstring says what they are."""
    from edge_experts.training.language_settings import LanguageSettings

    text = inspect.getdoc(LanguageSettings) or ""
    told = dict(re.findall(r"(?m)^    (\w+): (.+)$", text))
    return _table(LanguageSettings, told)


def limits() -> str:
    """Fields of `Limits`, with their values and comments."""
    from edge_experts.format.limits import Limits

    return _table(Limits)


def _table(settings: type, told: dict[str, str] | None = None) -> str:
    lines = ["| name | type | default | meaning |", "|---|---|---|---|"]
    for name, kind, default, comment in _fields(settings):
        text = (told or {}).get(name, comment)
        cells = (f"`{name}`", f"`{kind}`", f"`{default}`", text)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _fields(settings: type) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and comment of each field of a dataclass, from its source."""
    source = inspect.getsource(settings)
    lines = source.splitlines()
    (definition,) = ast.parse(source).body
    assert isinstance(definition, ast.ClassDef)
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
        yield ast.unparse(node.target), ast.unparse(node.annotation), default, beside or " ".join(above)


GENERATED = {
    "commands": command_reference,
    "training-settings": training_settings,
    "language-settings": language_settings,
    "limits": limits,
}
