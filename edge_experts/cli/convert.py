from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .. import compression
from ..compression import Compression
from ..errors import UsageError
from ..inspection import arenas, operators
from .bundle import in_words
from .export_c import as_json
from .export_c import in_words as in_c
from .options import Force, Json, Layout, Quantization, print_json, require_training, size

if TYPE_CHECKING:
    from ..bundle import Manifest
    from ..converters.choosing import Search


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
            help="Refuse the bundle when conversion costs more accuracy.  [default: 2, beyond "
            "what chance makes of few examples]",
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
    json: Json = False,
    force: Force = False,
) -> None:
    """Convert a training run to a bundle: one TFLite file for the router and for each expert.

    Every file is run in the interpreter of this machine and compared with Keras before the bundle
    appears.

    Example: edge-experts convert sentiment.run --out sentiment.bundle --quantization int8
    """
    require_training()
    from .. import datasets, drawing, run_folder
    from ..converters import convert as run_conversion
    from ..converters.c_source import c_source as write_c
    from ..converters.c_source import refuse_run

    if frontier is not None:
        drawing.require(frontier, "--frontier")
        if quantization != "auto":
            raise UsageError("--frontier shows what --quantization auto chose from")

    if c_source is not None:
        from ..folders import refuse_existing

        refuse_existing(c_source, force=force)
        refuse_run(run, top_k=top_k, second_share=second_share)
    compressions = _compressions(compress or [], sparsity, clusters, compress_epochs)
    if data is not None and not compressions and size_budget_compressed is None:
        raise UsageError("--data is what --compress fine-tunes with; there is none")
    # Other splits than the training's would teach what the test asks.
    seed = 0 if data is None else run_folder.read_run(run).config.get("seed") or 0
    made = run_conversion(
        run,
        out,
        quantization=quantization,
        io=io,
        size_budget=size_budget,
        size_budget_compressed=size_budget_compressed,
        compress=compressions,
        data=None if data is None else datasets.load(data, seed),
        processes=processes,
        cache=cache,
        layout=layout,
        top_k=top_k,
        second_share=second_share,
        abstain_below=abstain_below,
        max_accuracy_drop=max_accuracy_drop,
        target=target,
        base=base,
        bundle_version=bundle_version,
        force=force,
    )
    written = None if c_source is None else write_c(out, c_source, force=force)
    if frontier is not None and made.search is not None:
        from ..converters.choosing import picture

        picture.draw(
            frontier,
            frontier=made.search.frontier,
            uniform=made.search.uniform,
            chosen=[made.search.chosen],
            compressed=size_budget_compressed is not None,
        )
    if json:
        print_json(
            {
                "schema_version": "1.0",
                "bundle": str(out),
                "accuracy": made.test_accuracy,
                "examples": made.test_examples,
                "calibration_error": made.calibration_error,
                "parity": {**asdict(made.parity), "accuracy_drop": made.parity.accuracy_drop},
                "top_k": made.manifest.top_k,
                "second_below": made.manifest.second_below,
                "abstain_below": made.manifest.abstain_below,
                "validation": made.unsure.to_json(),
                "bytes": made.bytes,
                "compressed_bytes": made.packed_bytes,
                "compression": made.manifest.provenance.get("compression"),
                "files": {entry.path: entry.bytes for entry in made.manifest.files},
                "verified_on": dict(made.manifest.verified_on),
                "target": target,
                "operators": operators(made.manifest),
                "arenas": arenas(made.manifest),
                "changes": made.manifest.provenance.get("changes"),
                "search": None if made.search is None else made.search.to_json(),
                "c_source": None if written is None else as_json(written),
            }
        )
        return
    parity, on = made.parity, made.manifest.verified_on
    print(
        f"{out}: accuracy as deployed {made.test_accuracy:.4f} on {made.test_examples:,} test "
        f"examples\n"
        f"beside Keras on {parity.examples:,} validation examples: accuracy "
        f"{parity.keras_accuracy:.4f} to {parity.deployed_accuracy:.4f}, "
        f"{parity.equal_labels:.2%} equal labels, largest score difference "
        f"{parity.largest_score_difference:.3f}\n"
        f"{len(made.manifest.experts)} expert(s) of up to "
        f"{max(entry.bytes for entry in made.manifest.experts):,} bytes, verified on "
        f"{on['interpreter']} {on['version']}\n"
        f"{made.bytes:,} bytes on disk, {made.packed_bytes:,} as an archive (edge-experts pack)"
    )
    if target is not None:
        print(_on_target(made.manifest))
    unsure = made.unsure
    if unsure.asked_second is not None:
        print(f"a second expert asked for {unsure.asked_second:.1%} of the validation examples")
    if unsure.abstained is not None:
        on = unsure.accuracy_answered
        rest = "" if on is None else f", accuracy {on:.4f} on the others"
        print(f"abstains from {unsure.abstained:.1%} of the validation examples{rest}")
    if made.search is not None:
        _print_search(made.search)
    if base is not None:
        print(f"since {base}: {in_words(made.manifest.provenance['changes'])}")
    if written is not None:
        print(in_c(written))
    print(f"Next: edge-experts run {out} 'your text'", file=sys.stderr)


def _on_target(manifest: Manifest) -> str:
    """What is known of the target: run there, or its operators only."""
    on, sizes = manifest.verified_on, arenas(manifest)
    if sizes:
        return (
            f"{on['target']}: every file ran in TensorFlow Lite Micro {on['tflite_micro']} as "
            f"well, in arenas of up to {max(sizes.values()):,} bytes; "
            f"{on['equal_labels_there']:.0%} equal labels"
        )
    if on["run_on_target"]:
        return f"{on['target']}: it has all operators, and this was its interpreter"
    return (
        f"{on['target']}: it has all operators; its interpreter is not installed here, so this was "
        "proven on another: run `edge-experts verify` there"
    )


def _compressions(
    names: list[str], sparsity: str, clusters: int, epochs: int | None
) -> list[Compression]:
    if names == ["all"]:
        return [replace(one, epochs=epochs) for one in compression.ALL]
    share = compression.read_sparsity(sparsity)
    return [Compression(name, share, clusters, epochs) for name in names]


def _print_search(search: Search) -> None:
    """The choices for each size, the one that was taken marked."""
    print("\n     bytes      loss  accuracy   networks (on validation examples)")
    points = {point.size: point for point in (*search.uniform, *search.frontier, search.chosen)}
    for size_, point in sorted(points.items()):
        mark = ">" if size_ == search.chosen.size else " "
        ways = ", ".join(f"{count} x {name}" for name, count in point.counts().items())
        print(f"{mark}{size_:>10,} {point.loss:>8.4f} {point.accuracy:>9.4f}   {ways}")
    for reason, networks in search.refused.items():
        print(f"not {reason}: {', '.join(networks)}", file=sys.stderr)
