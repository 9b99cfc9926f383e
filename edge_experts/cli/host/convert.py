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
from ..shared_options import (
    Force,
    Json,
    Layout,
    Quantization,
    Scheduler,
    print_json,
    require_training,
    size,
)
from .conversion import as_json, in_words
from .export_c import in_words as in_c

_ANSWERS, _SMALLER = "Accuracy and abstaining", "Smaller files"


def convert(
    run: Annotated[
        Path, typer.Argument(help="Run folder, or folder of a checkpoint.", show_default=False)
    ],
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
            help="Share of inputs, those of lowest router confidence, with a second expert.",
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
            help="Size limit of the bundle on disk, such as 400KB; with --quantization auto.",
            show_default="no limit",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    size_budget_compressed: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Size limit of its archive (`pack`); with --quantization auto.",
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
            help="Largest loss of accuracy (R2, F1, chrF); else the conversion fails.",
            show_default="2, if significant, and 3% of the labels of high confidence in Keras; for "
            "translation no limit",
            rich_help_panel=_ANSWERS,
        ),
    ] = None,
    target: Annotated[
        Literal["pi-bookworm", "pi-trixie", "litert", "microcontroller"] | None,  # their TARGETS
        typer.Option(
            help="Target; operators that it lacks are an error.",
            show_default="this machine's interpreter",
        ),
    ] = None,
    c_source: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of C source for microcontrollers to write too.",
            rich_help_panel=RARE,
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
            help="Version; boards reject lower ones.", min=1, show_default="1, or the base's + 1"
        ),
    ] = None,
    compress: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help="pruning, clustering, quantization-aware, or several joined by +; with "
            "--quantization auto repeatable, or all.",
            show_default="none; with --size-budget-compressed those that help",
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
        typer.Option(
            help="Distinct weights of a layer after clustering.", rich_help_panel=_SMALLER
        ),
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
            help="Training data for fine-tuning by --compress.",
            show_default="up to 2,000 examples that the run folder keeps",
            rich_help_panel=_SMALLER,
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Largest number of processes.",
            min=1,
            show_default="one per core",
            rich_help_panel=RARE,
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
            help="Width of the beam search for translation.",
            min=1,
            max=64,
            show_default="1, greedy",
            rich_help_panel=RARE,
        ),
    ] = None,
    scheduler: Scheduler = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Convert a run folder to a bundle of TFLite files.

    The router and each expert become one file each. Every file is run in this machine's interpreter
    and compared with Keras before the bundle is written.

    Example: edge-experts convert sentiment.run --out sentiment.bundle

    Example: edge-experts convert a.run --out a.bundle --quantization auto --size-budget 400KB

    A checkpoint, config.json with safetensors as transformers saves them or a GGUF file, becomes a
    language model.

    Example: edge-experts convert SmolLM2-135M --out smol.bundle --quantization int8
    """
    require_training()
    from ... import datasets, plotting, run_folder
    from ...converters import ConvertOptions, convert_with, opened
    from ...converters.c_source import c_source as write_c
    from ...converters.c_source import refuse_run
    from ...converters.checkpoints import CHECKPOINTS, convert_checkpoint, is_checkpoint

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
        scheduler=scheduler,
    )
    if is_checkpoint(run):
        options.refuse_meaningless(CHECKPOINTS, frontier=frontier, c_source=c_source, data=data)
        converted = convert_checkpoint(
            run,
            out,
            quantization=quantization,
            bundle_version=bundle_version or 1,
            force=force,
            scheduler=scheduler,
        )
        if json:
            print_json(as_json(converted, target, None, CHECKPOINTS.options))
            return
        in_words(converted, base)
        print_run(out, converted.next_command)
        return
    task = opened(run)
    options.refuse_meaningless(task, frontier=frontier, c_source=c_source, data=data)
    if frontier is not None:
        plotting.require(frontier, "--frontier")
        if quantization != "auto":
            raise UsageError("--frontier needs --quantization auto, whose choices it draws")
    if c_source is not None:
        from ...format.atomic import refuse_existing

        refuse_existing(c_source, force=force)
        refuse_run(run, top_k=top_k, second_share=second_share)
    if data is not None:
        if not compressions and size_budget_compressed is None:
            raise UsageError("--data needs --compress, which fine-tunes with it")
        # With other splits, compression would train on test examples.
        seed = task.run.config.get("seed") or 0
        columns = columns_of(recorded=task.run.columns)
        features = run_folder.read_features(run, task.run)
        loaded = datasets.load(data, seed, task.run.task_type, columns, features)
        options = replace(options, data=loaded)
    made = convert_with(run, out, options)
    written = None if c_source is None else write_c(out, c_source, force=force)
    if frontier is not None and made.search is not None:
        from ...converters.auto import choice_picture

        choice_picture.draw(
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
