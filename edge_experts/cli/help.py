"""Help texts at any width: names and defaults are never cut; options and commands are grouped."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

RARE = "Rare options"
BACKBONE = "Pretrained network"
LIMITS = "Thresholds"
WRITING = "Language models"
_PLAIN, _ARGUMENTS = "Options", "Arguments"
_NARROWEST, _WIDEST = 40, 100
_WIDEST_NAME = 24  # columns; the text of a longer name is below it
_METAVARS = {  # by the names of click's types, which differ between its versions
    **dict.fromkeys(("integer", "int"), "N"),
    **dict.fromkeys(("text", "str"), "TEXT"),
    "float": "NUMBER",
    "path": "PATH",
    "choice": "WORD",
}
_STUCK = "\0"  # a space without a line break


def width() -> int:
    """Columns of the terminal, or of the variable COLUMNS; 80 if neither is known."""
    return min(max(shutil.get_terminal_size().columns, _NARROWEST), _WIDEST)


def command_help(command: Any, ctx: Any, columns: int) -> str:
    """Help of one command: its description, its options by panels, and its examples.

    Args:
        command: click command; its docstring's paragraphs that begin with "Example:" are examples.
        columns: largest width of a line, unless an option or a word is longer.
    """
    texts, examples = _paragraphs(command.help or "")
    usage = " ".join(["Usage:", ctx.command_path, *usage_words(command)])
    blocks = [_filled(usage, columns)]
    blocks += [_filled(text, columns, indent=2) for text in texts]
    panels: dict[str, list[tuple[str, str]]] = {_PLAIN: []}
    for one in command.get_params(ctx):
        if not getattr(one, "hidden", False):
            usual = _ARGUMENTS if one.param_type_name == "argument" else _PLAIN
            panel = getattr(one, "rich_help_panel", None) or usual
            panels.setdefault(panel, []).append((names(one), description(one)))
    # Arguments come first, rare options last.
    order = sorted(panels, key=lambda name: (name == RARE) - (name == _ARGUMENTS))
    blocks += _panels({name: panels[name] for name in order if panels[name]}, columns)
    if examples:
        lines = [line for example in examples for line in _command_lines(example, columns)]
        blocks.append("\n".join(["Examples:" if len(examples) > 1 else "Example:", *lines]))
    return "\n\n".join(blocks)


def group_help(group: Any, ctx: Any, columns: int) -> str:
    """Help of the program: its commands by panels, each with the first sentence of its help."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for name, command in group.commands.items():
        (first, *_), _examples = _paragraphs(command.help or "")
        sentence = first.split(". ")[0].rstrip(".")
        panels.setdefault(command.rich_help_panel or "Commands", []).append((name, sentence))
    options = [(names(one), description(one)) for one in group.get_params(ctx)]
    text = f"Usage: {ctx.command_path} COMMAND ..."
    closing = f"{ctx.command_path} COMMAND --help has a command's options and an example."
    return "\n\n".join(
        [
            _filled(text, columns),
            _filled(group.help, columns, indent=2),
            *_panels({**panels, _PLAIN: options}, columns),
            _filled(closing, columns),
        ]
    )


def steps(found: Sequence[tuple[str, str]], columns: int) -> str:
    """Format suggested commands, the purpose of each below it."""
    lines = ["Next:"]
    for command, purpose in found:
        lines += [f"  {command}", _filled(purpose, columns, indent=6)]
    return "\n".join(lines)


