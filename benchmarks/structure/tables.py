"""Structure figures as text: a column for each commit, and the places behind the figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from edge_experts.text_table import aligned

from .import_graph import Cycle
from .layer_rules import short_name
from .line_counts import (
    CROWDED_FOLDER,
    LARGE_FILE,
    LARGE_FUNCTION,
    SMALL_FILE,
    LineCount,
    Place,
)
from .measurement import SourceStructure
from .wording import RepeatedName


def text_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Align rows below their headers."""
    return "\n".join(aligned([headers, *rows]))


def comparison(structures: Mapping[str, SourceStructure]) -> str:
    """Tables of all figures and of the layers' lines, one column for each label."""
    columns = [dict(_figures(structure)) for structure in structures.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    counts = [
        {count.name: count for count in structure.layers.lines} for structure in structures.values()
    ]
    names = merged_order(counts)
    layers = [[name, *(_lines_cell(column.get(name)) for column in counts)] for name in names]
    return "\n\n".join(
        [
            text_table(["figure", *structures], rows),
            text_table(["files / lines / code lines of", *structures], layers),
        ]
    )


def merged_order(columns: Iterable[Iterable[str]]) -> list[str]:
    """Merge columns of names: a name that is new goes below its neighbour in its own column."""
    merged: list[str] = []
    for column in columns:
        position = -1
        for name in column:
            if name not in merged:
                merged.insert(position + 1, name)
            position = merged.index(name)
    return merged


def details(structure: SourceStructure) -> str:
    """Lists behind the figures of one commit."""
    imports, layers, sizes = structure.imports, structure.layers, structure.sizes
    words, programs = structure.wording, structure.command_lines
    sections = {
        "Unit cycles": map(_members, imports.unit_cycles),
        "Unit cycles without TYPE_CHECKING": map(_members, imports.unit_cycles_at_run_time),
        "File cycles": map(_members, imports.file_cycles),
        "File cycles without TYPE_CHECKING": map(_members, imports.file_cycles_at_run_time),
        "Upward unit pairs": (f"{start} -> {end}" for start, end in layers.upward_pairs),
        "Upward imports": (
            f"{edge.path}:{edge.line}: {short_name(edge.importer)} ({edge.importer_layer}) -> "
            f"{short_name(edge.imported)} ({edge.imported_layer}), {edge.kind}"
            for edge in layers.upward_imports
        ),
        "Units in no layer": layers.unlayered_units,
        f"Files above {LARGE_FILE} lines": map(_place, sizes.large_files),
        f"Functions above {LARGE_FUNCTION} lines": map(_place, sizes.large_functions),
        f"Folders above {CROWDED_FOLDER} files": map(_place, sizes.crowded_folders),
        "Docstrings that open with a clause": (
            f"{opening.word}: {opening.docstrings}" for opening in words.opening_words
        ),
        "Repeated public class names": map(_repeated, words.repeated_classes),
        "Repeated file names": map(_repeated, words.repeated_files),
        **{f"Checks of {check.pattern}": check.paths for check in words.task_checks},
        "Argparse programs": (*programs.shipped_parsers, *programs.other_parsers),
        "Typer apps": (*programs.shipped_apps, *programs.other_apps),
    }
    return "\n\n".join(
        [
            _lines_table("source folder", structure.folder_lines),
            _lines_table("unit", structure.unit_lines),
            _pair_table(structure),
            *(text for title, lines in sections.items() if (text := _section(title, lines))),
        ]
    )


def _figures(structure: SourceStructure) -> list[tuple[str, str]]:
    imports, layers, sizes = structure.imports, structure.layers, structure.sizes
    words, programs = structure.wording, structure.command_lines
    pairs = imports.unit_pairs
    only_type_checking = [pair for pair in pairs if not pair.top_level + pair.lazy]
    only_lazy = [pair for pair in pairs if pair.lazy and not pair.top_level]
    return [
        ("units", str(len(structure.unit_lines))),
        ("unit pairs with imports", str(len(pairs))),
        ("unit pairs lazy only", str(len(only_lazy))),
        ("unit pairs TYPE_CHECKING only", str(len(only_type_checking))),
        ("unit cycles", _cycles(imports.unit_cycles)),
        ("unit cycles without TYPE_CHECKING", _cycles(imports.unit_cycles_at_run_time)),
        ("file cycles", _cycles(imports.file_cycles)),
        ("file cycles without TYPE_CHECKING", _cycles(imports.file_cycles_at_run_time)),
        ("layer order from", layers.source),
        ("upward unit pairs", str(len(layers.upward_pairs))),
        ("upward imports", str(len(layers.upward_imports))),
        ("files", f"{sizes.files:,}"),
        ("lines", f"{sizes.lines:,}"),
        ("code lines", f"{sizes.code_lines:,}"),
        ("median lines of a file", f"{sizes.median_file:g}"),
        (f"files under {SMALL_FILE} lines", str(sizes.small_files)),
        (f"files above {LARGE_FILE} lines", str(len(sizes.large_files))),
        ("functions", f"{sizes.functions:,}"),
        ("median lines of a function", f"{sizes.median_function:g}"),
        (f"functions above {LARGE_FUNCTION} lines", str(len(sizes.large_functions))),
        ("files of the largest folder", str(sizes.largest_folder)),
        (f"folders above {CROWDED_FOLDER} files", str(len(sizes.crowded_folders))),
        ("docstrings", f"{words.docstrings:,}"),
        ("docstrings that open with a clause", f"{words.clause_docstrings:,}"),
        ("repeated public class names", str(len(words.repeated_classes))),
        ("repeated file names", str(len(words.repeated_files))),
        ("argparse programs in the package", str(len(programs.shipped_parsers))),
        ("argparse programs elsewhere", str(len(programs.other_parsers))),
        ("Typer apps in the package", str(len(programs.shipped_apps))),
        ("Typer apps elsewhere", str(len(programs.other_apps))),
        ("Typer commands", str(programs.commands)),
        ("options of Typer commands", str(programs.options)),
        *(
            (f"checks of {check.pattern}", f"{check.checks} in {len(check.paths)} files")
            for check in words.task_checks
        ),
    ]


def _cycles(cycles: Sequence[Cycle]) -> str:
    sizes = ", ".join(str(len(cycle)) for cycle in cycles)
    return f"{len(cycles)} (of {sizes})" if cycles else "0"


def _lines_cell(count: LineCount | None) -> str:
    return "-" if count is None else f"{count.files} / {count.lines:,} / {count.code_lines:,}"


def _lines_table(header: str, counts: Iterable[LineCount]) -> str:
    rows = [
        [count.name, str(count.files), f"{count.lines:,}", f"{count.code_lines:,}"]
        for count in counts
    ]
    return text_table([header, "files", "lines", "code lines"], rows)


def _pair_table(structure: SourceStructure) -> str:
    rows = [
        [
            f"{pair.importer} -> {pair.imported}",
            str(pair.top_level),
            str(pair.lazy),
            str(pair.type_checking),
        ]
        for pair in structure.imports.unit_pairs
    ]
    return text_table(["imports", "top-level", "lazy", "TYPE_CHECKING"], rows)


def _section(title: str, lines: Iterable[str]) -> str:
    indented = [f"  {line}" for line in lines]
    return "\n".join([f"{title}:", *indented]) if indented else ""


def _members(cycle: Cycle) -> str:
    return ", ".join(map(short_name, cycle))


def _place(place: Place) -> str:
    return f"{place.path}: {place.name}, {place.size}"


def _repeated(name: RepeatedName) -> str:
    return f"{name.name}: {', '.join(name.paths)}"
