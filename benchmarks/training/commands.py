"""Commands that measure training steps; all need TensorFlow."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, require_training
from edge_experts.errors import ThresholdError, UsageError

from .. import output

_EXPERTS = (8, 16, 64)
_BATCHES = (32, 128, 512)
_DRAWN = (512, 1024, 2048)
_KINDS = ("table", "text", "window")


def training_speed(
    experts: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of experts, repeatable.", show_default=", ".join(map(str, _EXPERTS))
        ),
    ] = None,
    batches: Annotated[
        list[int] | None,
        typer.Option(help="Batch size, repeatable.", show_default=", ".join(map(str, _BATCHES))),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each kind.")] = 30,
    json: Json = False,
) -> None:
    """Time a training step of experts.

    In one batched computation, in a compiled loop over experts, and in a Python
    loop.

    Example: python -m benchmarks training-speed --experts 8 --experts 64
    """
    require_training()
    from .training_speed import as_table, measure

    steps = measure(experts or _EXPERTS, batches or _BATCHES, rounds)
    note = "Medians of a whole step: loss, gradients and Adam; loops as ratios to the batched one."
    output.show(
        {"steps": [asdict(step) for step in steps]}, as_table(steps), json=json, notes=[note]
    )


def translator_training_speed(
    drawn: Annotated[
        list[int] | None,
        typer.Option(
            help="Number of drawn tokens, repeatable.", show_default=", ".join(map(str, _DRAWN))
        ),
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each kind.")] = 60,
    json: Json = False,
) -> None:
    """Time a training step of a translator.

    With losses over the whole vocabulary, and over a batch's own and some drawn
    tokens.

    Example: python -m benchmarks translator-training-speed --drawn 1024
    """
    require_training()
    from .translator_training_speed import measure

    times = measure(drawn or _DRAWN, rounds)
    output.show(asdict(times), times.as_table(), json=json, notes=times.notes())


def precision_speed(
    rounds: Annotated[int, typer.Option(min=1, help="Steps of each kind.")] = 10,
    json: Json = False,
) -> None:
    """Time training steps in float32 and in bfloat16.

    Of the default language model and translator, in turns.

    Example: python -m benchmarks precision-speed --rounds 10
    """
    require_training()
    from .precision_speed import as_table, measure

    times = measure(rounds)
    note = "Processor time of the median step; ratio of bfloat16 to float32, turn by turn."
    output.show(
        {"networks": [asdict(one) for one in times]}, as_table(times), json=json, notes=[note]
    )


def resume(
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Kind of data, repeatable.", show_default=", ".join(_KINDS)),
    ] = None,
    kills: Annotated[int, typer.Option(min=1, help="Kills, of all kinds together.")] = 20,
    each: Annotated[int, typer.Option(min=1, help="Kills of one training, at most.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Of the moments.")] = 0,
    json: Json = False,
) -> None:
    """Kill trainings, resume them and compare results.

    Each is killed by SIGKILL at random moments and started again. Weights, features, metrics and
    history must be equal, byte for byte, to those of an uninterrupted training; exit code 5 where
    they are not.

    Example: python -m benchmarks resume --kind table --kills 5
    """
    require_training()
    from .resume import Resumed, as_table, measure

    for kind in kinds or ():
        if kind not in _KINDS:
            raise UsageError(f"--kind must be one of {', '.join(_KINDS)}, got {kind!r}")

    def told(resumed: Resumed) -> None:
        moments = ", ".join(f"{wait:.1f} s ({stages} stages)" for wait, stages in resumed.kills)
        different = ", ".join(resumed.differences)
        said = f"DIFFERS in {different}" if different else "identical"
        output.warn(f"{resumed.kind}: killed after {moments}: {said}")

    done, seconds = measure(kinds or _KINDS, kills, each, seed, told)
    notes = ["Seconds of an undisturbed training; identical: trainings that left the same bytes."]
    content = {"trainings": [asdict(resumed) for resumed in done], "seconds": seconds}
    output.show(content, as_table(done, seconds), json=json, notes=notes)
    if different := [resumed for resumed in done if resumed.differences]:
        raise ThresholdError(f"{len(different)} of {len(done)} resumed trainings differ")


def new_domain(
    seeds: Annotated[int, typer.Option(min=1, max=10, help="Trainings of each model.")] = 3,
    folder: Annotated[
        Path, typer.Option(help="Folder of runs, bundles and boards, one a seed.")
    ] = Path("new-domain"),
    picture: Annotated[
        Path | None, typer.Option(help="Draw the result (.png, .svg).", show_default="no picture")
    ] = None,
    json: Json = False,
) -> None:
    """Add a domain to experts or to a dense network.

    The scenario of `edge-experts quickstart`, for several seeds.

    Example: python -m benchmarks new-domain --seeds 3 --picture new-domain.svg
    """
    require_training()
    from edge_experts import plotting

    if picture is not None:
        plotting.require(picture)
    from edge_experts.experiments import new_domain as scenario
    from edge_experts.experiments.new_domain.update_picture import draw

    arrivals = [
        scenario.arrive(
            scenario.sentiment(seed), folder / f"seed-{seed}", seed=seed, told=output.warn
        )
        for seed in range(seeds)
    ]
    if picture is not None:
        draw(arrivals, picture)
    header, *_ = scenario.as_rows(arrivals[0])
    rows = [
        (f"seed {seed}: {row[0]}", *row[1:])
        for seed, arrival in enumerate(arrivals)
        for row in scenario.as_rows(arrival)[1:]
    ]
    content = {"arrivals": [asdict(arrival) for arrival in arrivals]}
    output.show(content, [header, *rows], json=json, notes=[scenario.legend(arrivals[0])])
