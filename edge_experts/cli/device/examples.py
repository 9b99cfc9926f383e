"""Examples from the command line, from a file, or line by line from stdin."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MemoryBudgetError, UsageError

if TYPE_CHECKING:
    from ...datasets.input_record import Input
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
    frames: str | None = None,
    *,
    stream: bool = False,
) -> Iterator[Input]:
    """Inputs from the command line, a file, or stdin, as they come.

    Args:
        manifest: of the bundle; it names columns that training left out.
        to: the language to translate to.
        frames: size and format of the frames on stdin.
        stream: read stdin as rows of sensors.

    Raises:
        UsageError: the file does not exist, or its content does not fit the bundle's inputs.
    """
    from ...datasets.inputs import InputReader
    from ...features.frames import FrameFormat

    given = {} if to is None else {"to": to}
    reader = InputReader(features, given, _left_out(manifest))
    if path is not None:
        return reader.file(path)
    if texts:
        return reader.arguments(texts)
    if sys.stdin is None:
        raise UsageError("stdin is closed; give inputs as arguments, or --input FILE")
    if frames is not None:
        return reader.frames(sys.stdin.buffer, "stdin", FrameFormat.parse(frames))
    if stream:
        return reader.sensor_rows(sys.stdin.buffer, "stdin")
    return reader.stream(sys.stdin.buffer, "stdin")


def given(
    texts: Sequence[str] | None,
    path: Path | None,
    features: Features,
    manifest: Manifest | None = None,
    to: str | None = None,
) -> Iterator[tuple[str, Any]]:
    """Yield the name of each example and the example itself, as they come.

    Raises:
        UsageError: an example cannot be read.
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
    frames: str | None = None,
    *,
    stream: bool = False,
) -> Iterator[tuple[str, Answer]]:
    """Yield the name of each example and its answer, as they come.

    `watch` reports a line that cannot be answered, and the next ones are answered.

    Raises:
        UsageError: an example of the command line cannot be answered.
    """
    for one in inputs(
        texts, path, runtime.features, runtime.manifest, frames=frames, stream=stream
    ):
        try:
            answer = runtime.predict(one.value())
        except MemoryBudgetError:
            raise
        except UsageError as error:
            if texts and not one.where:
                raise
            watch.refuse(one, error)
            continue
        watch.look(answer)
        yield one.name, answer


def _left_out(manifest: Manifest | None) -> list[str]:
    """Columns that the training was set to leave out."""
    columns = {} if manifest is None else manifest.provenance.get("columns")
    if not isinstance(columns, Mapping):
        return []
    found: list[str] = []
    for role, names in columns.items():
        if role not in ("keep", "normal"):
            found += names if isinstance(names, list) else [str(names)]
    return found


def ending(answer: Answer, watch: Watch) -> dict[str, Any]:
    """Last JSON keys of an answer: what went wrong, drift if it is watched, and times."""
    return {
        "degraded": answer.degraded,
        "reason": answer.reason,
        "warnings": answer.warnings,
        **({} if watch.drift is None else {"drift": watch.drift}),
        "timings": {name: round(value, 1) for name, value in answer.timings._asdict().items()},
    }
