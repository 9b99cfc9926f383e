"""Options and arguments that several commands share, and their parsers."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..errors import DevicePartError, MissingExtraError, UsageError
from .help import BACKBONE, RARE, WRITING


def folder(text: str) -> Path:
    """Return the bundle's folder; for an install root, that of the current version."""
    from ..format.install_root import resolve

    return resolve(Path(text))


BUNDLE_HELP = "A bundle's folder, or the folder that bundles are installed in."
Bundle = Annotated[
    Path,
    typer.Argument(help=BUNDLE_HELP, parser=folder, show_default=False),
]
# For commands that treat an installed bundle differently.
BundleOrRoot = Annotated[Path, typer.Argument(help=BUNDLE_HELP, show_default=False)]
Root = Annotated[
    Path, typer.Argument(help="Folder that bundles are installed in.", show_default=False)
]
Trust = Annotated[
    list[Path] | None,
    typer.Option(metavar="KEY.pub", help="Public key to check the signature with; repeatable."),
]
AllowOlder = Annotated[
    bool,
    typer.Option(
        "--allow-older",
        help="Accept a version not above the newest ever installed.",
        rich_help_panel=RARE,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Compared = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.json", help="comparison.json of `compare`, whose rows are drawn too."
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace the output if it exists.")]
Threads = Annotated[
    int,
    typer.Option(help="Threads of the interpreter's kernels.", min=1, rich_help_panel=RARE),
]
Context = Annotated[
    int | None,
    typer.Option(
        help="Tokens of prompt and answer to reserve memory for.",
        show_default="as in training",
        rich_help_panel=WRITING,
    ),
]
PreferResident = Annotated[
    float,
    typer.Option(
        metavar="SHARE",
        help="Prefer experts in memory, within this share of the scores' range.",
        min=0,
        max=1,
        rich_help_panel=WRITING,
    ),
]
ExpertsPerToken = Annotated[
    int | None,
    typer.Option(
        help="Experts that a token uses in each layer.",
        min=1,
        show_default="as in training",
        rich_help_panel=WRITING,
    ),
]
Recipe = Annotated[
    Literal["float32", "float16", "dynamic", "int8", "int16x8"],  # the converters' RECIPE_NAMES
    typer.Option("--quantization", help="Number format of the files."),
]
Quantization = Annotated[
    Literal[
        "float32", "float16", "dynamic", "int8", "int16x8", "int4", "auto"
    ],  # their QUANTIZATIONS
    typer.Option(help="Number format of the files; auto: chosen per network, under --size-budget."),
]
Layout = Annotated[
    Literal["split", "gated", "nested-if"],  # the converters' LAYOUTS
    typer.Option(help="One file per expert; or, for comparison, all in one.", rich_help_panel=RARE),
]
Task = Annotated[
    str | None,
    typer.Option(
        metavar="TASK",
        help="classification, multi-label, regression, anomaly or language-model.",
        show_default="from the data",
    ),
]
ImageSize = Annotated[
    int | None,
    typer.Option(
        metavar="PIXELS",
        help="Side of photos after resizing.",
        min=8,
        show_default="32 to 96, by the photos",
    ),
]
Window = Annotated[
    int | None,
    typer.Option(
        metavar="ROWS",
        help="Rows of a window, for recordings of sensors.",
        min=2,
        show_default="none: a row is an example",
    ),
]
Stride = Annotated[
    int | None,
    typer.Option(
        metavar="ROWS",
        help="Rows between the starts of two windows.",
        min=1,
        show_default="half of --window",
    ),
]
Backbone = Annotated[
    Path | None,
    typer.Option(
        metavar="NETWORK.keras",
        help="Pretrained network to build all experts on.",
        rich_help_panel=BACKBONE,
    ),
]
BackboneLayer = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Layer whose outputs are features.",
        show_default="the one before the classifier",
        rich_help_panel=BACKBONE,
    ),
]
BackboneInput = Annotated[
    Literal["unchanged", "0..1", "-1..1", "standardized"] | None,  # config.BACKBONE_INPUTS
    typer.Option(
        help="Scale of its inputs (unchanged: pixels of 0 to 255).",
        show_default="unchanged, if it has a Rescaling layer",
        rich_help_panel=BACKBONE,
    ),
]
Width = Annotated[
    float | None,
    typer.Option(
        help="Factor on the units of an expert's hidden layers.",
        show_default="1.0",
        rich_help_panel=RARE,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="Your function that builds an expert.",
        show_default="a network for the kind of data",
        rich_help_panel=RARE,
    ),
]
RouterModel = Annotated[
    str | None,
    typer.Option(
        metavar="MODULE:NAME",
        help="Your function that builds the router.",
        show_default="a network for the kind of data",
        rich_help_panel=RARE,
    ),
]
_SOURCE = typer.Option(
    "--data",
    metavar="DATA",
    help="Your .csv, .tsv, .npz or .txt file, or a folder of photos or sounds; or sentiment, "
    "reviews, sections, debtags, fashion-mnist, mnist, mnist-and-fashion, diamonds, translation, "
    "translation-domains, help or prose (docs/your-data.md).",
    show_default=False,
)
Source = Annotated[str, _SOURCE]
OptionalSource = Annotated[str | None, _SOURCE]

