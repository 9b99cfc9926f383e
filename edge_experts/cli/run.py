from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from .options import Bundle, Json, MemoryBudget, Threads


def run(
    bundle: Bundle,
    text: Annotated[
        list[str] | None,
        typer.Argument(help="What to answer; without it, lines from stdin.", show_default=False),
    ] = None,
    input: Annotated[  # noqa: A002  the contract's name
        Path | None,
        typer.Option(help="A file with one text on each line.", show_default=False),
    ] = None,
    memory_budget: MemoryBudget = None,
    threads: Threads = 1,
    json: Json = False,
) -> None:
    """Answer texts: from the command line, from a file, or line by line from stdin as they come.

    Example: edge-experts run sentiment.bundle "a film to remember"

    Example: tail -f messages.txt | edge-experts run sentiment.bundle --json
    """
    from ..errors import UsageError
    from ..runtime import Answer, ExpertRuntime

    if text and input is not None:
        raise UsageError("give texts or --input, not both")
    with ExpertRuntime(bundle, memory_budget=memory_budget, threads=threads) as runtime:

        def show(example: str, answer: Answer) -> None:
            if json:
                from json import dumps

                content = {
                    "schema_version": "1.0",
                    "label": answer.label,
                    "score": round(answer.score, 6),
                    "expert": answer.expert,
                    "timings": {
                        name: round(value, 1) for name, value in answer.timings._asdict().items()
                    },
                }
                print(dumps(content, ensure_ascii=False), flush=True)
            else:
                print(
                    f"{answer.label}\t{answer.score:.3f}\texpert {answer.expert}\t{example}",
                    flush=True,
                )

        for example in text or lines_of(input):
            show(example, runtime.predict(example))


def lines_of(path: Path | None) -> Iterator[str]:
    from ..errors import UsageError

    if path is None:
        # Bytes that are not UTF-8 become replacement characters: a stream must not stop for one.
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
        for line in sys.stdin:
            yield line.rstrip("\r\n")
        return
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except (FileNotFoundError, IsADirectoryError):
        raise UsageError(f"--input {path}: no such file") from None
    with file:
        for line in file:
            yield line.rstrip("\r\n")
