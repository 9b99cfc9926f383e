"""Commands that measure language models: quality, options and residency."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Bundle, Json, require_training
from edge_experts.errors import UsageError

from .. import output

Texts = Annotated[str, typer.Option(help="help, prose, a .txt file or a folder of them.")]


def language_models(
    data: Texts = "help",
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
    data: Texts = "prose",
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
    data: Texts = "help",
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


def one_file(
    file: Annotated[
        Path,
        typer.Argument(
            help="File that synthetic-language --one-file made.", exists=True, show_default=False
        ),
    ],
    bundles: Annotated[
        list[Path], typer.Option("--against", help="Bundle; repeatable.", show_default=False)
    ],
    rounds: Annotated[int, typer.Option(min=1, help="Processes for each.")] = 7,
    json: Json = False,
) -> None:
    """Time a token in bundles and in one file.

    Language models in one thread, by turns: a dense network as one TFLite file, and
    bundles.

    Example: python -m benchmarks one-file dense.tflite --against sparse.bundle
    """
    from .one_file import as_table, measure

    times = measure(file, bundles, rounds)
    output.show({"times": [asdict(one) for one in times]}, as_table(times), json=json)
