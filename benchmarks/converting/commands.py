"""Commands that measure conversion, and those that make random bundles; all need TensorFlow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, Recipe, require_training
from edge_experts.errors import UsageError

from .. import output

Out = Annotated[Path, typer.Argument(help="Folder of the new bundle.", show_default=False)]
Runs = Annotated[list[Path], typer.Argument(help="Run folders.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Seed of the weights.")]


def conversion_speed(
    experts: Annotated[int, typer.Option(min=2, help="Experts, of about 50 kB each.")] = 64,
    rounds: Annotated[int, typer.Option(min=1, help="Conversions by each pool.")] = 3,
    json: Json = False,
) -> None:
    """Time conversion by one worker and by two.

    The whole conversion runs twice, which shows the effect of the cache.

    Example: python -m benchmarks conversion-speed --experts 64
    """
    require_training()
    from .conversion_speed import measure

    times = measure(experts, rounds)
    output.show(asdict(times), times.as_table(), json=json)


def synthetic(
    out: Out,
    experts: Annotated[int, typer.Option(min=1, help="Number of experts.", show_default=False)],
    inputs: Annotated[int, typer.Option(min=1, help="Numbers in one example.")] = 64,
    hidden: Annotated[str, typer.Option(help="Units of each hidden layer: 512,512.")] = "64",
    labels: Annotated[int, typer.Option(min=2, help="Number of labels.")] = 10,
    quantization: Recipe = "int8",
    seed: Seed = 0,
) -> None:
    """Make a bundle of random networks.

    Example: python -m benchmarks synthetic b.bundle --experts 64 --hidden 32
    """
    require_training()
    from .synthetic import Synthetic

    try:
        units = [int(one) for one in hidden.split(",")]
    except ValueError:
        message = f"--hidden {hidden}: must be numbers with commas between, such as 512,512"
        raise UsageError(message) from None
    Synthetic(
        experts=experts,
        inputs=inputs,
        hidden=units,
        labels=labels,
        quantization=quantization,
        seed=seed,
    ).build(out)


def synthetic_translators(
    out: Out,
    experts: Annotated[int, typer.Option(help="Number of experts: 1 or 4.")] = 4,
    units: Annotated[int, typer.Option(min=1, help="Width of the networks.")] = 128,
    pieces: Annotated[int, typer.Option(min=300, help="Tokens of the vocabulary.")] = 4000,
    quantization: Recipe = "int8",
    beams: Annotated[int, typer.Option(min=1, help="Beams, as for convert.")] = 1,
    seed: Seed = 0,
) -> None:
    """Make a bundle of random translators.

    Example: python -m benchmarks synthetic-translators random.bundle --beams 1
    """
    require_training()
    from .synthetic_translators import LANGUAGES, SyntheticTranslators

    if experts not in (1, len(LANGUAGES)):
        raise UsageError(
            f"--experts {experts}: must be 1, for all languages, or {len(LANGUAGES)}, one each"
        )
    SyntheticTranslators(
        experts=experts,
        units=units,
        pieces=pieces,
        quantization=quantization,
        beams=beams,
        seed=seed,
    ).build(out)


def synthetic_language(
    out: Out,
    dense: Annotated[
        str | None,
        typer.Option(help="One network: active or all, as for train.", show_default="experts"),
    ] = None,
    one_file: Annotated[
        Path | None,
        typer.Option(help="With --dense: also write one TFLite file.", show_default="none"),
    ] = None,
    quantization: Recipe = "int8",
    seed: Seed = 0,
) -> None:
    """Make a bundle of a hardly trained language model.

    Example: python -m benchmarks synthetic-language random.bundle --dense all
    """
    require_training()
    from .synthetic_language import build

    if dense not in (None, "active", "all"):
        raise UsageError(f"--dense {dense}: must be active or all")
    if one_file is not None and (dense is None or quantization != "int8"):
        raise UsageError("--one-file: is for --dense with --quantization int8")
    build(out, dense=dense, quantization=quantization, seed=seed, one_file=one_file)


def auto_evaluation(
    runs: Runs,
    data: Annotated[
        str | None,
        typer.Option(help="Data set of the runs, to fine-tune with.", show_default=False),
    ] = None,
    frontier: Annotated[
        Path | None,
        typer.Option(help="Draw the first run's choices: .png or .svg.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Compare automatic and uniform quantization.

    At five size budgets, `--quantization auto` chooses on validation examples.
    Test examples compare it with the best uniform choice: paired differences
    with 95 % intervals.

    Example: python -m benchmarks auto-evaluation fashion.run
    """
    require_training()
    from .auto_evaluation import as_table, choices, evaluate_all

    rows = evaluate_all(runs, data=data, frontier=frontier)
    content = {"rows": [asdict(row) for row in rows]}
    output.show(content, as_table(rows), json=json, notes=choices(rows))


