"""Result of a site, as tables and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...errors import EdgeExpertsError
from ...text_table import aligned, number
from ..outcome import Outcome
from .server_state import ServerState
from .sites import Site


@dataclass(frozen=True)
class Addition:
    """Expert that was trained for a site.

    Attributes:
        bundle: with the expert; None if it gained nothing, so that the common bundle is sent.
        gain: on the site's test examples: "points", and "low" and "high", its 95 % interval.
    """

    bundle: Path | None
    gain: Mapping[str, float]


@dataclass(frozen=True)
class SiteResult:
    """What a site got, and what it tells.

    Attributes:
        outcome: of the deployment; None for a stage that was not begun, and where only the state
            was queried.
        current: version that answers on the board; None if there is none or it is not known.
        server: state of the board's server; None where none answers.
        error: why the site failed, or could not be queried.
    """

    site: Site
    addition: Addition | None = None
    outcome: Outcome | None = None
    current: str | None = None
    server: ServerState | None = None
    error: EdgeExpertsError | None = None

    def to_json(self) -> dict[str, Any]:
        addition, outcome = self.addition, self.outcome
        return {
            "host": self.site.host,
            "stage": self.site.stage,
            "current": self.current,
            "error": None if self.error is None else str(self.error),
            "exit_code": 0 if self.error is None else self.error.exit_code,
            "addition": None
            if addition is None
            else {"added": addition.bundle is not None, "gain": dict(addition.gain)},
            "deployment": None if outcome is None else outcome.to_json(),
            "server": None if self.server is None else asdict(self.server),
        }


def verdict(results: Sequence[SiteResult]) -> str:
    """Count the sites by state, in a sentence; and name those with drift."""
    drifted = [one.site.host for one in results if one.server is not None and one.server.drift]
    counts = Counter(map(_state, results))
    told = f"{len(results):,} sites: " + ", ".join(f"{n:,} {name}" for name, n in counts.items())
    return f"{told}." + (f" Inputs changed at {', '.join(drifted)}." if drifted else "")


def as_text(results: Sequence[SiteResult], columns: int | None = None) -> list[str]:
    """Format the sentence and the table as lines, for a terminal of that width."""
    return [verdict(results), "", *aligned(as_table(results), columns)]


def as_table(results: Sequence[SiteResult]) -> list[list[str]]:
    """Build one row for each site."""
    header = ["site", "stage", "state", "version", "own expert", "sent kB", "p50 µs"]
    return [[*header, "answers", "drift"], *map(_row, results)]


def _row(one: SiteResult) -> list[str]:
    outcome, server = one.outcome, one.server
    sent = None if outcome is None else outcome.bundle_bytes
    timed = None if outcome is None or outcome.benchmark is None else outcome.benchmark["rows"][0]
    return [
        one.site.host,
        str(one.site.stage),
        _state(one),
        one.current or "-",
        _own(one.addition),
        "-" if sent is None else number(sent / 1000),
        "-" if timed is None else number(timed["warm"]["total_us"]["p50"]),
        "-" if server is None else f"{server.answers:,}",
        {None: "-", True: "yes", False: "no"}[None if server is None else server.drift],
    ]


def _state(one: SiteResult) -> str:
    if one.error is not None:
        return "failed"
    if one.outcome is None:
        return "not begun" if one.current is None else "as it was"
    if one.outcome.dry_run:
        return "would be sent"
    return "updated" if one.outcome.changed else "current"


def _own(addition: Addition | None) -> str:
    if addition is None:
        return "-"
    points = f"{addition.gain['points']:+.1f}"
    return f"{points} points" if addition.bundle is not None else f"none ({points})"
