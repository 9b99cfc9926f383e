"""Commands that measure language models: quality, options and residency."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Bundle, Json, require_training
from edge_experts.errors import UsageError

from .. import output


def language_models(
    data: Annotated[
        str, typer.Option(help="help, prose, a .txt file or a folder of them.")
    ] = "help",
    seeds: Annotated[int, typer.Option(min=1, max=10, help="Trainings of each network.")] = 3,
    out: Annotated[
        Path, typer.Option(help="File of JSON lines; a killed study goes on there.")
    ] = Path("language-models.jsonl"),
    json: Json = False,
) -> None:
    """Compare experts and dense language models.

    Learning rates are searched on validation documents. Takes many hours; the same
    command resumes.

    Example: python -m benchmarks language-models --data help --seeds 3
    """
    require_training()
    from .protocol import run
    from .study_summary import as_table, notes

    records = run(data, seeds, out, output.warn)
    content = {"trainings": [asdict(one) for one in records]}
    output.show(content, as_table(records), json=json, notes=notes(records))


def perplexity(
    bundle: Bundle,
    data: Annotated[
        str, typer.Option(help="help, prose, a .txt file or a folder of them.")
    ] = "prose",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to predict.")] = 50_000,
    context: Annotated[int, typer.Option(min=2, help="Tokens of a text, at most.")] = 512,
    ids: Annotated[
        Path | None,
        typer.Option(help="Write the tokens here, for another program.", show_default="none"),
    ] = None,
    json: Json = False,
) -> None:
    """Measure the perplexity of a language model.

    On the first test texts, each alone and cut at the context.

    Example: python -m benchmarks perplexity smol.bundle --tokens 50000
    """
    from .perplexity import measure

    found = measure(bundle, data, tokens, context, ids)
    content = {**asdict(found), "perplexity": found.perplexity}
    table = [
        ["texts", "tokens", "perplexity", "tokens/s"],
        [
            f"{found.texts:,}",
            f"{found.tokens:,}",
            f"{found.perplexity:.4f}",
            f"{found.tokens / found.seconds:.1f}",
        ],
    ]
    output.show(content, table, json=json)


def routing_options(
    bundle: Bundle,
    data: Annotated[
        str, typer.Option(help="help, prose, a .txt file or a folder of them.")
    ] = "help",
    tokens: Annotated[int, typer.Option(min=1, help="Tokens to predict, for each row.")] = 5000,
    margins: Annotated[
        str, typer.Option(help="Values of --prefer-resident, with commas between.")
    ] = "0.05,0.1,0.2,0.3,0.5",
    json: Json = False,
) -> None:
    """Measure options that trade quality for speed.

    Perplexity on the beginnings of test texts, read token by token, hits and bytes
    read, with all experts in memory, a half and a quarter of them.

    Example: python -m benchmarks routing-options help.bundle --tokens 5000
    """
    from .routing_options import as_table, measure

    try:
        shares = [float(one) for one in margins.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < one <= 1 for one in shares):
        raise UsageError(f"--margins {margins}: must be shares above 0 to 1, such as 0.1,0.2")
    found = measure(bundle, data, tokens, shares)
    notes = [f"{found[0].tokens:,} tokens of {found[0].texts:,} texts; intervals are of 95 %"]
    output.show({"rows": [asdict(one) for one in found]}, as_table(found), json=json, notes=notes)


def moe(
    root: Annotated[
        Path, typer.Argument(help="Folder of `edge-experts install`.", show_default=False)
    ],
    tokens: Annotated[int, typer.Option(min=1, help="Measured tokens of a process.")] = 48,
    rounds: Annotated[int, typer.Option(min=1, help="Processes of each setting.")] = 3,
    threads: Annotated[int, typer.Option(min=1, help="For the interpreter's kernels.")] = 1,
    schemes: Annotated[
        str, typer.Option(help="Of plain, slots, mapped; the first is the baseline.")
    ] = "plain,slots",
    json: Json = False,
) -> None:
    """Measure slots beside plain interpreters.

    Forced routing, at memory budgets of all, half and a quarter of the experts' files.

    Example: python -m benchmarks moe /srv/model --rounds 5
    """
    from edge_experts.runtime.packed.scheme import NAMES

    from . import residency

    names = schemes.split(",")
    if not set(names) <= set(NAMES):
        raise UsageError(f"--schemes {schemes}: must be of {', '.join(NAMES)}")
    found = residency.measure(root, tokens=tokens, rounds=rounds, threads=threads, schemes=names)
    table = [residency.HEADER, *(one.cells() for one in found)]
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


def synthetic_moe(
    out: Annotated[Path, typer.Argument(help="Folder of the new bundle.", show_default=False)],
    layers: Annotated[int, typer.Option(min=1, help="The model itself has 24.")] = 4,
    experts: Annotated[int, typer.Option(min=2, help="Of a layer.")] = 32,
    quantization: Annotated[str, typer.Option(help="float32, int8 or int4.")] = "int8",
) -> None:
    """Make a bundle in the shape of granite-1b.

    Example: python -m benchmarks synthetic-moe random.bundle --layers 24
    """
    from .random_checkpoint import bundle

    bundle(out, layers=layers, experts=experts, quantization=quantization)
