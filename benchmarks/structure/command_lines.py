"""Command-line programs of a checkout: argparse parsers, Typer apps, their commands and options."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .checkout import SourceFile
from .line_counts import FUNCTIONS


@dataclass(frozen=True)
class CommandLines:
    """Programs inside the installed package and outside it, as far as the source tells.

    A program is a module that builds an `argparse.ArgumentParser`, or a `typer.Typer`. Commands
    are calls of `command` in modules that import Typer. Options are parameters, over all
    registered commands, whose annotation contains `typer.Option`, directly or by the name of an
    annotation that several commands share.
    """

    shipped_parsers: tuple[str, ...]
    other_parsers: tuple[str, ...]
    shipped_apps: tuple[str, ...]
    other_apps: tuple[str, ...]
    commands: int
    options: int


def command_lines(files: Sequence[SourceFile]) -> CommandLines:
    """Find the command-line programs of the files."""
    parsers = [file for file in files if _calls(file, "argparse", "ArgumentParser")]
    apps = [file for file in files if _calls(file, "typer", "Typer")]
    in_typer = [file for file in files if _imports(file, "typer")]
    registered = [name for file in in_typer for name in _registered(file.tree)]
    folders = {file.folder for file in in_typer}  # a command may have shared options alone
    shared = {name for file in in_typer for name in _shared_options(file.tree)}
    return CommandLines(
        shipped_parsers=tuple(file.path for file in parsers if file.is_shipped),
        other_parsers=tuple(file.path for file in parsers if not file.is_shipped),
        shipped_apps=tuple(file.path for file in apps if file.is_shipped),
        other_apps=tuple(file.path for file in apps if not file.is_shipped),
        commands=len(registered),
        options=sum(
            _option_count(node, shared)
            for file in files
            if file.folder in folders
            for node in file.tree.body
            if isinstance(node, FUNCTIONS) and node.name in registered
        ),
    )


def _imports(file: SourceFile, library: str) -> bool:
    return any(
        (isinstance(node, ast.Import) and any(alias.name == library for alias in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == library)
        for node in ast.walk(file.tree)
    )


def _calls(file: SourceFile, library: str, name: str) -> bool:
    return _imports(file, library) and any(
        isinstance(node, ast.Call) and _last_name(node.func) == name for node in ast.walk(file.tree)
    )


def _registered(tree: ast.Module) -> Iterator[str]:
    """Names of functions in `app.command(...)(function)` and under `@app.command(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _is_command(node.func):
            yield _last_name(node.args[0])
        elif isinstance(node, FUNCTIONS) and any(map(_is_command, node.decorator_list)):
            yield node.name


def _is_command(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "command"
    )


def _shared_options(tree: ast.Module) -> Iterator[str]:
    """Names of module-level annotations that contain `typer.Option`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and _has_option(node.value, set()):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _option_count(function: ast.FunctionDef | ast.AsyncFunctionDef, shared: set[str]) -> int:
    arguments = function.args
    return sum(
        parameter.annotation is not None and _has_option(parameter.annotation, shared)
        for parameter in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    )


def _has_option(annotation: ast.expr, shared: set[str]) -> bool:
    return any(
        (isinstance(node, ast.Call) and _last_name(node.func) == "Option")
        or (isinstance(node, ast.Name | ast.Attribute) and _last_name(node) in shared)
        for node in ast.walk(annotation)
    )


def _last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