def usage_words(command: Any) -> list[str]:
    """Words of a command's arguments in its usage line; optional ones are in brackets."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    words = [names(one) if one.required else f"[{names(one)}]" for one in arguments]
    return [*words, "[OPTIONS]"]


def names(parameter: Any) -> str:
    """Names of an option as they are typed, with a word for its value; the word of an argument."""
    if parameter.param_type_name == "argument":
        word = parameter.metavar or parameter.name.upper().replace("_", "-")
        several = "..." if parameter.nargs == -1 and not word.endswith("...") else ""
        return f"{word}{several}"
    long_last = sorted(parameter.opts, key=lambda name: name.startswith("--"))
    typed = ", ".join(long_last)
    if parameter.secondary_opts:
        typed = "/".join([typed, *parameter.secondary_opts])
    if parameter.is_flag or getattr(parameter, "count", False):
        return typed
    kind = parameter.type.name.removesuffix(" range")
    return f"{typed} {parameter.metavar or _METAVARS.get(kind, kind.upper())}"


def description(parameter: Any) -> str:
    """Text of an option: its help, its allowed values, and its default.

    A default that depends on something else is the text given as `show_default`.
    """
    parts = [parameter.help or ""]
    choices = getattr(parameter.type, "choices", None)
    if choices:
        parts.append(f"({', '.join(map(str, choices))})")
    if getattr(parameter.type, "max", None) is not None and not choices:
        parts.append(f"({parameter.type.min:,.9g} to {parameter.type.max:,.9g})")
    default = default_of(parameter)
    if default is not None:
        parts.append(default)
    return " ".join(filter(None, parts))


def default_of(parameter: Any) -> str | None:
    """`[default: ...]` or `[required]`; None for a flag that is off, and for an argument."""
    if "[default: " in (parameter.help or ""):
        return None
    if parameter.required:
        return "[required]" if parameter.param_type_name == "option" else None
    stated = getattr(parameter, "show_default", None)
    if isinstance(stated, str):
        return f"[default: {stated}]"
    value = parameter.default() if callable(parameter.default) else parameter.default
    if getattr(parameter, "is_flag", False):
        if not parameter.secondary_opts or value is None:
            return None
        return f"[default: {(parameter.opts if value else parameter.secondary_opts)[0]}]"
    if parameter.param_type_name == "argument" and not value:
        return None
    return f"[default: {'none' if value is None or value == [] else value}]"


def _paragraphs(text: str) -> tuple[list[str], list[str]]:
    """Paragraphs of a docstring, each in one line, and the commands of its examples."""
    texts, examples = [], []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("Example:"):
            examples += [
                line.removeprefix("Example:").strip() for line in paragraph.split("\n") if line
            ]
        else:
            texts.append(" ".join(paragraph.split()))
    return texts, examples


def _filled(text: str, columns: int, *, indent: int = 0) -> str:
    """Wrap the text into indented lines; brackets that fit on one line are not broken."""

    def whole(bracket: re.Match[str]) -> str:
        fits = len(bracket[0]) <= columns - indent
        return bracket[0].replace(" ", _STUCK) if fits else bracket[0]

    return textwrap.fill(
        re.sub(r"[\[(][^\])]*[\])]", whole, text),
        columns,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace(_STUCK, " ")


def _panels(panels: Mapping[str, Sequence[tuple[str, str]]], columns: int) -> Iterator[str]:
    """Title of each panel, and below it names and texts; the text of a long name is below it."""
    widest = _WIDEST_NAME if columns >= 70 else 16
    lengths = [len(name) for rows in panels.values() for name, _ in rows]
    short = max((length for length in lengths if length <= widest), default=widest)
    start = 2 + short + 2
    for title, rows in panels.items():
        lines: list[str] = [f"{title}:"]
        for name, text in rows:
            wrapped = _filled(text, columns, indent=start)
            if len(name) > short:
                lines += [f"  {name}", wrapped]
            else:
                lines.append(f"  {name:<{short}}  {wrapped.lstrip()}".rstrip())
        yield "\n".join(lines)


def _command_lines(command: str, columns: int) -> Iterator[str]:
    """Split a command into lines of at most `columns`, which a shell joins again."""
    line = " "
    for word in command.split(" "):
        if len(line) + 1 + len(word) > columns - 2 and line.strip():
            yield f"{line} \\"
            line = "   "
        line += f" {word}"
    yield line
