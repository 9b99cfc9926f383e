from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from ... import compression
from ...compression import Compression
from ...errors import UsageError
from ..column_options import columns_of
from ..options import Force, Json, Layout, Quantization, print_json, require_training, size
from .conversion import as_json, in_words
from .export_c import in_words as in_c


def convert(
    run: Annotated[Path, typer.Argument(help="The run folder.", show_default=False)],
    out: Annotated[Path, typer.Option(help="The bundle folder to write.", show_default=False)],
    quantization: Quantization = "int8",
    layout: Layout = "split",
    top_k: Annotated[
        int | None,
        typer.Option(
            help="How many experts answer.  [default: the training's]", min=1, show_default=False
        ),
    ] = None,
    second_share: Annotated[
        float | None,
        typer.Option(
            help="Ask a second expert where the router is unsure: for about this share of "
            "inputs, by the validation examples.",
            min=0,
            max=1,
            show_default=False,
        ),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(
            help="Abstain where the score, a calibrated probability, is under this.",
            min=0,
            max=1,
            show_default=False,
        ),
    ] = None,
    io: Annotated[
        Literal["float", "integer"],  # the converters' IO
        typer.Option(
            help="What int8 and int16x8 files take and give: floats, or the integers they compute "
            "in (the runtime here takes both)."
        ),
    ] = "float",
    size_budget: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="With --quantization auto: what the bundle may take on disk, such as 400KB.",
        ),
    ] = None,
    size_budget_compressed: Annotated[
        int | None,
        typer.Option(
            parser=size, metavar="SIZE", help="Likewise, what its archive (pack) may take."
        ),
    ] = None,
    frontier: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --quantization auto: draw size against accuracy (.png or .svg).",
            show_default=False,
        ),
    ] = None,
    max_accuracy_drop: Annotated[
        float | None,
        typer.Option(
            metavar="POINTS",
            help="Refuse the bundle when conversion costs more accuracy; of regression points of "
            "R2, of translation chrF.  [default: 2, beyond what chance makes of few examples, and "
            "3% of the labels that Keras is sure of; none for translation]",
            show_default=False,
        ),
    ] = None,
    target: Annotated[
        Literal["pi-bookworm", "pi-trixie", "litert", "microcontroller"] | None,  # their TARGETS
        typer.Option(
            help="Where it is to run: files with operators that are not there are refused, and "
            "files are run on its interpreter where that is installed here.",
            show_default=False,
        ),
    ] = None,
    c_source: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the bundle as C source for microcontrollers too (export-c).",
            show_default=False,
        ),
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option(
            metavar="BUNDLE",
            help="The bundle of the run that this one extends: files of unchanged experts are "
            "copied from it.",
            show_default=False,
        ),
    ] = None,
    bundle_version: Annotated[
        int | None,
        typer.Option(
            help="Raise it with every bundle you publish.  [default: 1, or the base's + 1]", min=1
        ),
    ] = None,
    compress: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METHOD",
            help="Make the experts smaller first, each fine-tuned on its own inputs: pruning, "
            "clustering, quantization-aware, or steps joined by +. With --quantization auto "
            "several, or all, to choose from.  [default: none; of a compressed budget what pays]",
            show_default=False,
        ),
    ] = None,
    sparsity: Annotated[
        str,
        typer.Option(
            metavar="SHARE", help="Of weights that pruning sets to zero; or 2:4, two of every four."
        ),
    ] = "0.5",
    clusters: Annotated[
        int, typer.Option(help="How many values clustering leaves to a layer's weights.")
    ] = 16,
    compress_epochs: Annotated[
        int | None,
        typer.Option(
            help="Of fine-tuning, for each step.  [default: about 1,000 batches]",
            min=1,
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="What the run was trained on, to fine-tune with.  [default: the run folder's own "
            "examples, up to 2,000, which are few]",
            show_default=False,
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            help="Convert in at most so many processes.  [default: a core each]",
            min=1,
            show_default=False,
        ),
    ] = None,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache/--no-cache", help="Take networks that were converted before from the cache."
        ),
    ] = True,
    beams: Annotated[
        int | None,
        typer.Option(
            help="Of a run that translates: how many beginnings of a translation are followed at "
            "once.  [default: 1, greedy]",
            min=1,
            max=64,
            show_default=False,
        ),
    ] = None,
    json: Json = False,
    force: Force = False,
) -> None:
    """Convert a training run to a bundle: one TFLite file for the router and for each expert.

    Every file is run in the interpreter of this machine and compared with Keras before the bundle
    appears.

    Example: edge-experts convert sentiment.run --out sentiment.bundle --quantization int8
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
    print(f"Next: edge-experts run {out} {made.next_command}", file=sys.stderr)


def _compressions(
    names: list[str], sparsity: str, clusters: int, epochs: int | None
) -> list[Compression]:
    if names == ["all"]:
        return [replace(one, epochs=epochs) for one in compression.ALL]
    share = compression.read_sparsity(sparsity)
    return [Compression(name, share, clusters, epochs) for name in names]
