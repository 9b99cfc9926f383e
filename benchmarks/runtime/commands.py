"""Commands that measure the runtime on this machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Bundle, Json
from edge_experts.errors import UsageError

from .. import output

_COUNTS = (4, 16, 64, 256, 1024, 4096)
_RESIDENT = (1, 4, 16)
_MB = 1_000_000


def overhead(
    bundle: Bundle,
    answers: Annotated[int, typer.Option(min=4, help="Warm answers.")] = 20_000,
    switches: Annotated[int, typer.Option(min=4, help="Switches of experts.")] = 400,
    json: Json = False,
) -> None:
    """Measure overhead above the bare interpreter.

    Medians of warm answers, switches of experts and prefetched answers, each
    compared with a script that uses the interpreter alone.

    Example: python -m benchmarks overhead b.bundle
    """
    from .overhead import as_table, measure

    figures = measure(bundle, answers=answers, switches=switches)
    output.show(figures, as_table(figures), json=json)


def loading(bundle: Bundle, json: Json = False) -> None:
    """Compare ways to load an expert.

    From bytes and from a path, with and without a check of the digest.

    Example: python -m benchmarks loading b.bundle
    """
    from .loading import as_table, measure

    ways = measure(bundle)
    output.show({"ways": [asdict(way) for way in ways]}, as_table(ways), json=json)


def attention(
    bundle: Bundle,
    contexts: Annotated[
        str, typer.Option(help="Contexts, multiples of 32, with commas between.")
    ] = "256,1024",
    json: Json = False,
) -> None:
    """Time a language model's attention.

    For a token in one layer, beside the plain way with matrices of all tokens.

    Example: python -m benchmarks attention help.bundle --contexts 256,1024
    """
    from .attention import as_table, measure

    try:
        sizes = [int(one) for one in contexts.split(",")]
    except ValueError:
        sizes = []
    if not sizes or any(size < 32 or size % 32 for size in sizes):
        raise UsageError(f"--contexts {contexts}: must be multiples of 32, such as 256,1024")
    times = measure(bundle, sizes)
    output.show({"contexts": [asdict(one) for one in times]}, as_table(times), json=json)


def kernels(bundle: Bundle, json: Json = False) -> None:
    """Compare delegates and numbers of threads.

    Latency and memory growth of warm answers.

    Example: python -m benchmarks kernels b.bundle
    """
    from .kernels import as_table, measure

    settings = measure(bundle)
    output.show({"settings": [asdict(one) for one in settings]}, as_table(settings), json=json)


def startup(bundle: Bundle, json: Json = False) -> None:
    """Time a process from its start to its answer.

    `edge-experts run` and a script with the bare interpreter take turns. The
    bundle must take texts.

    Example: python -m benchmarks startup quickstart/sparse.bundle
    """
    from .startup import as_table, measure

    figures = measure(bundle)
    output.show(figures, as_table(figures), json=json)


def scale(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of the bundles; missing ones are made.", show_default=False),
    ],
    counts: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of experts, repeatable.", show_default=", ".join(map(str, _COUNTS))
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Also draw to this file, by matplotlib.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure bundles of four to thousands of experts.

    Time and memory of opening them, and the latency without the router's
    interpreter. Missing bundles need TensorFlow.

    Example: python -m benchmarks scale bundles --counts 4 --counts 1024
    """
    from .scale import as_table, draw, measure_all

    sizes = measure_all(folder, counts or _COUNTS)
    if picture is not None:
        draw(sizes, picture)
    output.show({"sizes": [asdict(size) for size in sizes]}, as_table(sizes), json=json)


