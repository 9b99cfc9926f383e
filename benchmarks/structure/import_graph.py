"""Import graph of modules and units, and its cycles.

Absolute and relative imports count, at the top of a module, inside functions (lazy) and under
`if TYPE_CHECKING:`. An import of `a.b.c` is an import of the module `a.b.c` alone: the packages
`a` and `a.b`, which Python imports with it, are not counted.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .checkout import CONVERTERS, SOURCE_FOLDERS, SourceFile, unit_of

Kind = Literal["top-level", "lazy", "TYPE_CHECKING"]
Cycle = tuple[str, ...]


@dataclass(frozen=True)
class ModuleImport:
    """One module that imports another, at one line."""

    importer: str
    imported: str
    path: str
    line: int
    kind: Kind


@dataclass(frozen=True)
class UnitPair:
    """One unit that imports another, and the number of such imports of each kind."""

    importer: str
    imported: str
    top_level: int
    lazy: int
    type_checking: int


@dataclass(frozen=True)
class ImportFigures:
    """Arrows and cycles of the import graph.

    Cycles are strongly connected components of more than one member. Those at run time leave
    out imports under TYPE_CHECKING.
    """

    unit_pairs: tuple[UnitPair, ...]
    unit_cycles: tuple[Cycle, ...]
    unit_cycles_at_run_time: tuple[Cycle, ...]
    file_cycles: tuple[Cycle, ...]
    file_cycles_at_run_time: tuple[Cycle, ...]


def module_imports(files: Iterable[SourceFile]) -> list[ModuleImport]:
    """List the imports between the files, in order of path and line."""
    files = list(files)
    modules = {file.module for file in files}
    edges = {
        ModuleImport(file.module, imported, file.path, node.lineno, kind)
        for file in files
        for node, kind in _statements(file.tree, "top-level")
        for imported in _imported_modules(node, file, modules)
        if imported != file.module
    }
    return sorted(edges, key=lambda edge: (edge.path, edge.line, edge.imported))


def import_figures(imports: Sequence[ModuleImport]) -> ImportFigures:
    """Count the unit pairs and find the cycles of units and of files."""
    run_time = [edge for edge in imports if edge.kind != "TYPE_CHECKING"]
    return ImportFigures(
        unit_pairs=_unit_pairs(imports),
        unit_cycles=cycles(_units(imports)),
        unit_cycles_at_run_time=cycles(_units(run_time)),
        file_cycles=cycles((edge.importer, edge.imported) for edge in imports),
        file_cycles_at_run_time=cycles((edge.importer, edge.imported) for edge in run_time),
    )


def cycles(arrows: Iterable[tuple[str, str]]) -> tuple[Cycle, ...]:
    """Find the strongly connected components with more than one member, the largest first."""
    targets: defaultdict[str, set[str]] = defaultdict(set)
    for start, end in arrows:
        targets[start].add(end)
    reachable = {name: _reachable(name, targets) for name in targets}
    components = {
        tuple(sorted(end for end in ends if start in reachable.get(end, ())))
        for start, ends in reachable.items()
        if start in ends
    }
    return tuple(
        sorted(
            (cycle for cycle in components if len(cycle) > 1),
            key=lambda cycle: (-len(cycle), cycle),
        )
    )


def _reachable(start: str, targets: Mapping[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    open_ends = [start]
    while open_ends:
        fresh = targets.get(open_ends.pop(), set()) - reached
        reached |= fresh
        open_ends += fresh
    return reached


def _units(imports: Iterable[ModuleImport]) -> Iterator[tuple[str, str]]:
    for edge in imports:
        importer, imported = unit_of(edge.importer), unit_of(edge.imported)
        if importer != imported:
            yield importer, imported


def _unit_pairs(imports: Sequence[ModuleImport]) -> tuple[UnitPair, ...]:
    kinds: defaultdict[tuple[str, str], list[Kind]] = defaultdict(list)
    for edge in imports:
        for pair in _units([edge]):
            kinds[pair].append(edge.kind)
    return tuple(
        UnitPair(*pair, each.count("top-level"), each.count("lazy"), each.count("TYPE_CHECKING"))
        for pair, each in sorted(kinds.items())
    )


def _statements(node: ast.AST, kind: Kind) -> Iterator[tuple[ast.Import | ast.ImportFrom, Kind]]:
    for child in ast.iter_child_nodes(node):
        yield from _statements_in(child, kind)


def _statements_in(node: ast.AST, kind: Kind) -> Iterator[tuple[ast.Import | ast.ImportFrom, Kind]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, kind
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from _statements(node, "lazy" if kind == "top-level" else kind)
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for child in node.body:
            yield from _statements_in(child, "TYPE_CHECKING")
        for child in node.orelse:
            yield from _statements_in(child, kind)
    else:
        yield from _statements(node, kind)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _imported_modules(
    node: ast.Import | ast.ImportFrom, file: SourceFile, modules: set[str]
) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [_installed(alias.name) for alias in node.names]
    else:
        base = _base(node, file)
        names = [f"{base}.{alias.name}" for alias in node.names]
    for name in names:
        known = _longest_known(name, modules)
        if known is not None:
            yield known


def _base(node: ast.ImportFrom, file: SourceFile) -> str:
    """Name the module after `from`, absolute."""
    if not node.level:
        return _installed(node.module or "")
    parts = file.module.split(".")
    depth = max(0, len(parts) - node.level + file.is_package)
    return ".".join([*parts[:depth], *filter(None, [node.module])])


def _installed(name: str) -> str:
    """Name under which a module is installed, for imports by its folder in the checkout."""
    root, dot, rest = name.partition(".")
    return SOURCE_FOLDERS[CONVERTERS] + dot + rest if root == CONVERTERS else name


def _longest_known(name: str, modules: set[str]) -> str | None:
    """Cut trailing parts, such as a function's name, until a module remains."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None
