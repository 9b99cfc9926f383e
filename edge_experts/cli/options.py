"""Options and arguments that several commands share, and how they are read."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import DevicePartError, MissingExtraError


def folder(text: str) -> Path:
    """The bundle's folder: where `text` is what bundles are installed in, the current one's."""
    from ..format.install_root import resolve

    return resolve(Path(text))


BUNDLE_HELP = "The bundle's folder, or what bundles are installed in."
Bundle = Annotated[
    Path,
    typer.Argument(help=BUNDLE_HELP, parser=folder, show_default=False),
]
# For commands that treat an installed bundle differently.
BundleOrRoot = Annotated[Path, typer.Argument(help=BUNDLE_HELP, show_default=False)]
Root = Annotated[Path, typer.Argument(help="What bundles are installed in.", show_default=False)]
Trust = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="KEY.pub",
        help="A public key that may have signed the bundle; repeatable.",
        show_default=False,
    ),
]
AllowOlder = Annotated[
    bool,
    typer.Option(
        "--allow-older", help="Also a version not above the newest that was ever installed."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Compared = Annotated[
    Path | None,
    typer.Option(
        metavar="comparison.json",
        help="What `compare --out` left: its rows are drawn too.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the folder if it exists.")]
Threads = Annotated[int, typer.Option(help="For the interpreter's kernels.", min=1)]
Recipe = Annotated[
    Literal["float32", "float16", "dynamic", "int8", "int16x8"],  # the converters' RECIPE_NAMES
    typer.Option("--quantization", help="How numbers are stored and computed."),
]
Quantization = Annotated[
    Literal["float32", "float16", "dynamic", "int8", "int16x8", "auto"],  # their QUANTIZATIONS
    typer.Option(
        help="How numbers are stored and computed; auto: for each network what costs least "
        "accuracy at the size that you state."
    ),
]
Layout = Annotated[
    Literal["split", "gated", "nested-if"],  # the converters' LAYOUTS
    typer.Option(
        help="A file for each expert; or, to measure that against, all in one file, where every "
        "expert is computed (gated) or one is branched to (nested-if)."
    ),
]
Task = Annotated[
    str | None,
    typer.Option(
        metavar="TASK",
        help="What the targets are, where the data does not say it: classification (a column "
        "`label`, whole numbers) or regression (`target`, or `target:NAME`; other numbers).",
        show_default=False,
    ),
]
Width = Annotated[
    float | None,
    typer.Option(help="Multiplies the units of an expert's hidden layers.  [default: 1.0]"),
]
Model = Annotated[
    str | None,
    typer.Option(help="module:function that builds an expert from its shapes.", show_default=False),
]
RouterModel = Annotated[
    str | None,
    typer.Option(
        help="module:function that builds the router from its shapes and the number of experts.",
        show_default=False,
    ),
]
Source = Annotated[
    str,
    typer.Option(
        "--data",
        help="A named data set (sentiment, reviews, sections, fashion-mnist, mnist, "
        "mnist-and-fashion, diamonds), or your own .csv or .tsv with a column label or target, or "
        ".npz of arrays; the README says what is in them.",
        show_default=False,
    ),
]

_SIZES = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_MICROSECONDS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}


def size(text: str) -> int:
    """'400KB', '8MB', '1.5MiB' or plain bytes, as a number of bytes."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if not match or match[2].upper() not in _SIZES:
        raise typer.BadParameter(f"must be a size such as 400KB, 8MB or 1.5MiB, got {text!r}")
    return int(float(match[1]) * _SIZES[match[2].upper()])


def duration(text: str) -> float:
    """'800us', '5ms' or '0.1s' as microseconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-zµ]+)\s*", text)
    if not match or match[2].lower() not in _MICROSECONDS:
        raise typer.BadParameter(f"must be a time such as 800us, 5ms or 0.1s, got {text!r}")
    return float(match[1]) * _MICROSECONDS[match[2].lower()]


MemoryBudget = Annotated[
    int | None,
    typer.Option(
        parser=size,
        metavar="SIZE",
        help="What the router and the experts in memory may take together, such as 8MB.",
    ),
]


def require_training() -> None:
    """Say that TensorFlow is missing before any work is done. Importing it takes seconds.

    Raises:
        DevicePartError: this is what `deploy` sends to boards.
        MissingExtraError: TensorFlow or tf_keras is not installed.
    """
    if importlib.util.find_spec("edge_experts.training") is None:
        raise DevicePartError("edge_experts.training")
    if not all(importlib.util.find_spec(name) for name in ("tensorflow", "tf_keras")):
        raise MissingExtraError("TensorFlow", "train")


def require_serving() -> None:
    """Say that the server's libraries are missing before a bundle is opened."""
    if not all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn")):
        raise MissingExtraError("The server", "serve")


def as_typed() -> str:
    """The command that runs, for whoever wants to run it again."""
    return shlex.join(["edge-experts", *sys.argv[1:]])


def print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))
