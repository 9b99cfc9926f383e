"""The C source of features without networks, as a library for this machine or in a firmware."""

from __future__ import annotations

import ctypes
from pathlib import Path

import edge_experts.converters.c_source
from edge_experts.converters.c_source.c_features import c_features
from edge_experts.converters.c_source.c_networks import NO_RECORD
from edge_experts.converters.tasks import c_literals as literals
from edge_experts.converters.tasks.c_answers import LABEL

from edge_experts.features import Features

from .compilers import compile_

SOURCE = Path(edge_experts.converters.c_source.__file__).parent
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
# The fastest code that C allows: it must not change a bit.
FLAGS = ("-O3", "-ffp-contract=fast")


def write_features(folder: Path, features: Features, labels: tuple[str, ...] = ("a",)) -> None:
    """Write what `c_source` writes, but for the networks."""
    folder.mkdir(parents=True)
    found = c_features(features)
    for name in ("edge_experts.h", "edge_experts.c", *found.files):
        text = LABEL.put_into((SOURCE / name).read_text(encoding="utf-8"))
        (folder / name).write_text(text, encoding="utf-8")
    numbers: dict[str, object] = {"COUNT": 1, "LABELS": len(labels), "TRUNK": 0, **found.defines}
    numbers |= {"TEMPERATURE": "1.0f", "ABSTAIN_BELOW": "0.0f"}
    lines = [f"#define EDGE_EXPERTS_{name} {value}\n" for name, value in numbers.items()]
    (folder / "edge_experts_config.h").write_text("".join(lines))
    headers = [name for name in ("edge_experts.h", *found.files) if name.endswith(".h")]
    (folder / "tables.c").write_text(
        "".join(f'#include "{name}"\n' for name in headers)
        + f"const edge_experts_model edge_experts_router = {NO_RECORD};\n"
        + f"const edge_experts_model edge_experts_experts[1] = {{{NO_RECORD}}};\n"
        + "const char *const edge_experts_labels[] = {\n"
        + f"{literals.listing(map(literals.text, labels))}\n}};\n{found.definitions}"
    )


def compile_as_cpp(folder: Path) -> None:
    """Compile a folder's C files for a board as C++11, which firmware may do."""
    for source in sorted(folder.glob("*.c")):
        warnings = WARNINGS[1:]
        compile_("arm-none-eabi-g++", "-mcpu=cortex-m4", "-mthumb", "-std=c++11", *warnings,
                 "-x", "c++", "-c", source, "-o", source.with_suffix(".cpp.o"))  # fmt: skip


def library(folder: Path, features: Features, labels: tuple[str, ...] = ("a",)) -> ctypes.CDLL:
    """Compile the C source of features for this machine."""
    write_features(folder, features, labels)
    out = folder / "features.so"
    sources = sorted(folder.glob("*.c"))
    compile_("gcc", *WARNINGS, *FLAGS, "-march=native", "-shared", "-fPIC", *sources, "-lm", "-o",
             out)  # fmt: skip
    return ctypes.CDLL(str(out))
