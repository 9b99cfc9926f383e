"""Structure of one checkout: all figures, read from the source alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .checkout import SourceFile, read_sources, unit_of
from .command_lines import CommandLines, command_lines
from .import_graph import ImportFigures, ModuleImport, import_figures, module_imports
from .layer_rules import Layering, UpwardImport, layer_of, read_layering, upward_imports
from .line_counts import LineCount, SizeFigures, line_counts, size_figures
from .wording import Wording, wording

UNLAYERED = "in no layer"


@dataclass(frozen=True)
class LayerFigures:
    """Order of the layers that was checked, what breaks it, and each layer's lines."""

    source: str
    upward_imports: tuple[UpwardImport, ...]
    upward_pairs: tuple[tuple[str, str], ...]  # units (importer, imported)
    unlayered_units: tuple[str, ...]
    lines: tuple[LineCount, ...]  # lowest layer first


@dataclass(frozen=True)
class SourceStructure:
    """All figures of one checkout."""

    imports: ImportFigures
    layers: LayerFigures
    sizes: SizeFigures
    unit_lines: tuple[LineCount, ...]
    folder_lines: tuple[LineCount, ...]
    wording: Wording
    command_lines: CommandLines


def measure(root: Path) -> SourceStructure:
    """Measure the structure of the checkout at `root`; nothing in it is imported or run."""
    files = read_sources(root)
    imports = module_imports(files)
    return SourceStructure(
        imports=import_figures(imports),
        layers=_layer_figures(files, imports, read_layering(root)),
        sizes=size_figures(files),
        unit_lines=line_counts(files, lambda file: unit_of(file.module)),
        folder_lines=line_counts(files, lambda file: file.source_folder),
        wording=wording(files),
        command_lines=command_lines(files),
    )


def _layer_figures(
    files: list[SourceFile], imports: list[ModuleImport], layering: Layering
) -> LayerFigures:
    ladder = layering.ladders[0]
    upward = upward_imports(imports, layering.ladders)

    def label(file: SourceFile) -> str:
        position = layer_of(file.module, ladder)
        return UNLAYERED if position is None else ladder[position[0]].label

    order = [*(layer.label for layer in ladder), UNLAYERED]
    return LayerFigures(
        source=layering.source,
        upward_imports=upward,
        upward_pairs=tuple(
            sorted({(unit_of(edge.importer), unit_of(edge.imported)) for edge in upward})
        ),
        unlayered_units=tuple(
            sorted({unit_of(file.module) for file in files if label(file) == UNLAYERED})
        ),
        lines=tuple(sorted(line_counts(files, label), key=lambda count: order.index(count.name))),
    )
