from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from ... import compression
from ...compression import Compression
from ...errors import UsageError
from ..column_options import columns_of
from ..help import RARE
from ..hints import print_run
from ..options import Force, Json, Layout, Quantization, print_json, require_training, size
from .conversion import as_json, in_words
from .export_c import in_words as in_c

_ANSWERS, _SMALLER = "Accuracy and abstaining", "Smaller files"


def convert(
    run: Annotated[Path, typer.Argument(help="Run folder.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Bundle folder to write.", show_default=False)],
    quantization: Quantization = "int8",
    layout: Layout = "split",
    top_k: Annotated[
        int | None,
        typer.Option(help="Experts that answer an input.", min=1, show_default="as trained"),
    ] = None,
    second_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Share of inputs, the router's least sure, that a second expert answers too.",
            min=0,
            max=1,
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(
            metavar="SCORE",
            help="Confidence threshold below which answers abstain.",
            min=0,
            max=1,
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    io: Annotated[
        Literal["float", "integer"],  # the converters' IO
        typer.Option(
            help="Type of the inputs and outputs of int8 and int16x8 files.", rich_help_panel=RARE
        ),
    ] = "float",
    size_budget: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Size of the bundle on disk, such as 400KB; with --quantization auto.",
            show_default="no limit",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    size_budget_compressed: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Likewise, size of its archive (`pack`).",
            show_default="no limit",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    frontier: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --quantization auto: draw size against accuracy (.png or .svg).",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    max_accuracy_drop: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Refuse a bundle that loses more accuracy (R2, chrF).",
            show_default="2 beyond chance, and 3% of the labels Keras is sure of; of translations "
            "no limit",
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    target: Annotated[
        Literal["pi-bookworm", "pi-trixie", "litert", "microcontroller"] | None,  # their TARGETS
        typer.Option(
            help="Refuse operators that the target lacks.",
            show_default="this machine's interpreter",
        ),
    ] = None,
    c_source: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write C source for microcontrollers too.", rich_help_panel=RARE
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE", help="Bundle of the run that was extended; its files are reused."
        ),
    ] = None,
    bundle_version: Annotated[
        int | None,
        typer.Option(
            help="Version; boards refuse lower ones.", min=1, show_default="1, or the base's + 1"
        ),
    ] = None,
    compress: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help="pruning, clustering, quantization-aware, or several joined by +; with "
            "--quantization auto repeatable, or all.",
            show_default="none; under --size-budget-compressed what pays",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    sparsity: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="Share of weights pruned to zero; or 2:4.",
            rich_help_panel=_SMALLER,
        ),
    ] = "0.5",
    clusters: Annotated[
        int,
        typer.Option(help="Values that clustering leaves to a layer.", rich_help_panel=_SMALLER),
    ] = 16,
    compress_epochs: Annotated[
        int | None,
        typer.Option(
            help="Epochs of fine-tuning for each method.",
            min=1,
            show_default="about 1,000 batches",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Data of the training, to fine-tune with.",
            show_default="up to 2,000 examples that the run folder keeps",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Most processes.", min=1, show_default="one a core", rich_help_panel=RARE
        ),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache/--no-cache", help="Reuse networks converted before.", rich_help_panel=RARE
        ),
    ] = True,
    beams: Annotated[
        int | None,
        typer.Option(
            help="Width of beam search, of translations.",
            min=1,
            max=64,
            show_default="1, greedy",
            rich_help_panel=RARE,
        ),
    ] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Convert a run folder to a bundle of TFLite files.

    The router and each expert are a file each. Every file is run in the interpreter of this machine
    and compared with Keras before the bundle appears.

    Example: edge-experts convert sentiment.run --out sentiment.bundle

    Example: edge-experts convert a.run --out a.bundle --quantization auto --size-budget 400KB
    """
    require_training()
    from ... import datasets, plotting, run_folder
    from ...converters import ConvertOptions, convert_with, opened
    from ...converters.c_source import c_source as write_c
    from ...converters.c_source import refuse_run

    compressions = _compressions(compress or [], sparsity, clusters, compress_epochs)
    options = ConvertOptions(
        quantization=quantization,
        io=io,
        layout=layout,
        top_k=top_k,
        second_share=second_share,
        abstain_below=abstain_below,
        max_accuracy_drop=max_accuracy_drop,
        size_budget=size_budget,
        size_budget_compressed=size_budget_compressed,
        target=target,
        base=base,
        bundle_version=bundle_version,
        compress=compressions,
        processes=processes,
        cache=cache,
        force=force,
        beams=beams,
    )
    task = opened(run)
    options.refuse_meaningless(task, frontier=frontier, c_source=c_source, data=data)
    if frontier is not None:
        plotting.require(frontier, "--frontier")
        if quantization != "auto":
            raise UsageError("--frontier shows what --quantization auto chose from")
    if c_source is not None:
        from ...format.atomic import refuse_existing

        refuse_existing(c_source, force=force)
        refuse_run(run, top_k=top_k, second_share=second_share)
    if data is not None:
        if not compressions and size_budget_compressed is None:
            raise UsageError("--data is what --compress fine-tunes with; there is none")
        # Other splits than the training's would teach what the test asks.
        seed = task.run.config.get("seed") or 0
        columns = columns_of(recorded=task.run.columns)
        features = run_folder.read_features(run, task.run)
        loaded = datasets.load(data, seed, task.run.task_type, columns, features)
        options = replace(options, data=loaded)
    made = convert_with(run, out, options)
    written = None if c_source is None else write_c(out, c_source, force=force)
    if frontier is not None and made.search is not None:
        from ...converters.auto import picture

        picture.draw(
            frontier,
            frontier=made.search.frontier,
            uniform=made.search.uniform,
            chosen=[made.search.chosen],
            compressed=size_budget_compressed is not None,
        )
    if json:
        print_json(as_json(made, target, written, task.options))
        return
    in_words(made, base)
    if written is not None:
        print(in_c(written))
    print_run(out, made.next_command)


def _compressions(
    names: list[str], sparsity: str, clusters: int, epochs: int | None
) -> list[Compression]:
    if names == ["all"]:
        return [replace(one, epochs=epochs) for one in compression.ALL]
    share = compression.read_sparsity(sparsity)
    return [Compression(name, share, clusters, epochs) for name in names]
