"""Suggested next commands, printed on stderr in a form that can be pasted."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

_LONGEST = 200  # longest example in a suggestion, in characters


def print_next(*words: object) -> None:
    """Print `Next: edge-experts ...`, with words quoted for a shell."""
    print(f"Next: {shlex.join(['edge-experts', *map(str, words)])}", file=sys.stderr)


def unused(path: Path) -> Path:
    """Return the path itself, or the first of NAME-2, NAME-3 ... that does not exist."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return candidate


def print_convert(run: Path, *options: object) -> None:
    """Suggest the conversion after a training, to a folder that does not exist."""
    bundle = unused(run.with_name(f"{run.stem}.bundle"))
    print_next("convert", run, "--out", bundle, *options)


def print_run(bundle: Path, arguments: str) -> None:
    """Suggest an inference after a conversion, for one of the bundle's golden examples.

    Args:
        arguments: arguments of `run`, where the task has them; if empty, a golden example is
            shown. If that is too long to paste, `benchmark` is suggested, which uses them all.
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
    """Format an example as `run` reads it: JSON of a row or an array."""
    if hasattr(example, "tolist"):
        example = example.tolist()
    return json.dumps(example, ensure_ascii=False)
