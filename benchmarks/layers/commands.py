"""Command that tries every Keras layer; it needs TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_experts.cli.shared_options import Json, require_training
from edge_experts.errors import UsageError

from .. import output


def layers(
    case: Annotated[
        list[str] | None,
        typer.Option(help="Layer class or join; repeatable.", show_default="all of them"),
    ] = None,
    way: Annotated[
        list[str] | None,
        typer.Option(help="--model, .keras, 'Keras 3 .h5' ...; repeatable.", show_default="all"),
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Cases that are tried at once.")] = 2,
    results: Annotated[
        Path | None,
        typer.Option(help="File of JSON lines, one for each outcome; resumed.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Try every Keras layer as an expert.

    Ways to join layers too. Each is trained as --model and as --router-model,
    used as --backbone, adopted from files of tf_keras and Keras 3, converted,
    and compared with Keras. With --results, what an interrupted command found
    is not repeated. A traceback, a late error, or more than a tenth refused
    ends with exit code 5.

    Example: python -m benchmarks layers --case LSTM --case add
    """
    require_training()
    from . import matrix

    known = {each.name: each for each in matrix.every_case()}
    for name in case or ():
        if name not in known:
            raise UsageError(f"--case {name}: must be a class of tf_keras.layers, or a join's name")
    for name in way or ():
        if name not in matrix.WAYS:
            raise UsageError(f"--way {name}: must be one of {', '.join(matrix.WAYS)}")
    cases = [known[name] for name in case] if case else list(known.values())
    tried = matrix.attempts(cases, way or matrix.WAYS)
    found = matrix.measure(tried, processes=processes, results=results)
    content = matrix.report(found)
    output.show(content, matrix.as_table(content), json=json, notes=matrix.notes(content))
    matrix.refuse_failures(content)
