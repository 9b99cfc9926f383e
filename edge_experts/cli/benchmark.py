from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Bundle, Json, MemoryBudget, Threads, print_json, size


def benchmark(
    bundle: Bundle,
    against: Annotated[
        list[Path] | None,
        typer.Option(
            help="Another bundle to measure in the same run, such as a dense rival; repeatable.",
            show_default=False,
        ),
    ] = None,
    input: Annotated[  # noqa: A002
        Path | None,
        typer.Option(
            help="Inputs to ask instead of the golden ones, as for `run`.", show_default=False
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Also write the result as a page.", show_default=False
        ),
    ] = None,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
    rounds: Annotated[
        int | None,
        typer.Option(
            help="In each, every contender answers every input.  [default: 1,024 answers or more]",
            min=3,
        ),
    ] = None,
    max_p50: Annotated[
        float | None,
        typer.Option(
            metavar="MICROSECONDS", help="End with exit code 5 if half the answers take longer."
        ),
    ] = None,
    max_growth: Annotated[
        int | None,
        typer.Option(
            parser=size, metavar="SIZE", help="End with exit code 5 if memory grows by more."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Time a bundle on this machine, beside the bare interpreter and beside rivals.

    Example: edge-experts benchmark sentiment.bundle --against dense-all.bundle
    """
    from ..benchmarking.benchmark import benchmark as run_benchmark
    from ..benchmarking.benchmark import refuse_beyond
    from ..benchmarking.report import as_text
    from ..errors import UsageError
    from ..runtime import ExpertRuntime
    from .examples import given

    if report is not None and not report.absolute().parent.is_dir():
        raise UsageError(f"--report {report}: the folder {report.parent} does not exist")
    asked = None
    if input is not None:
        with ExpertRuntime(bundle) as runtime:
            asked = [example for _, example in given(None, input, runtime.features)]
    result = run_benchmark(
        bundle,
        against=against or (),
        inputs=asked,
        memory_budget=memory_budget,
        threads=threads,
        rounds=rounds,
    )
    if report is not None:
        from ..benchmarking.html import as_html
        from ..folders import write_whole

        write_whole(report, as_html(result))
    if json:
        print_json(result.to_json())
    else:
        print(as_text(result))
    refuse_beyond(result, max_p50, max_growth)
