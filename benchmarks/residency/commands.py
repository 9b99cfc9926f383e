"""Commands that measure models larger than memory."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Bundle, Json
from edge_experts.errors import UsageError

from .. import output
from ..language.commands import Texts


def moe(
    root: Annotated[
        Path, typer.Argument(help="Folder of `edge-experts install`.", show_default=False)
    ],
    gguf: Annotated[
        Path | None, typer.Option(help="The same weights for llama.cpp.", show_default=False)
    ] = None,
    engine_names: Annotated[
        str,
        typer.Option(
            "--engines", help="Of llama.cpp, plain, slots, mapped; the first is the baseline."
        ),
    ] = "plain,slots",
    memory: Annotated[str, typer.Option(help="Of all, half, quarter.")] = "all,half,quarter",
    traces: Annotated[
        str, typer.Option(help="Of uniform, zipf, recorded.")
    ] = "uniform,zipf,recorded",
    tokens: Annotated[int, typer.Option(min=1, help="Measured tokens of a process.")] = 48,
    prompt: Annotated[
        int, typer.Option(min=0, help="Tokens of a prompt; 0: tokens one by one.")
    ] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each setting.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Of the kernels.")] = 1,
    capped: Annotated[
        bool, typer.Option("--capped", help="The kernel limits memory; files are cold.")
    ] = False,
    storage: Annotated[
        str | None,
        typer.Option(help="Bytes a second of the disk, as 90MB.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Compare engines, llama.cpp too, by memory.

    All, half and a quarter of the experts are in memory, by the runtime's own
    budget and with the page cache. With --capped a control group of half or a
    quarter of the model's size holds the whole process; it takes the superuser.

    Example: python -m benchmarks moe random --gguf random.gguf --engines llama.cpp,slots
    """
    from edge_experts.format.byte_sizes import bytes_of
    from edge_experts.runtime.packed.scheme import NAMES

    from . import comparison
    from .engines import LLAMA
    from .token_routes import TRACES

    plan = comparison.Plan(
        root,
        gguf,
        names=_listed("--engines", engine_names, (LLAMA, *NAMES)),
        shares=_listed("--memory", memory, tuple(comparison.SHARES)),
        traces=_listed("--traces", traces, TRACES),
        tokens=tokens,
        prompt=prompt,
        rounds=rounds,
        threads=threads,
        capped=capped,
        storage=None if storage is None else bytes_of(storage, "--storage"),
    )
    found = comparison.measure(plan, output.warn)
    table = [comparison.HEADER, *(one.cells() for one in found)]
    output.show({"settings": [asdict(one) for one in found]}, table, json=json)


def memory_limit(
    bundle: Bundle,
    budgets: Annotated[
        str, typer.Option(help="Memory budgets in MB, with commas between.")
    ] = "50,100,200",
    prompt: Annotated[str, typer.Option(help="Text to continue.")] = "To open a file, click",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to write.")] = 32,
    context: Annotated[int, typer.Option(min=1, help="Tokens of keys and values.")] = 128,
    picture: Annotated[
        Path | None,
        typer.Option(help="Also draw to this file, by matplotlib.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure memory beside the budget.

    A language model writes one text with each budget. The exit code is 5 if it takes
    more than a budget, or if a text differs from that without a budget.

    Example: python -m benchmarks memory-limit random.bundle --picture memory-limit.svg
    """
    from . import memory_limit as program

    try:
        sizes = [round(float(one) * 1_000_000) for one in budgets.split(",")]
    except ValueError:
        sizes = [0]
    if min(sizes) <= 0:
        raise UsageError(f"--budgets {budgets}: must be numbers of MB above 0, such as 8,16")
    rows = program.measure(bundle, sizes, prompt, tokens, context)
    if picture is not None:
        program.draw(rows, picture)
    output.show({"rows": [asdict(row) for row in rows]}, program.as_table(rows), json=json)
    program.refuse(rows)


def _listed(option: str, given: str, known: tuple[str, ...]) -> list[str]:
    names = given.split(",")
    if not set(names) <= set(known):
        raise UsageError(f"{option} {given}: must be of {', '.join(known)}")
    return names


def synthetic_moe(
    out: Annotated[Path, typer.Argument(help="Folder of the new bundle.", show_default=False)],
    gguf: Annotated[
        Path | None,
        typer.Option(help="File of the same weights for llama.cpp.", show_default=False),
    ] = None,
    layers: Annotated[int, typer.Option(min=1, help="The model itself has 24.")] = 4,
    experts: Annotated[int, typer.Option(min=2, help="Of a layer.")] = 32,
    quantization: Annotated[str, typer.Option(help="float32, int8 or int4.")] = "int8",
) -> None:
    """Make a bundle in the shape of granite-1b.

    Tokens of its vocabulary are traces, by which experts are chosen.

    Example: python -m benchmarks synthetic-moe random.bundle --layers 24
    """
    from .random_model import make

    make(out, gguf, layers=layers, experts=experts, quantization=quantization)


def record_routes(
    bundle: Bundle,
    data: Texts = "help",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens of test texts.")] = 512,
    out: Annotated[Path, typer.Option(help="File of the experts of each token.")] = Path(
        "recorded_routes.json"
    ),
) -> None:
    """Record the experts that tokens take in a model.

    benchmarks/residency/recorded_routes.json, a trace of `moe`, is made by it.

    Example: python -m benchmarks record-routes examples/help.bundle
    """
    from .recorded_routes import record

    record(bundle, data, tokens, out)
