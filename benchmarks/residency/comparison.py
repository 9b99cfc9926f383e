"""Engines beside each other, with the memory of all experts, of a half and of a quarter of them.

Each figure is of a separate process. Rounds of all settings are interleaved; ratios are those of
one round's neighbours, and medians over rounds are shown.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from device_tests.machine_limits import Limits, groups
from edge_experts import subprocesses
from edge_experts.errors import UsageError
from edge_experts.format.install_root import is_root

from . import engines, token_routes
from .engines import LLAMA, Measured, Work

SHARES: Mapping[str, float | None] = {"all": None, "half": 0.5, "quarter": 0.25}
HEADER = [
    *("memory", "tokens", "engine", "tokens/s", "CPU ms", "MB of storage", "MB loaded"),
    *("misses", "private MB", "speed", "CPU", "storage"),
]


@dataclass(frozen=True)
class Plan:
    """Settings of a comparison.

    Attributes:
        root: install root of a model of `synthetic-moe`.
        gguf: the same model for llama.cpp; None without it.
        names: engines; the first one is what others are compared with.
        shares: names of `SHARES`.
        traces: names of `token_routes.TRACES`.
        tokens: of each process that are measured.
        prompt: tokens of a prompt that is computed at once; 0: one token after the other.
        capped: memory is limited by the kernel, with files that are not in the page cache.
        storage: bytes a second that are read from the disk; None: unlimited.
    """

    root: Path
    gguf: Path | None
    names: Sequence[str]
    shares: Sequence[str]
    traces: Sequence[str]
    tokens: int
    prompt: int
    rounds: int
    threads: int
    capped: bool
    storage: int | None


@dataclass(frozen=True)
class Row:
    """Medians of one setting, and of its ratios to the first engine in the same round.

    Attributes:
        figures: None if the model does not fit.
        speed, cpu, storage: this engine's divided by the first one's, (lowest, median, highest).
    """

    memory: str
    trace: str
    engine: str
    figures: Measured | None
    speed: tuple[float, float, float] | None = None
    cpu: tuple[float, float, float] | None = None
    storage: tuple[float, float, float] | None = None

    def cells(self) -> list[str]:
        one = self.figures
        if one is None:
            return [self.memory, self.trace, self.engine, "does not fit", *[""] * 8]
        numbers = (one.tokens_per_second, one.cpu_ms, one.storage_mb, one.loaded_mb)
        return [
            *(self.memory, self.trace, self.engine),
            *(f"{number:.2f}" for number in numbers),
            f"{one.misses:.3f}",
            f"{one.private_mb:.0f}",
            *(_range(ratio) for ratio in (self.speed, self.cpu, self.storage)),
        ]


def measure(plan: Plan, told: Callable[[str], None]) -> list[Row]:
    """Measure every setting of the plan.

    Args:
        told: called with a sentence after each round.

    Raises:
        UsageError: nothing is installed there, it is not a model of `synthetic-moe`, or the plan
            needs what is not there.
    """
    if not is_root(plan.root):
        raise UsageError(f"{plan.root}: must be a folder of `edge-experts install`")
    if LLAMA in plan.names and plan.gguf is None:
        raise UsageError("--engines llama.cpp needs --gguf, a file of synthetic-moe")
    for trace in plan.traces:
        _work(plan, trace, 0)  # refused now, instead of after hours
    settings = [(share, trace) for share in plan.shares for trace in plan.traces]
    found: dict[tuple[str, str, str], list[Measured | None]] = {
        (*setting, name): [] for setting in settings for name in plan.names
    }
    for number in range(plan.rounds):
        for setting in settings:
            # Each engine is first in turn, so that none always follows the same one.
            turn = number % len(plan.names)
            for name in (*plan.names[turn:], *plan.names[:turn]):
                found[(*setting, name)].append(_once(plan, *setting, name, number))
        told(f"round {number + 1}/{plan.rounds}")
    return list(_rows(plan, found))


def _once(plan: Plan, share: str, trace: str, name: str, number: int) -> Measured | None:
    part = SHARES[share]
    limits = Limits(storage=plan.storage, is_cold=plan.capped or plan.storage is not None)
    if plan.capped and part is not None:
        whole = plan.gguf.stat().st_size if plan.gguf else _size(plan.root)
        limits = Limits(round(part * whole), plan.storage, is_cold=True)
        part = None
    work = _work(plan, trace, number)
    with groups(limits, plan.root) as made:
        if name != LLAMA:
            return subprocesses.call(
                engines.ours, plan.root, name, work, share=part, limits=limits, groups=made
            )
        assert plan.gguf is not None
        if part is not None:
            return None  # it has no budget
        return subprocesses.call(engines.llama, plan.gguf, work, limits=limits, groups=made)


def _work(plan: Plan, trace: str, number: int) -> Work:
    """Choose the tokens of a round: other ones of the trace in each."""
    known = token_routes.tokens(engines.pieces(plan.root)).get(trace)
    if known is None:
        raise UsageError(
            f"--traces {trace}: {plan.root} was made without it; make it anew by synthetic-moe"
        )
    count = plan.prompt or plan.tokens + engines.WARM
    if count > len(known):
        raise UsageError(f"a trace has {len(known)} tokens, {count} are needed")
    first = (number * 97) % (len(known) - count + 1)
    return Work(tuple(known[first : first + count]), plan.threads, bool(plan.prompt))


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.glob("versions/*/**/*") if path.is_file())


def _rows(
    plan: Plan, found: Mapping[tuple[str, str, str], Sequence[Measured | None]]
) -> Iterator[Row]:
    for (share, trace, name), runs in found.items():
        made = [one for one in runs if one is not None]
        if not made:
            yield Row(share, trace, name, None)
            continue
        medians = Measured(
            **{
                one.name: statistics.median(getattr(run, one.name) for run in made)
                for one in fields(Measured)
            }
        )
        if name == plan.names[0]:
            yield Row(share, trace, name, medians)
            continue
        rounds = list(zip(runs, found[(share, trace, plan.names[0])], strict=True))
        ratios = (
            _ratio(rounds, figure) for figure in ("tokens_per_second", "cpu_ms", "storage_mb")
        )
        yield Row(share, trace, name, medians, *ratios)


def _ratio(
    rounds: Sequence[tuple[Measured | None, Measured | None]], figure: str
) -> tuple[float, float, float] | None:
    """Lowest, median and highest ratio of a figure; None if no round has both engines."""
    both = [
        (getattr(one, figure), getattr(first, figure)) for one, first in rounds if one and first
    ]
    made = sorted(one / first for one, first in both if first)
    return (made[0], statistics.median(made), made[-1]) if made else None


def _range(ratio: tuple[float, float, float] | None) -> str:
    return "" if ratio is None else f"{ratio[1]:.2f} ({ratio[0]:.2f} to {ratio[2]:.2f})"