_MICROSECONDS = {"us": 1.0, "µs": 1.0, "ms": 1e3, "s": 1e6}


def size(text: str) -> int:
    """Parse '400KB', '8MB', '1.5MiB' or plain bytes to a number of bytes."""
    from ..format.byte_sizes import bytes_of

    try:
        return bytes_of(text, "it")
    except UsageError as error:
        raise typer.BadParameter(str(error).removeprefix("it ")) from None


def duration(text: str) -> float:
    """Parse '800us', '5ms' or '0.1s' to microseconds."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-zµ]+)\s*", text)
    if not match or match[2].lower() not in _MICROSECONDS:
        raise typer.BadParameter(f"must be a time such as 800us, 5ms or 0.1s, got {text!r}")
    return float(match[1]) * _MICROSECONDS[match[2].lower()]


MemoryBudget = Annotated[
    int | None,
    typer.Option(
        parser=size,
        metavar="SIZE",
        help="Memory for the router and experts, such as 8MB.",
        show_default="no limit",
    ),
]


Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Dask scheduler, such as tcp://192.168.1.5:8786.",
        show_default="this machine",
        rich_help_panel=RARE,
    ),
]


def photo_size(
    data: str, image_size: int | None, backbone: str | Path | None, layer: str | None
) -> int | None:
    """Side of photos: the stated one, or that of the backbone's inputs; None: chosen.

    Raises:
        UsageError: the backbone cannot be read, or takes photos of another size.
    """
    if backbone is None or not Path(data).is_dir():
        return image_size
    from ..training.backbone.network import read

    side = read(backbone, layer).image_size
    if None not in (side, image_size) and side != image_size:
        raise UsageError(
            f"--image-size {image_size}: the backbone {backbone} takes photos of {side} x {side} "
            "pixels; remove the option"
        )
    return side or image_size


def require_training() -> None:
    """Check for TensorFlow before any work is done, and print a line before it is imported.

    The import takes seconds, in which nothing else is printed.

    Raises:
        DevicePartError: this installation is the device part that `deploy` sends to boards.
        MissingExtraError: TensorFlow or tf_keras is not installed.
    """
    if importlib.util.find_spec("edge_experts.training") is None:
        raise DevicePartError("edge_experts.training")
    if not all(importlib.util.find_spec(name) for name in ("tensorflow", "tf_keras")):
        raise MissingExtraError("TensorFlow", "train")
    if "tensorflow" not in sys.modules:
        print("Loading TensorFlow, which takes some seconds ...", file=sys.stderr, flush=True)


def require_serving() -> None:
    """Check for the server's libraries before a bundle is opened."""
    if not all(importlib.util.find_spec(name) for name in ("starlette", "uvicorn")):
        raise MissingExtraError("The server", "serve")


def as_typed() -> str:
    """The command line of this process, to run it again."""
    return shlex.join(["edge-experts", *sys.argv[1:]])


def print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))
