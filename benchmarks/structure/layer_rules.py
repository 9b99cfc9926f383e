"""Layers of the package, and imports that break their order.

The order comes from the import-linter contracts of type "layers" in the checkout's pyproject.toml,
exceptions (`ignore_imports`) not honoured. A checkout without such a contract is measured against
TABLE, which assigns also the names that units had before they were put into layers.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checkout import PACKAGE, PROJECT_FILE
from .import_graph import ModuleImport


@dataclass(frozen=True)
class LayerRule:
    """One layer: groups of modules, which may not import each other where independent."""

    label: str
    groups: tuple[tuple[str, ...], ...]
    independent: bool = True

    def group(self, module: str) -> int | None:
        """Index of the group that contains the module; None if no group does."""
        for index, names in enumerate(self.groups):
            if any(module == name or module.startswith(f"{name}.") for name in names):
                return index
        return None


Ladder = tuple[LayerRule, ...]  # lowest layer first


@dataclass(frozen=True)
class Layering:
    """Ladders of a checkout: the first orders the package, others the inside of a unit."""

    source: str
    ladders: tuple[Ladder, ...]


@dataclass(frozen=True)
class UpwardImport:
    """One import of a higher layer, or of an independent sibling in the same layer."""

    importer: str
    imported: str
    importer_layer: str
    imported_layer: str
    path: str
    line: int
    kind: str


def _units(label: str, *groups: str, independent: bool = True) -> LayerRule:
    members = tuple(tuple(f"{PACKAGE}.{name}" for name in group.split()) for group in groups)
    return LayerRule(label, members, independent)


ABOVE = LayerRule(
    "benchmarks, device_tests", (("benchmarks",), ("device_tests",)), independent=False
)
TABLE: Ladder = (
    _units("errors, version", "errors version"),
    _units(
        "keras_setup, plotting, progress, subprocesses, text_table",
        "keras_setup plotting progress subprocesses text_table drawing",
    ),
    _units(
        "format, compression",
        "format bundle parsing limits zips files archive inspection reference folders disk "
        "generation",
        "compression",
    ),
    _units("features", "features"),
    _units("datasets", "datasets translations"),
    _units("runtime", "runtime"),
    _units("benchmarking, serving, updates", "benchmarking html_report", "serving", "updates"),
    _units("run_folder, keras3_process", "run_folder", "keras3_process keras3"),
    _units("training", "training"),
    _units("converters", "converters"),
    _units("experiments", "experiments"),
    _units("deploying", "deploying"),
    _units("cli", "cli"),
    _units("__main__", "__main__"),
    ABOVE,
)


def read_layering(root: Path) -> Layering:
    """Read the layers of a checkout from its project file, or take TABLE."""
    path = root / PROJECT_FILE
    project = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    contracts = project.get("tool", {}).get("importlinter", {}).get("contracts", [])
    ladders = [
        ladder
        for contract in contracts
        if contract.get("type") == "layers"
        for ladder in _ladders(contract)
    ]
    if not ladders:
        return Layering("built-in table", (TABLE,))
    ladders.sort(key=len, reverse=True)
    if not any(layer.group(name) is not None for layer in ladders[0] for (name,) in ABOVE.groups):
        ladders[0] = (*ladders[0], ABOVE)
    return Layering(PROJECT_FILE, tuple(ladders))


def _ladders(contract: dict[str, Any]) -> Iterable[Ladder]:
    """Read one contract: one ladder, or one for each of its containers."""
    for container in contract.get("containers", [""]):
        prefix = f"{container}." if container else ""
        yield tuple(_layer(line, prefix) for line in reversed(contract["layers"]))


def _layer(line: str, prefix: str) -> LayerRule:
    """Parse a layer's line: `a | b` are independent, `a : b` are not, `(a)` is optional."""
    separator = ":" if ":" in line else "|"
    names = [prefix + name.strip().strip("()").strip() for name in line.split(separator)]
    short = [short_name(name) for name in names]
    # The names of TABLE, so that commits with and without a contract share their rows.
    label = next(
        (known.label for known in TABLE if set(known.label.split(", ")) == set(short)),
        ", ".join(short),
    )
    return LayerRule(label, tuple((name,) for name in names), independent=separator == "|")


def short_name(module: str) -> str:
    """Module name without the package's own."""
    return module.removeprefix(f"{PACKAGE}.")


def layer_of(module: str, ladder: Ladder) -> tuple[int, int] | None:
    """Position of a module: index of its layer, index of its group; None if in no layer."""
    for index, layer in enumerate(ladder):
        group = layer.group(module)
        if group is not None:
            return index, group
    return None


def upward_imports(
    imports: Iterable[ModuleImport], ladders: Sequence[Ladder]
) -> tuple[UpwardImport, ...]:
    """List imports of higher layers and of independent siblings, in order of path and line."""
    breaches: dict[tuple[str, int, str], UpwardImport] = {}
    for edge in imports:
        for ladder in ladders:
            importer, imported = layer_of(edge.importer, ladder), layer_of(edge.imported, ladder)
            if importer is None or imported is None or not _breaks(importer, imported, ladder):
                continue
            breaches[edge.path, edge.line, edge.imported] = UpwardImport(
                edge.importer,
                edge.imported,
                ladder[importer[0]].label,
                ladder[imported[0]].label,
                edge.path,
                edge.line,
                edge.kind,
            )
    return tuple(breaches[key] for key in sorted(breaches))


def _breaks(importer: tuple[int, int], imported: tuple[int, int], ladder: Ladder) -> bool:
    if importer[0] != imported[0]:
        return imported[0] > importer[0]
    return importer[1] != imported[1] and ladder[importer[0]].independent
