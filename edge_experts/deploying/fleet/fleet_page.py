"""HTML page of a fleet: a sentence, the failures, and a row for each site."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from ...benchmarking.report.html import templates
from .site_result import SiteResult, as_table, verdict


def require(path: Path) -> None:
    """Check, before a site is asked, that the page can be written; see `templates.require`."""
    templates.require(path, "--report")


def as_html(results: Sequence[SiteResult]) -> str:
    """Format one page without external resources or scripts; all texts are escaped."""
    return templates.render(
        __package__,
        "fleet.html",
        sites=f"{len(results):,}",
        date=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        verdict=verdict(results),
        errors=[str(one.error) for one in results if one.error is not None],
        rows=as_table(results),
    )
