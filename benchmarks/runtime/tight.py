"""Answers of more experts than memory holds: a process in a cgroup with a memory cap.

The process answers from every expert, one after the other, each read from storage. Its answers must
equal those of a process without a cap. It needs the right to create cgroups (usually root),
version 1 or 2.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from device_tests.machine_limits import Limits, groups
from edge_experts.errors import MachineError, ThresholdError
from edge_experts.format.manifest_parser import read_manifest

_PROGRAM = "device_tests.every_expert"
_MB = 1_000_000


@dataclass(frozen=True)
class Tight:
    """Outcome of a run under a memory cap."""

    experts: int
    expert_bytes: int  # of all their files
    cap_bytes: int
    budget_bytes: int
    answered: int  # experts that answered correctly
    wrong: int
    growth_bytes: int  # at the peak, resident, above the base

    def refuse(self) -> None:
        """Raise ThresholdError unless all experts answered correctly."""
        if self.answered < self.experts:
            raise ThresholdError(f"{self.answered} of {self.experts} experts answered as they must")


def as_table(found: Tight) -> list[list[str]]:
    """Build a table of one row."""
    header = ["experts", "their MB", "cap MB", "budget MB", "answered", "wrong", "growth MB"]
    row = [
        str(found.experts),
        f"{found.expert_bytes / _MB:,.1f}",
        f"{found.cap_bytes / _MB:,.1f}",
        f"{found.budget_bytes / _MB:,.1f}",
        str(found.answered),
        str(found.wrong),
        f"{found.growth_bytes / _MB:,.1f}",
    ]
    return [header, row]


def tight(bundle: Path, *, cap: int, budget: int) -> Tight:
    """Answer from all experts under a cap.

    Raises:
        MachineError: no cgroup can be made here, or the process was killed in it.
    """
    entries = read_manifest(bundle).experts
    expected = json.loads(_python([str(bundle)]))["labels"]
    with groups(Limits(memory=cap), bundle) as made:
        enter = "".join(f"echo $$ > {group}/cgroup.procs && " for group in made) + "exec "
        found = json.loads(_python([str(bundle), str(budget / _MB)], enter))
    wrong = sum(expected[expert] != label for expert, label in found["labels"].items())
    return Tight(
        experts=len(entries),
        expert_bytes=sum(entry.bytes for entry in entries),
        cap_bytes=cap,
        budget_bytes=budget,
        answered=len(found["labels"]) - wrong,
        wrong=wrong,
        growth_bytes=found["growth"],
    )


def _python(arguments: Sequence[str], enter: str = "exec ") -> str:
    done = subprocess.run(
        ["sh", "-c", f'{enter}"$@"', "sh", sys.executable, "-m", _PROGRAM, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise MachineError(f"the process that runs every expert ended early: {lines[-1]}")
    return done.stdout
