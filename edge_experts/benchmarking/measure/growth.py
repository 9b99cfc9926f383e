"""Memory growth of a bundle: its peak memory above the base.

It is measured in a separate process, because memory that other code of the process used and freed
would hide the bundle's cost. The base is read after all imports and before a bundle is opened;
growth is the difference between the peak and the base.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Any

from ... import subprocesses
from ...features import read_features
from ...format.manifest import Manifest
from ...format.manifest_parser import read_manifest
from ...runtime import golden, interpreter
from ...runtime.memory import measured_costs, process_memory
from ...runtime.tasks import open_task
from ...runtime.tasks.base import Traffic
from .. import onnx
from ..bounds import Amount, Count, Share
from .timeline import Recorder, Timeline, Watched

_ROUNDS = 5
_OF_ITS_OWN = 4_000_000  # bytes that a runtime may take beside its models


@dataclass(frozen=True)
class Streaming:
    """Generation of text within the budget.

    Attributes:
        tokens: number of tokens that were generated.
        miss_rate: share of the uses of experts that had to load the expert.
    """

    tokens: Count
    tokens_per_second: Amount
    miss_rate: Share
    bytes_read_per_token: Amount


@dataclass(frozen=True)
class Growth:
    """Bytes; `anonymous_bytes` and `file_bytes` are the growth of those kinds of pages.

    `timeline` has a sample after every second answer. `bound_bytes` is the limit of
    `anonymous_bytes`: twice the files of the router and of the experts that were in memory
    together, and 4 MB; None if it is unknown. Pages of files are beside it: they are nearly all
    code of the interpreter and numpy, which the system shares between processes and drops if it
    needs memory. `streaming` is how fast text is generated within the budget, and what it reads.
    """

    base_bytes: Count
    growth_bytes: Count
    anonymous_bytes: int
    file_bytes: int
    budget_bytes: Count | None
    experts_visited: Count
    answers: Count
    timeline: Timeline
    bound_bytes: Count | None = None
    streaming: Streaming | None = None


def measure_growth(
    bundle: Path,
    budget: int | None,
    inputs: Path | None = None,
    routing: Mapping[str, Any] = MappingProxyType({}),
) -> Growth:
    """Measure in a child process, which answers from every expert in turn.

    Args:
        bundle: or a network in ONNX Runtime.
        inputs: the bundle whose golden examples are the inputs; by default its own.
        routing: options of `RoutingOptions`.
    """
    if onnx.is_onnx(bundle):
        return subprocesses.call(_grow_onnx, bundle, inputs or bundle)
    return subprocesses.call(_grow, bundle, budget, dict(routing))


def room_for_one(bundle: Path) -> int:
    """Compute the smallest budget that the bundle runs in: the largest expert beside the rest."""
    manifest = read_manifest(bundle)
    costs = measured_costs.known(bundle, manifest)
    return costs.always + _reserved(bundle, manifest) + max(costs.opening)


def _reserved(bundle: Path, manifest: Manifest) -> int:
    """Compute the bytes that the bundle's task reserves for a request."""
    task = open_task(manifest, read_features(bundle, manifest.features), bundle)
    return sum(task.reserve(None, 1).values())


def _grow(bundle: Path, budget: int | None, routing: Mapping[str, Any]) -> Growth:
    examples = golden.read(bundle)
    turns = golden.by_turns(examples.experts)
    interpreter.description()  # imports the interpreter, which belongs to the base
    process_memory.reset_peak()
    base = process_memory.read()
    recorder = Recorder(base)
    visited: set[int] = set()
    largest = 0  # size of experts' files in memory together, bytes
    traffic: list[tuple[float, Traffic]] = []
    with Watched(bundle, memory_budget=budget, strict=True, **routing) as runtime:

        def answer(example: Any) -> None:
            begin = perf_counter()
            found = runtime.predict(example)
            visited.update(found.experts)
            taken = runtime.task.traffic(found)
            if taken is not None:
                traffic.append((perf_counter() - begin, taken))

        def sample() -> process_memory.Memory:
            nonlocal largest
            now, resident = process_memory.read(), runtime.resident
            recorder.sample(now, runtime.models.loaded, resident)
            largest = max(largest, sum(runtime.manifest.experts[one].bytes for one in resident))
            return now

        kinds = _ask(answer, sample, [examples.inputs[row] for row in turns], base)
        peak = process_memory.read().peak
    bound = bound_bytes(runtime.manifest, largest) + _reserved(bundle, runtime.manifest)
    # Each input is asked twice: the second time what it needs is often still in memory.
    streaming = _streaming(traffic[::2])
    return _grown(base, peak, kinds, budget, len(visited), recorder, bound, streaming)


def _streaming(traffic: Sequence[tuple[float, Traffic]]) -> Streaming | None:
    """Summarize answers; None if they generate no text."""
    seconds = sum(one for one, _ in traffic)
    tokens, hits, loads, read = (
        (sum(column) for column in zip(*(one for _, one in traffic), strict=True))
        if traffic
        else (0, 0, 0, 0)
    )
    if not tokens:
        return None
    return Streaming(
        tokens=tokens,
        tokens_per_second=round(tokens / seconds, 3),
        miss_rate=round(loads / (hits + loads), 6),
        bytes_read_per_token=round(read / tokens, 1),
    )


def bound_bytes(manifest: Manifest, experts: int) -> int:
    """Compute the limit of anonymous pages, if `experts` bytes of files are in memory together."""
    always = sum(entry.bytes for entry in (*manifest.routers, *manifest.dense))
    return 2 * (always + experts) + _OF_ITS_OWN


def _grow_onnx(folder: Path, inputs: Path) -> Growth:
    """Measure a network in ONNX Runtime, which then is the interpreter of the base."""
    examples = golden.read(inputs)
    onnx.runtime()
    process_memory.reset_peak()
    base = process_memory.read()
    recorder = Recorder(base)
    network, loaded = onnx.OnnxNetwork(folder), [0]

    def sample() -> process_memory.Memory:
        now = process_memory.read()
        recorder.sample(now, loaded, (0,))
        return now

    kinds = _ask(network.predict, sample, list(examples.inputs), base)
    return _grown(base, process_memory.read().peak, kinds, None, 1, recorder)


def _ask(
    answer: Callable[[Any], object],
    sample: Callable[[], process_memory.Memory],
    inputs: Sequence[Any],
    base: process_memory.Memory,
) -> tuple[int, int]:
    """Answer all inputs repeatedly; return the peaks of anonymous and file pages above the base."""
    anonymous = file = 0
    for _ in range(_ROUNDS):
        for example in inputs:
            # Twice: the memory of an int8 expert is complete after its second inference.
            answer(example)
            answer(example)
            now = sample()
            anonymous = max(anonymous, now.anonymous - base.anonymous)
            file = max(file, now.file - base.file)
    return anonymous, file


def _grown(
    base: process_memory.Memory,
    peak: int,
    kinds: tuple[int, int],
    budget: int | None,
    visited: int,
    recorder: Recorder,
    bound: int | None = None,
    streaming: Streaming | None = None,
) -> Growth:
    growth, (anonymous, file) = max(0, peak - base.resident), kinds
    return Growth(
        base_bytes=base.resident,
        growth_bytes=growth,
        # What was not a file's at the peak, which samples between answers do not see.
        anonymous_bytes=max(anonymous, growth - file),
        file_bytes=file,
        budget_bytes=budget,
        experts_visited=visited,
        answers=2 * len(recorder.found.milliseconds),
        timeline=recorder.found,
        bound_bytes=bound,
        streaming=streaming,
    )