def memory(
    folder: Annotated[
        Path,
        typer.Argument(help="Folder of the bundles; missing ones are made.", show_default=False),
    ],
    experts: Annotated[int, typer.Option(min=2, help="Number of experts.")] = 64,
    units: Annotated[int, typer.Option(min=8, help="Units of both hidden layers.")] = 980,
    resident: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Number of experts in a budget, repeatable.",
            show_default=", ".join(map(str, _RESIDENT)),
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Also draw to this file, by matplotlib.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure memory of experts by the budget.

    64 experts of 1 MB, beside one dense network of 66 MB. Missing bundles need
    TensorFlow.

    Example: python -m benchmarks memory bundles --picture memory.svg
    """
    from .memory import as_table, draw, measure_all

    rows = measure_all(folder, experts, units, resident or _RESIDENT)
    if picture is not None:
        draw(rows, picture)
    output.show({"rows": [asdict(row) for row in rows]}, as_table(rows), json=json)


def tight(
    bundle: Bundle,
    cap: Annotated[int, typer.Option(help="Memory of the process, in MB.")] = 96,
    budget: Annotated[float, typer.Option(help="Memory budget in MB; 0 for none.")] = 48,
    json: Json = False,
) -> None:
    """Run every expert under a memory cap.

    The answers must equal those without a cap; otherwise the exit code is 5. The
    cap is a cgroup, which needs root, as a rule.

    Example: python -m benchmarks tight b.bundle --cap 96
    """
    from .tight import as_table
    from .tight import tight as measure

    found = measure(bundle, cap=cap * _MB, budget=round(budget * _MB))
    output.show(asdict(found), as_table(found), json=json)
    found.refuse()


def soak(
    bundle: Bundle,
    requests: Annotated[int, typer.Option(min=1, help="Requests in all.")] = 1_000_000,
    threads: Annotated[int, typer.Option(min=1, help="Threads that share the runtime.")] = 4,
    experts: Annotated[int, typer.Option(min=1, help="Experts that fit in memory.")] = 4,
    json: Json = False,
) -> None:
    """Send many requests in many threads.

    The memory budget holds a few experts. Wrong answers, an exceeded budget, or
    memory that grows end with exit code 5.

    Example: python -m benchmarks soak b.bundle --requests 1000000
    """
    from device_tests.soak import soak as measure

    found = measure(bundle, requests=requests, threads=threads, experts=experts)
    figures = asdict(found)
    quarters = figures.pop("quarters")
    figures |= {f"quarter {number} bytes": level for number, level in enumerate(quarters, 1)}
    rows = [[name.replace("_", " "), f"{value:,}"] for name, value in figures.items()]
    table = [["figure", "value"], *rows]
    output.show(asdict(found), table, json=json)
    found.refuse()


def mutations(
    bundle: Bundle,
    count: Annotated[int, typer.Option(min=1, help="Mutations.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed of the mutations.")] = 0,
    only: Annotated[
        int | None,
        typer.Option(metavar="N", help="Repeat mutation N of the seed.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Damage copies of a bundle and check answers.

    Bits, sectors and whole files are damaged. A wrong answer, a crash, a hang or
    an undocumented error ends with exit code 5 and the command that repeats it.

    Example: python -m benchmarks mutations b.bundle --count 100000
    """
    from edge_experts.errors import ThresholdError

    from .mutations import as_table, commands, repeat, report, run

    if only is not None:
        lines = []
        for line in repeat(bundle, only, seed):
            lines.append(line)
            if not json:
                output.say(line)  # at once: the next step may end the process
        if json:
            kind, outcome = lines
            output.show({"mutation": kind, "outcome": outcome}, (), json=True)
        return
    outcomes, bad = run(bundle, count, seed=seed)
    content = report(outcomes, bad, count=count, seed=seed)
    output.show(content, as_table(outcomes), json=json, notes=commands(bundle, bad))
    if bad:
        raise ThresholdError(f"{len(bad)} of {count} mutations were not refused as they must")


def drift(
    bundle: Bundle,
    data: Annotated[
        str, typer.Option(help="sentiment, or a named set of images.", show_default=False)
    ],
    streams: Annotated[int, typer.Option(min=1, help="Streams of each kind.")] = 100,
    length: Annotated[int, typer.Option(min=1, help="Answers in a stream.")] = 2000,
    json: Json = False,
) -> None:
    """Measure when changed inputs are noticed.

    Streams of unchanged test examples show the false alarms.

    The bundle must have been trained on --data (sentiment, fashion-mnist or
    mnist).

    Example: python -m benchmarks drift s.bundle --data sentiment
    """
    from .drift import as_table, measure, streams_of
    from .drift import overhead as measure_overhead

    shifts = streams_of(data)
    found = measure(bundle, shifts, streams=streams, length=length)
    microseconds = measure_overhead(bundle, shifts["none"])
    output.show(
        {"shifts": [asdict(one) for one in found], "overhead_us": round(microseconds, 2)},
        as_table(found),
        json=json,
        notes=[f"watching takes {microseconds:.1f} µs of processor time an answer"],
    )
