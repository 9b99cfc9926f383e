"""Commands that a user may want next, printed on stderr so that they can be pasted."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

_LONGEST = 200  # characters of an example that a person would paste


def print_next(*words: object) -> None:
    """Prints `Next: edge-experts ...`; words that a shell would take apart are quoted."""
    print(f"Next: {shlex.join(['edge-experts', *map(str, words)])}", file=sys.stderr)


def unused(path: Path) -> Path:
    """The path itself, or else the first of NAME-2, NAME-3 ... where nothing is yet."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def print_convert(run: Path, *options: object) -> None:
    """What comes after a training: its conversion, to a folder that does not exist."""
    bundle = unused(run.with_name(f"{run.stem}.bundle"))
    print_next("convert", run, "--out", bundle, *options)


def print_run(bundle: Path, arguments: str) -> None:
    """What comes after a conversion: an answer to one of the bundle's golden examples.

    Args:
        arguments: of `run`, where the task knows them; empty where an example is to be shown. One
            that is too long to paste gives way to `benchmark`, which asks the golden examples.
    """
    if arguments:
        print_next("run", bundle, *shlex.split(arguments))
        return
    from ..runtime import golden

    text = _pasteable(golden.read(bundle).inputs[0])
    if len(text) <= _LONGEST:
        print_next("run", bundle, text)
    else:
        print_next("benchmark", bundle)


def _pasteable(example: Any) -> str:
    """An example as `run` reads it: JSON of a row or an array."""
    if hasattr(example, "tolist"):
        example = example.tolist()
    return json.dumps(example, ensure_ascii=False)