def every_recipe(
    runs: Runs,
    interpreters: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="tflite_runtime or ai_edge_litert; repeatable.",
            show_default="all that are installed",
        ),
    ] = None,
    recipes: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Recipe, as for convert --quantization; repeatable.",
            show_default="all of them",
        ),
    ] = None,
    max_int8_loss: Annotated[
        float | None,
        typer.Option(help="Accuracy points that int8 may lose to float32.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Measure runs in every quantization recipe.

    Accuracy, latency and memory, on every interpreter. Where int8 loses more
    than --max-int8-loss, the exit code is 5.

    Example: python -m benchmarks every-recipe s.run --max-int8-loss 0.5
    """
    require_training()
    from edge_experts.converters.recipes import RECIPE_NAMES

    from .every_recipe.recipe_figures import (
        INTERPRETERS,
        as_table,
        installed,
        measure_all,
        refuse_loss,
        remarks,
    )

    _require_known("--interpreters", interpreters or (), INTERPRETERS)
    _require_known("--recipes", recipes or (), RECIPE_NAMES)
    present = installed()
    for name in INTERPRETERS:
        if name not in present:
            output.warn(f"Warning: {name} is not installed, and NOT MEASURED")
    asked = interpreters or present
    rows = measure_all(runs, asked, recipes or RECIPE_NAMES)
    output.show({"rows": [asdict(row) for row in rows]}, as_table(rows, asked), json=json)
    for line in remarks(rows):
        output.warn(line)
    if max_int8_loss is not None:
        refuse_loss(rows, max_int8_loss)


def _require_known(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise UsageError(f"{option} {name}: must be one of {', '.join(known)}")


def generated(
    count: Annotated[int, typer.Option(min=1, help="Random models.")] = 200,
    first: Annotated[int, typer.Option(help="Seed of the first model.")] = 0,
    results: Annotated[
        Path | None,
        typer.Option(help="File that gets a JSON line for each result.", show_default=False),
    ] = None,
    all_recipes_each: Annotated[
        int, typer.Option(min=1, help="Convert every Nth model in all recipes.", metavar="N")
    ] = 1,
    json: Json = False,
) -> None:
    """Compare random converted models with Keras.

    The other models of --all-recipes-each are converted to float32 and int8. A
    file that differs from Keras and is not refused ends with exit code 5.

    Example: python -m benchmarks generated --all-recipes-each 10
    """
    require_training()
    from .generated import outcomes

    for name in outcomes.missing():
        output.warn(f"Warning: {name} is not installed, and NOT CHECKED")
    found = outcomes.measure(first, count, results, all_recipes_each)
    content = outcomes.report(found, count)
    notes = outcomes.notes(content, found)
    output.show(content, outcomes.as_table(content), json=json, notes=notes)
    outcomes.refuse_differences(found)


def label_thresholds(
    bundle: Annotated[Path, typer.Argument(help="Bundle with several labels.", show_default=False)],
    data: Annotated[str, typer.Option(help="Data that it was trained on.", show_default=False)],
    json: Json = False,
) -> None:
    """Score thresholds of labels, own and shared.

    Each threshold is a mean of both, by a weight. They are chosen on validation
    examples, and scored on test examples.

    Example: python -m benchmarks label-thresholds tags.bundle --data debtags
    """
    from .label_thresholds import as_table, measure

    found = measure(bundle, data)
    notes = ["A label's own threshold weighs its number of validation examples."]
    output.show({"rows": [asdict(one) for one in found]}, as_table(found), json=json, notes=notes)
