"""Overhead of the runtime above the bare interpreter.

All contenders take turns; the figures are medians:

- warm: `predict` and the reference loop, on the bundle's golden inputs, in four processes: in every
  other one the loop is made first, because large weights that are allocated first are read more
  slowly;
- switch: evicting an expert, loading another and its first run, with a budget for one; and the
  minimum of a script: construct, allocate, invoke, from the path, and separately one read and one
  check of the file. In processor time: files are in the page cache, and other processes would
  interrupt longer operations more often;
- prefetched: an answer of an expert that the prefetching thread has loaded in a pause, and a warm
  answer after the same pause.
"""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter_ns, thread_time_ns

import numpy as np

from edge_experts import subprocesses
from edge_experts.benchmarking.measure.growth import room_for_one
from edge_experts.benchmarking.reference_loop import reference_loop
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden
from edge_experts.runtime.interpreter import interpreter_class

from .loading import seen_by_experts

_PROCESSES = 4
_PAUSE = 0.02  # seconds, in which an expert is prefetched


def measure(bundle: Path, *, answers: int, switches: int) -> dict[str, dict[str, float]]:
    """Measure the parts by their names; a bundle of one expert has only "warm"."""
    figures = {"warm": warm(bundle, answers)}
    if len(read_manifest(bundle).experts) > 1:
        figures["switch"] = switch(bundle, switches)
        figures["prefetched"] = prefetched(bundle, switches // 4)
    return figures


def as_table(figures: Mapping[str, Mapping[str, float]]) -> list[list[str]]:
    """Build one row for each figure of each part."""
    rows = [
        [part, name, f"{value:,.2f}"]
        for part, values in figures.items()
        for name, value in values.items()
    ]
    return [["part", "figure", "value"], *rows]


def warm(bundle: Path, answers: int) -> dict[str, float]:
    """Measure the median microseconds of an answer, and of the paired differences."""
    orders = [turn % 2 == 1 for turn in range(_PROCESSES)]
    found = [subprocesses.call(_warm, bundle, answers // _PROCESSES, first) for first in orders]
    ours, theirs = (np.concatenate([one[which] for one in found]) for which in (0, 1))
    return {
        "predict_us": float(np.median(ours)),
        "reference_us": float(np.median(theirs)),
        "overhead_us": float(np.median(ours - theirs)),
        "ratio": float(np.median(ours) / np.median(theirs)),
    }


def _warm(bundle: Path, answers: int, loop_first: bool) -> tuple[list[float], list[float]]:
    """Measure the microseconds of answers, by the runtime and by the loop."""
    inputs = golden.read(bundle).inputs
    bare = reference_loop(bundle) if loop_first else None
    with ExpertRuntime(bundle, strict=True) as runtime:
        for example in inputs:  # so that all experts are loaded
            runtime.predict(example)
        contenders = (runtime.predict, bare or reference_loop(bundle))
        for example in [*inputs, *inputs]:
            for ask in contenders:
                ask(example)
        times: tuple[list[float], list[float]] = ([], [])
        for turn in range(answers):
            example = inputs[turn % len(inputs)]
            for which in (0, 1) if turn // len(inputs) % 2 else (1, 0):
                start = perf_counter_ns()
                contenders[which](example)
                times[which].append((perf_counter_ns() - start) / 1000)
    return times


def switch(bundle: Path, switches: int) -> dict[str, float]:
    """Measure median microseconds of a switch, bare and by the runtime, and of reads and checks."""
    arrays = seen_by_experts(bundle)
    entries = read_manifest(bundle).experts
    ours, bare, dropped, checked = [], [], [], []
    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle), strict=True) as runtime:
        experts, interpreter = runtime._experts, None
        for turn in range(switches):
            index = turn % len(entries)
            path = bundle / entries[index].path
            start = thread_time_ns()
            slot = experts.hold(index)
            slot(arrays)
            experts.free(slot)
            ours.append(thread_time_ns() - start)
            start = thread_time_ns()
            content = path.read_bytes()
            zlib.crc32(content)
            checked.append(thread_time_ns() - start)
            del content
            start = thread_time_ns()
            interpreter = None
            begin = thread_time_ns()
            interpreter = interpreter_class()(model_path=str(path), num_threads=1)
            interpreter.allocate_tensors()
            interpreter.invoke()
            bare.append(thread_time_ns() - begin)
            dropped.append(begin - start)
        del interpreter
    found = {
        "switch_us": statistics.median(ours) / 1000,
        "bare_us": statistics.median(bare) / 1000,
        "drop_us": statistics.median(dropped) / 1000,
        "read_and_check_us": statistics.median(checked) / 1000,
    }
    allowed = found["bare_us"] + 1.2 * found["read_and_check_us"]
    return {
        **found,
        "ratio": found["switch_us"] / allowed,
        # A script with memory for one expert must evict one too.
        "ratio_dropping": found["switch_us"] / (allowed + found["drop_us"]),
    }


def prefetched(bundle: Path, answers: int) -> dict[str, float]:
    """Measure median microseconds of an answer by a prefetched expert and by a warm one.

    Three experts take turns, with a budget for two.
    """
    examples = golden.read(bundle)
    by_expert = {int(expert): row for row, expert in enumerate(examples.experts)}
    cycle = [examples.inputs[row] for row in list(by_expert.values())[:3]]
    loaded, warm_ones, missed = [], [], 0
    with (
        ExpertRuntime(bundle, max_experts=2, prefetch=True, strict=True) as runtime,
        ExpertRuntime(bundle, strict=True) as roomy,
    ):
        for turn in range(answers + 24):
            example = cycle[turn % len(cycle)]
            for which in (runtime, roomy) if turn % 2 else (roomy, runtime):
                time.sleep(_PAUSE)
                start = perf_counter_ns()
                answer = which.predict(example)
                took = (perf_counter_ns() - start) / 1000
                if turn < 24:  # until the prefetcher has learned the order
                    continue
                if which is roomy:
                    warm_ones.append(took)
                elif answer.timings.load_us < 100:
                    loaded.append(took)
                else:
                    missed += 1
    ours, theirs = statistics.median(loaded), statistics.median(warm_ones)
    hits = len(loaded) / (len(loaded) + missed)
    return {"prefetched_us": ours, "warm_us": theirs, "ratio": ours / theirs, "hits": hits}
