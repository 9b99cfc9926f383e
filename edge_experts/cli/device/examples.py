"""Examples that a user gives on the command line, in a file, or line by line on stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MemoryBudgetError, UsageError

if TYPE_CHECKING:
    from ...datasets.inputs import Input
    from ...features import Features
    from ...format.manifest import Manifest
    from ...runtime import Answer, ExpertRuntime
    from ...runtime.installed import InstalledRuntime
    from .watch import Watch


def inputs(
    texts: Sequence[str] | None,
    path: Path | None,
    features: Features,
    manifest: Manifest | None = None,
    to: str | None = None,
) -> Iterator[Input]:
    """Inputs from the command line, a file, or stdin, as they come.

    Args:
        manifest: of the bundle, which names columns that training left out.
        to: the language to translate to.

    Raises:
        UsageError: there is no such file, or it holds no inputs of the bundle.
    """
    from ...datasets.inputs import Input, Reader

    given = {} if to is None else {"to": to}
    reader = Reader(features, given, _left_out(manifest))
    if path is not None:
        return reader.file(path)
    if texts:
        return (Input(text, "", number, reader.line(text)) for number, text in enumerate(texts, 1))
    if sys.stdin is None:
        raise UsageError("stdin is closed; give inputs as arguments, or --input FILE")
    return reader.stream(sys.stdin.buffer, "stdin")


def given(
    texts: Sequence[str] | None,
    path: Path | None,
    features: Features,
    manifest: Manifest | None = None,
    to: str | None = None,
) -> Iterator[tuple[str, Any]]:
    """What to call each example, and the example itself, as they come.

    Raises:
        UsageError: one of them cannot be read.
    """
    for one in inputs(texts, path, features, manifest, to):
        if one.problem is not None:
            raise UsageError(one.told(one.problem))
        yield one.name, one.example


def answers(
    runtime: ExpertRuntime | InstalledRuntime,
    texts: Sequence[str] | None,
    path: Path | None,
    watch: Watch,
) -> Iterator[tuple[str, Answer]]:
    """What to call each example, and its answer, as they come.

    A line that cannot be answered names itself, and the next ones are answered; `watch` decides.

    Raises:
        UsageError: an example of the command line cannot be answered.
    """
    for one in inputs(texts, path, runtime.features, runtime.manifest):
        try:
            answer = runtime.predict(one.value())
        except MemoryBudgetError:
            raise
        except UsageError as error:
            if texts:
                raise
            watch.refuse(one, error)
            continue
        watch.look(answer)
        yield one.name, answer


def _left_out(manifest: Manifest | None) -> list[str]:
    """Columns that the bundle's training was told to leave out."""
    columns = {} if manifest is None else manifest.provenance.get("columns")
    if not isinstance(columns, Mapping):
        return []
    found: list[str] = []
    for role, names in columns.items():
        if role != "keep":
            found += names if isinstance(names, list) else [str(names)]
    return found
