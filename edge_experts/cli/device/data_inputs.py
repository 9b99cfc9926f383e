"""Inputs of a benchmark from a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...benchmarking.latency import Latency
    from ...runtime import ExpertRuntime

_MOST = 256


def inputs_of_data(source: str, runtime: ExpertRuntime) -> tuple[list[Any], Latency | None]:
    """Read inputs that are spread evenly over the data's test split, or over a folder's files.

    Files such as photos are decoded, but not yet resized, and sounds resampled; this is timed.

    Returns:
        The inputs, and the latency of decoding a file; None if they are not files.

    Raises:
        DataError: the data does not exist, or does not fit the bundle.
    """
    from ... import datasets
    from ...benchmarking.media_speed import decode_files
    from ...datasets.file_walk import files_below

    suffixes = getattr(runtime.features, "suffixes", ())
    if suffixes and Path(source).is_dir():
        files = [path for path in files_below(Path(source)) if path.suffix.lower() in suffixes]
        found = decode_files(runtime.features, files)
        return list(found.examples), found.decode
    seed = runtime.manifest.provenance.get("seed") or 0
    task_type = runtime.manifest.task_type
    dataset = datasets.load(source, seed, task_type, features=runtime.features)
    asked = list(dataset.asked(dataset.test))
    chosen = asked[:: max(1, len(asked) // _MOST)][:_MOST]
    return [part for one in chosen for part in runtime.task.parts(one)], None
