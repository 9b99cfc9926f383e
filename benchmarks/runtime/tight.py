"""More experts than memory: `python -m benchmarks.runtime.tight BUNDLE --cap 96`.

A process in a cgroup whose memory is capped answers from every expert, one after the other, each
read from the storage. Its answers must be those of a process without a cap. Needs the right to make
cgroups (root, as a rule), version 1 or 2. `--answer` is that process alone, for a machine with no
more memory.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.benchmarking.measure import page_cache
from edge_experts.errors import MachineError, ThresholdError
from edge_experts.format.manifest import read_manifest
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.memory import process_memory

_INPUTS = 2000
_GROUPS = Path("/sys/fs/cgroup")
_MB = 1_000_000


@dataclass(frozen=True)
class Tight:
    experts: int
    expert_bytes: int  # of all their files
    cap_bytes: int
    budget_bytes: int
    answered: int  # experts that answered, and rightly
    wrong: int
    growth_bytes: int  # at the peak, resident, above the base

    def refuse(self) -> None:
        """Raises ThresholdError unless all experts answered, and rightly."""
        if self.answered < self.experts:
            raise ThresholdError(f"{self.answered} of {self.experts} experts answered as they must")


def tight(bundle: Path, *, cap: int, budget: int) -> Tight:
    """Answer from all experts under a cap.

    Raises:
        MachineError: no cgroup can be made here, or the process was killed in it.
    """
    expected = json.loads(_python(["--answer", str(bundle), "--budget", "0"]))["labels"]
    with capped(cap) as group:
        enter = f"echo $$ > {group}/cgroup.procs && exec "
        arguments = ["--answer", str(bundle), "--budget", str(budget / _MB)]
        found = json.loads(_python(arguments, enter))
    wrong = sum(expected[expert] != label for expert, label in found["labels"].items())
    entries = read_manifest(bundle).experts
    return Tight(
        experts=len(entries),
        expert_bytes=sum(entry.bytes for entry in entries),
        cap_bytes=cap,
        budget_bytes=budget,
        answered=len(found["labels"]) - wrong,
        wrong=wrong,
        growth_bytes=found["growth"],
    )


@contextmanager
def capped(cap: int) -> Iterator[Path]:
    """A cgroup of our own that may use so many bytes; swap included, where it is counted.

    Raises:
        MachineError: this system does not let us make one.
    """
    first = (_GROUPS / "memory").is_dir()
    group = _GROUPS / ("memory" if first else ".") / f"edge-experts-{os.getpid()}"
    try:
        group.mkdir()
        try:
            (group / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(cap))
            yield group
        finally:
            group.rmdir()
    except OSError as error:
        raise MachineError(f"{group}: no cgroup with a memory cap can be made: {error}") from None


def _python(arguments: Sequence[str], enter: str = "exec ") -> str:
    done = subprocess.run(
        ["sh", "-c", f'{enter}"$@"', "sh", sys.executable, "-m", __spec__.name, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise MachineError(f"the process under the cap ended early: {lines[-1]}")
    return done.stdout


def _answer(bundle: Path, budget: int | None) -> dict[str, Any]:
    """The label that each expert gives to an input of its own, the storage cold."""
    manifest = read_manifest(bundle)
    interpreter.description()  # imports the interpreter, which belongs to the base
    before = process_memory.read().resident
    labels: dict[int, str] = {}
    chance = np.random.default_rng(0)
    process_memory.reset_peak()
    with ExpertRuntime(bundle, memory_budget=budget, strict=True) as runtime:
        shape = runtime.features.settings["shape"]
        for _ in range(_INPUTS):
            example = chance.normal(size=shape).astype(np.float32)
            expert = _picked(runtime, example)
            if expert not in labels:
                page_cache.evict(bundle / manifest.experts[expert].path)
                for _ in range(3):  # the second inference is where an int8 expert's memory grows
                    labels[expert] = runtime.predict(example).label
        return {"labels": labels, "growth": process_memory.read().peak - before}


def _picked(runtime: ExpertRuntime, example: np.ndarray) -> int:
    router = runtime.models.router
    return 0 if router is None else int(router(runtime.features.encode(example)).argmax())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--cap", type=int, default=96, help="in MB")
    parser.add_argument("--budget", type=float, default=48, help="in MB; 0 is none")
    parser.add_argument("--answer", action="store_true", help="only answer, without a cap")
    asked = parser.parse_args(arguments)
    if asked.answer:
        print(json.dumps(_answer(asked.bundle, round(asked.budget * _MB) or None)))
        return
    found = tight(asked.bundle, cap=asked.cap * _MB, budget=round(asked.budget * _MB))
    print(json.dumps({"schema_version": "1.0", **asdict(found)}, indent=2))
    found.refuse()


if __name__ == "__main__":
    main()
