"""Warnings of `run`: experts that are left out, and inputs that changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...runtime import Answer, ExpertRuntime
    from ...runtime.installed import InstalledRuntime

_EVERY = 16  # answers between two looks at whether inputs changed


class Watch:
    """Says on stderr, once each, which experts are left out, and that inputs changed."""

    def __init__(self, runtime: ExpertRuntime | InstalledRuntime):
        self._runtime, self._answers = runtime, 0
        self._told: set[int] = set()
        self.drift: bool | None = None  # unknown, or the bundle has nothing to compare with

    def look(self, answer: Answer) -> None:
        """After each answer."""
        self._answers += 1
        if answer.degraded:
            for expert, reason in self._runtime.quarantined.items():
                if expert not in self._told:
                    self._told.add(expert)
                    _warn(f"expert {expert} is left out: {reason}")
        if self._answers % _EVERY == 0:
            self.check_drift()

    def check_drift(self) -> None:
        if self.drift:
            return
        found = self._runtime.drift
        if found is not None:
            self.drift = found.drifted
            if found.drifted:
                _warn(found.warning)


def _warn(what: str) -> None:
    print(f"edge-experts: warning: {what}", file=sys.stderr)
