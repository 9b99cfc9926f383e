"""TensorFlow Lite Micro for a Cortex-M4: what a model needs of it, compiled from a checkout.

No package has its sources. A checkout has them, and after this its third-party headers too:

    make -f tensorflow/lite/micro/tools/make/Makefile third_party_downloads
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .compilers import compile_
from .cortex_m import BOARD

CHECKOUT = "TFLITE_MICRO"  # environment variable that names it
# As its Makefile has them for BUILD_TYPE=release.
FLAGS = (
    *BOARD, "-std=c++17", "-O2", "-ffunction-sections", "-fdata-sections", "-fno-exceptions",
    "-fno-rtti", "-fno-threadsafe-statics", "-fno-unwind-tables", "-DTF_LITE_STATIC_MEMORY",
    "-DTF_LITE_DISABLE_X86_NEON", "-DNDEBUG", "-DTF_LITE_STRIP_ERROR_STRINGS",
)  # fmt: skip
_DOWNLOADS = "tensorflow/lite/micro/tools/make/downloads"
_KERNELS = "tensorflow/lite/micro/kernels"
_PARTS = (
    *("tensorflow/compiler/mlir/lite/schema", "tensorflow/compiler/mlir/lite/core/api"),
    *("tensorflow/lite/core/api", "tensorflow/lite/core/c", "tensorflow/lite/kernels"),
    *("tensorflow/lite/kernels/internal", "tensorflow/lite/kernels/internal/reference"),
    *("tensorflow/lite/micro", "tensorflow/lite/micro/arena_allocator"),
    *("tensorflow/lite/micro/memory_planner", "tensorflow/lite/micro/tflite_bridge"),
)
_OF_TESTS = ("test", "mock", "fake")


def includes(checkout: Path) -> list[str]:
    """Return the options that name the folders of headers."""
    third = ("flatbuffers/include", "gemmlowp", "ruy")
    folders = (checkout, *(checkout / _DOWNLOADS / name for name in third))
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    assert not missing, f"{', '.join(missing)}: missing.\n{__doc__}"
    return [f"-I{folder}" for folder in folders]


def library(checkout: Path, out: Path, operators: Path) -> Path:
    """Compile the interpreter and some kernels into the folder `out`; returns the archive.

    Args:
        out: objects that it has are not compiled again.
        operators: the file of a C source that adds operators to a resolver.
    """
    out.mkdir(parents=True, exist_ok=True)
    headers, sources = includes(checkout), [*_core(checkout), *_kernels(checkout, operators)]

    def compiled(source: Path) -> Path:
        made = out / f"{'-'.join(source.relative_to(checkout).parts[2:])}.o"
        if not made.exists():
            part = made.with_suffix(".part")
            compile_("arm-none-eabi-g++", *FLAGS, *headers, "-c", source, "-o", part)
            part.rename(made)
        return made

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(compiled, sources))
    archive = out / f"{operators.parent.name}.a"
    archive.unlink(missing_ok=True)
    compile_("arm-none-eabi-ar", "rcs", archive, *objects)
    return archive


def _core(checkout: Path) -> Iterator[Path]:
    for part in _PARTS:
        for path in sorted((checkout / part).glob("*.cc")):
            if not any(word in path.name for word in _OF_TESTS):
                yield path


def _kernels(checkout: Path, operators: Path) -> set[Path]:
    """Find the files that define the operators, and those that these share with others."""
    resolver = (checkout / "tensorflow/lite/micro/micro_mutable_op_resolver.h").read_text("utf-8")
    texts = {path: path.read_text("utf-8") for path in (checkout / _KERNELS).glob("*.cc")}
    found: set[Path] = set()
    for method in re.findall(r"resolver\.(\w+)\(", operators.read_text("utf-8")):
        added = re.search(rf" {method}\(.*?\b(Register_\w+)\(", resolver, re.DOTALL)
        assert added, f"{checkout}: {method} is unknown there"
        defined = re.compile(rf"^TFLMRegistration\*? {added[1]}\(\)", re.MULTILINE)
        found |= {path for path, text in texts.items() if defined.search(text)}
    waiting = list(found)
    while waiting:
        for header in re.findall(rf'#include "({_KERNELS}/\w+)\.h"', texts[waiting.pop()]):
            for shared in (checkout / f"{header}_common.cc", checkout / f"{header}.cc"):
                if shared in texts and shared not in found:
                    found.add(shared)
                    waiting.append(shared)
                    break
    return found
