from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...errors import UsageError
from ..help import LIMITS, RARE
from ..shared_options import (
    BUNDLE_HELP,
    Compared,
    ExpertsPerToken,
    Json,
    PreferResident,
    Threads,
    as_typed,
    folder,
    print_json,
    size,
)


def benchmark(
    bundle: Annotated[
        Path | None,
        typer.Argument(help=BUNDLE_HELP, parser=folder, show_default=False),
    ] = None,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="Bundle, or network of `export-onnx`, to measure too; repeatable.",
            parser=folder,
            metavar="BUNDLE",
        ),
    ] = None,
    input: Annotated[  # noqa: A002
        Path | None,
        typer.Option(
            metavar="FILE", help="Inputs, as for `run`.", show_default="the golden examples"
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Inputs of this data's test split; of a folder of photos the files.",
            show_default="the golden examples",
        ),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="LANGUAGE",
            help="Language to translate --input to.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html",
            help="HTML page of the result to write too.",
        ),
    ] = None,
    comparison: Compared = None,
    memory_budget: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Memory for the router and experts where loads and memory are measured.",
            show_default="room for one expert",
        ),
    ] = None,
    prefer_resident: PreferResident = 0.0,
    experts_per_token: ExpertsPerToken = None,
    threads: Threads = 1,
    rounds: Annotated[
        int | None,
        typer.Option(
            help="Rounds over all inputs in each session.",
            min=1,
            show_default="as many as 1,024 answers take; if slow, 10 s",
            rich_help_panel=RARE,
        ),
    ] = None,
    seconds: Annotated[float, typer.Option(help="Least seconds of warm answers.", min=0)] = 0.0,
    raw: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv",
            help="File of all single latencies to write too.",
            rich_help_panel=RARE,
        ),
    ] = None,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            metavar="A.json B.json",
            help="Compare two results of --json, without measuring.",
        ),
    ] = None,
    max_p50: Annotated[
        float | None,
        typer.Option(
            metavar="MICROSECONDS",
            help="Exit code 5 if p50 is above this.",
            show_default="no limit",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    max_growth: Annotated[
        int | None,
        typer.Option(
            parser=size,
            metavar="SIZE",
            help="Exit code 5 if memory grows by more than this.",
            show_default="no limit",
            rich_help_panel=LIMITS,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Measure latency and memory on this machine.

    The bundle, the bare interpreter and the bundles of --against are measured alternately.

    Example: edge-experts benchmark sentiment.bundle --against dense-all.bundle

    Example: edge-experts benchmark photos.bundle --data photos/

    Example: edge-experts benchmark --compare before.json after.json
    """
    if compare is not None:
        from ...benchmarking.report import paired

        found = paired.compare(*compare)
        if json:
            print_json(found.to_json())
        else:
            print(paired.as_text(found))
        return
    from ...benchmarking.benchmark import benchmark as run_benchmark
    from ...benchmarking.benchmark import refuse_beyond
    from ...benchmarking.report.text_report import as_text
    from ...format.atomic import write_whole
    from ...runtime import ExpertRuntime
    from ...text_table import terminal_columns
    from .data_inputs import inputs_of_data
    from .examples import given
    from .tasks import check_options, commands_of

    if bundle is None:
        raise UsageError("name a bundle to measure, or two results with --compare")
    if raw is not None and not raw.absolute().parent.is_dir():
        raise UsageError(f"--raw {raw}: the folder {raw.parent} does not exist")
    if comparison is not None and report is None:
        raise UsageError("--comparison needs --report, the page to draw it on")
    if report is not None:
        from ...benchmarking.report.html import page, result_reader

        page.require(report)
        compared = None if comparison is None else result_reader.read_comparison(comparison)
    if to is not None and input is None:
        raise UsageError("--to needs --input, the texts to translate")
    if data is not None and input is not None:
        raise UsageError("give --data or --input, not both")
    asked, decode = None, None
    if data is not None:
        with ExpertRuntime(bundle) as runtime:
            asked, decode = inputs_of_data(data, runtime)
    if input is not None:
        with ExpertRuntime(bundle) as runtime:
            check_options(commands_of(runtime.task), runtime.task.name, {"--to": to})
            lines = given(None, input, runtime.features, runtime.manifest, to)
            asked = [part for _, line in lines for part in runtime.task.parts(line)]
    result = run_benchmark(
        bundle,
        against=against or (),
        inputs=asked,
        memory_budget=memory_budget,
        threads=threads,
        rounds=rounds,
        seconds=seconds,
        command=as_typed(),
        decode=decode,
        prefer_resident=prefer_resident,
        experts_per_token=experts_per_token,
    )
    if report is not None:
        write_whole(report, page.as_html(result, compared))
    if raw is not None:
        from ...benchmarking.report.raw import as_csv

        write_whole(raw, as_csv(result))
    if json:
        print_json(result.to_json())
    else:
        print(as_text(result, terminal_columns()))
    refuse_beyond(result, max_p50, max_growth)
