"""Files of a bundle that are written here by threads, or by the workers of a cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

from edge_experts.cluster import spread

from .checkpoint import open_checkpoint
from .file_networks import FileNetwork
from .file_plan import BundlePlan, plan_files
from .template_files import Template, write_file

_THREADS = 4  # more of them wait for the disk, and each needs 0.1 GB
_SHARE = 16  # files that a worker writes at a time


def write_files(
    source: Path,
    plan: BundlePlan,
    templates: Mapping[FileNetwork, Template],
    folder: Path,
    paths: Sequence[str],
    scheduler: str | None = None,
) -> Iterator[str]:
    """Write files, and yield the path of each when it is finished.

    Args:
        source: the checkpoint, which the workers of a cluster open themselves.
        scheduler: address of a Dask cluster; None: threads of this process.

    Raises:
        CheckpointError: as `write_file`.
        MachineError, MissingExtraError: as `spread`.
    """
    if scheduler is not None:
        calls = []
        for start in range(0, len(paths), _SHARE):
            share = paths[start : start + _SHARE]
            needed = {plan.files[path].network: None for path in share}
            chosen = {network: templates[network] for network in needed}
            calls.append((source.absolute(), chosen, folder.absolute(), share))
        for _, written in spread(scheduler, _write_share, calls, folder):
            yield from written
        return
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        waiting = {
            threads.submit(
                write_file,
                templates[plan.files[path].network],
                plan.files[path],
                folder / path,
            ): path
            for path in paths
        }
        try:
            for future in as_completed(waiting):
                future.result()
                yield waiting[future]
        finally:  # after an error, or an interrupt
            threads.shutdown(wait=True, cancel_futures=True)


def _write_share(
    source: Path,
    templates: Mapping[FileNetwork, Template],
    folder: Path,
    paths: Sequence[str],
) -> Sequence[str]:
    plan = _plan(source)
    for path in paths:
        file = plan.files[path]
        write_file(templates[file.network], file, folder / path)
    return paths


@lru_cache(maxsize=1)
def _plan(source: Path) -> BundlePlan:
    opened = open_checkpoint(source)
    return plan_files(opened.config, opened.tensors)
