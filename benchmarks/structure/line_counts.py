"""Lines of files, functions, units, layers and folders."""

from __future__ import annotations

import ast
import io
import tokenize
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

from .checkout import SourceFile

CROWDED_FOLDER = 20  # Python files directly in a folder; more are a figure
SMALL_FILE = 60  # lines; fewer are a figure
LARGE_FILE = 300  # lines; more are a figure
LARGE_FUNCTION = 60  # lines; more are a figure
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}


@dataclass(frozen=True)
class LineCount:
    """Files of one unit, layer or source folder, and their lines.

    Code lines are those that are neither blank, nor comment, nor docstring.
    """

    name: str
    files: int
    lines: int
    code_lines: int


@dataclass(frozen=True)
class Place:
    """One thing at a place in the source, and its size."""

    name: str
    path: str
    size: int


@dataclass(frozen=True)
class SizeFigures:
    """Sizes of files, functions and folders.

    `__init__.py` and `__main__.py` are not among the small files. A function's lines are those
    from `def` to its end, functions inside it included.
    """

    files: int
    lines: int
    code_lines: int
    median_file: float
    small_files: int
    large_files: tuple[Place, ...]
    functions: int
    median_function: float
    large_functions: tuple[Place, ...]
    largest_folder: int
    crowded_folders: tuple[Place, ...]


def size_figures(files: Sequence[SourceFile]) -> SizeFigures:
    """Measure files, functions and folders."""
    functions = [
        Place(node.name, f"{file.path}:{node.lineno}", (node.end_lineno or 0) - node.lineno + 1)
        for file in files
        for node in ast.walk(file.tree)
        if isinstance(node, FUNCTIONS)
    ]
    folders = Counter(file.folder for file in files)
    return SizeFigures(
        files=len(files),
        lines=sum(len(file.lines) for file in files),
        code_lines=sum(map(code_lines, files)),
        median_file=median(len(file.lines) for file in files) if files else 0,
        small_files=sum(file.is_named and len(file.lines) < SMALL_FILE for file in files),
        large_files=_above(
            LARGE_FILE, (Place(file.stem, file.path, len(file.lines)) for file in files)
        ),
        functions=len(functions),
        median_function=median(place.size for place in functions) if functions else 0,
        large_functions=_above(LARGE_FUNCTION, functions),
        largest_folder=max(folders.values(), default=0),
        crowded_folders=_above(
            CROWDED_FOLDER,
            (Place(path.rpartition("/")[2], path, count) for path, count in folders.items()),
        ),
    )


def line_counts(
    files: Iterable[SourceFile], name: Callable[[SourceFile], str]
) -> tuple[LineCount, ...]:
    """Count lines of the files that share a name, such as that of their unit."""
    groups: defaultdict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        groups[name(file)].append(file)
    return tuple(
        LineCount(
            label, len(group), sum(len(file.lines) for file in group), sum(map(code_lines, group))
        )
        for label, group in groups.items()
    )


@cache
def code_lines(file: SourceFile) -> int:
    """Count the lines of a file that are neither blank, nor comment, nor docstring."""
    documented = {
        line
        for node in ast.walk(file.tree)
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None
        for line in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }
    occupied: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type in _LAYOUT or (
            token.type == tokenize.STRING and token.start[0] in documented
        ):
            continue
        occupied.update(range(token.start[0], token.end[0] + 1))
    return sum(bool(file.lines[line - 1].strip()) for line in occupied)


def _above(limit: int, places: Iterable[Place]) -> tuple[Place, ...]:
    large = (place for place in places if place.size > limit)
    return tuple(sorted(large, key=lambda place: (-place.size, place.path)))
