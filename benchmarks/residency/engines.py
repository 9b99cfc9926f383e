"""Engines that compute the tokens of a trace: this project's runtime, and llama.cpp.

Each measurement is of a process that did nothing else before.
"""

from __future__ import annotations

import gc
import importlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from device_tests.machine_limits import Limits, enter
from edge_experts import ExpertRuntime
from edge_experts.benchmarking.measure import page_cache
from edge_experts.errors import MemoryBudgetError, UsageError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.memory import process_memory
from edge_experts.runtime.packed import scheme
from edge_experts.runtime.tasks.language_model.layered_network import CHUNK
from edge_experts.runtime.tasks.language_model.network_settings import read_settings

from .random_checkpoint import NAME

LLAMA = "llama.cpp"
WARM = 16  # tokens that are computed before the clock starts
_CONTEXTS = 64  # tokens: keys and values are reserved for a multiple of this number
_SPARE = 16_000_000  # bytes of a control group for the kernel, and for pages of files
_MB = 1e6


@dataclass(frozen=True)
class Work:
    """Tokens for an engine to compute.

    Attributes:
        tokens: numbers of tokens, one after the other; the first `WARM` are not measured.
        is_prompt: all at once, as a prompt.
        repeats: of the whole prompt, after one that is not measured.
    """

    tokens: tuple[int, ...]
    threads: int
    is_prompt: bool = False
    repeats: int = 3

    @property
    def context(self) -> int:
        """Tokens to reserve keys and values for."""
        return -(-(len(self.tokens) + 1) // _CONTEXTS) * _CONTEXTS


@dataclass(frozen=True)
class Measured:
    """Figures of one process.

    Attributes:
        cpu_ms: of all threads, a token.
        storage_mb: read from the storage, a token.
        loaded_mb: read into memory by the runtime from files in the page cache too, a token.
        misses: share of the uses of experts that load one.
        private_mb: anonymous and shared pages of the process at the end.
    """

    tokens_per_second: float
    cpu_ms: float
    storage_mb: float
    loaded_mb: float
    misses: float
    private_mb: float


def ours(
    root: Path,
    name: str,
    work: Work,
    *,
    share: float | None,
    limits: Limits,
    groups: Sequence[Path],
) -> Measured | None:
    """Measure an installed bundle; None: it does not fit into the memory.

    Args:
        name: scheme of residency.
        share: budget, as a share of the experts' files beside the rest; None: without one.
        limits: with a memory limit, the budget is what it leaves.
        groups: control groups that keep the limits.
    """
    os.environ[scheme.CHOICE] = name
    budget = None if share is None else _budget(root, name, share, work.context)
    if limits.is_cold:
        for path in root.rglob("*"):
            if path.is_file():
                page_cache.evict(path)
    enter(groups)
    if limits.memory is not None:
        budget = max(1, limits.memory - process_memory.resident_bytes() - _SPARE)
    try:
        opened = ExpertRuntime(
            root, memory_budget=budget, context=work.context, threads=work.threads
        )
    except MemoryBudgetError:
        return None
    with opened as runtime:
        task: Any = runtime.task
        network = task._network(runtime.access)
        use = network.use
        if work.is_prompt:

            def prompt() -> None:
                cache, _ = task._caches.take(())
                for first in range(0, len(work.tokens), CHUNK):
                    rows = network.rows(list(work.tokens[first : first + CHUNK]), cache)
                network.logits(rows[-1:])
                task._caches.give_back(cache)

            prompt()
            return _clocked([prompt] * work.repeats, len(work.tokens), use)
        cache, _ = task._caches.take(())

        def step(token: int) -> None:
            network.logits(network.rows([token], cache))

        return _one_by_one(step, work.tokens, use)


def llama(path: Path, work: Work, *, limits: Limits, groups: Sequence[Path]) -> Measured:
    """Measure llama.cpp on a GGUF file that it maps, as it does by default.

    With a memory limit it computes with the mapped weights: it would pack Q4_0 anew into anonymous
    memory, all of it, and be killed.

    Raises:
        UsageError: llama-cpp-python is not installed, or the file cannot be used.
    """
    try:
        llama_cpp: Any = importlib.import_module("llama_cpp")
    except ImportError:
        raise UsageError(
            "llama.cpp is measured by its package: pip install llama-cpp-python"
        ) from None
    if limits.memory is not None:
        functions = llama_cpp.llama_cpp
        functions.llama_model_default_params = _without_packing(
            functions.llama_model_default_params
        )
    if limits.is_cold:
        page_cache.evict(path)
    enter(groups)
    try:
        model = llama_cpp.Llama(
            str(path),
            n_ctx=work.context,
            n_threads=work.threads,
            n_threads_batch=work.threads,
            verbose=False,
        )
    except ValueError as error:
        raise UsageError(f"{path}: {error}") from None
    if work.is_prompt:

        def prompt() -> None:
            model.reset()
            model.eval(work.tokens)

        prompt()
        return _clocked([prompt] * work.repeats, len(work.tokens), None)
    return _one_by_one(lambda token: model.eval([token]), work.tokens, None)


def _without_packing(defaults: Callable[[], Any]) -> Callable[[], Any]:
    """Change the default settings of a model, of which `Llama` has no option for packing."""

    def changed() -> Any:
        settings = defaults()
        settings.use_extra_bufts = False
        return settings

    return changed


def _one_by_one(step: Callable[[int], object], tokens: Sequence[int], use: Any) -> Measured:
    """Measure tokens that follow the first ones."""
    for token in tokens[:WARM]:
        step(token)
    return _clocked([partial(step, token) for token in tokens[WARM:]], 1, use)


def _clocked(steps: Sequence[Callable[[], object]], tokens: int, use: Any) -> Measured:
    """Measure steps of `tokens` each."""
    gc.collect()
    loads, hits, loaded = (use.loads, use.hits, use.bytes_read) if use else (0, 0, 0)
    read, start, started = page_cache.bytes_from_storage(), time.perf_counter(), time.process_time()
    for step in steps:
        step()
    seconds, cpu = time.perf_counter() - start, time.process_time() - started
    count = tokens * len(steps)
    memory = process_memory.read()
    if use:
        loads, hits, loaded = use.loads - loads, use.hits - hits, use.bytes_read - loaded
    return Measured(
        tokens_per_second=count / seconds,
        cpu_ms=1000 * cpu / count,
        storage_mb=(page_cache.bytes_from_storage() - read) / count / _MB,
        loaded_mb=loaded / count / _MB,
        misses=loads / (loads + hits) if loads + hits else 0.0,
        private_mb=(memory.anonymous + memory.shared) / _MB,
    )


def pieces(root: Path) -> int:
    """Return the size of the vocabulary of an installed model.

    Raises:
        UsageError: it is not one of `synthetic-moe`, whose last tokens are traces.
    """
    manifest = read_manifest(resolve(root))
    if manifest.provenance.get("base_model") != NAME:
        raise UsageError(f"{root}: must be a model of `python -m benchmarks synthetic-moe`")
    return read_settings(manifest).pieces


def _budget(root: Path, name: str, share: float, context: int) -> int:
    """Compute a budget, the same for all schemes: a share of the experts' files, and the rest."""
    os.environ[scheme.CHOICE] = scheme.PLAIN
    try:
        with ExpertRuntime(root, context=context) as runtime:
            beside = runtime.resident_bytes
            return beside + round(share * sum(entry.bytes for entry in runtime.manifest.experts))
    finally:
        os.environ[scheme.CHOICE] = name
