"""Places and contents of the test data that 0.1.0 made; see make_data.py."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import tarfile
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data/v0_1_0"
RUNS = DATA / "runs"
BUNDLES = DATA / "bundles"
SOURCES = DATA / "sources"
SNAPSHOTS = DATA / "snapshots"
ANSWERS = DATA / "answers"
WHEEL = DATA / "edge_experts-0.1.0-py3-none-any.whl"

# What is converted, and with which options beside --quantization.
RECIPES: dict[str, tuple[str, ...]] = {
    "text": ("int8", "float32", "dynamic"),
    "table": ("int8", "float32", "float16", "dynamic"),
    "table_sum": ("int8",),
    "table_two": ("int8",),
    "table_aware": ("int8",),
    "image": ("int8",),
    "window": ("int8",),
    "vector": ("int8",),
    "translation": ("int8",),
}
OPTIONS: dict[str, tuple[str, ...]] = {"translation": ("--beams", "2")}
_FLAGS = re.compile(r"avx\w*|amx\w*|fma\w*|sse\w*|f16c")


def snapshot(name: str) -> Any:
    """The content of snapshots/NAME.json."""
    return json.loads((SNAPSHOTS / f"{name}.json").read_text(encoding="utf-8"))


def conversions() -> list[tuple[str, str]]:
    """Every run and recipe whose model files are recorded."""
    return [(run, recipe) for run, recipes in RECIPES.items() for recipe in recipes]


def processor() -> str:
    """The instructions for arithmetic on vectors that this processor has."""
    if not (info := Path("/proc/cpuinfo")).exists():
        return platform.machine()
    line = next((line for line in info.read_text().splitlines() if line.startswith("flags")), "")
    found = sorted({flag for flag in line.split() if _FLAGS.fullmatch(flag)})
    return " ".join([platform.machine(), *found])


def versions() -> dict[str, str]:
    """The packages that decide which bytes conversion writes."""
    names = ("tensorflow", "tf_keras", "tensorflow-model-optimization")
    return {name: importlib.metadata.version(name) for name in names}


def is_recorded_interpreter() -> bool:
    """Return whether answers come from tflite-runtime 2.14, as the recorded ones do."""
    try:
        return importlib.metadata.version("tflite-runtime").startswith("2.14.")
    except importlib.metadata.PackageNotFoundError:
        return False


def is_recorded_processor() -> bool:
    """Return whether this processor has the vector instructions of the one that recorded."""
    recorded: str = snapshot("machine")["processor"]
    return processor() == recorded


def unpack(name: str, folder: Path) -> Path:
    """Unpack NAME.tar.gz of the data, with its links, and return the folder NAME in it."""
    with tarfile.open(DATA / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="tar")
    return folder / name
