from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..options import Compared


def report(
    result: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT.json",
            help="What `edge-experts benchmark BUNDLE --json` printed, on a board or here.",
            show_default=False,
        ),
    ],
    page: Annotated[
        Path, typer.Argument(metavar="FILE.html", help="The page to write.", show_default=False)
    ],
    comparison: Compared = None,
) -> None:
    """Make a page of a benchmark: figures, tables, where it was measured; it loads nothing.

    Example: edge-experts report result.json result.html --comparison compared/comparison.json
    """
    from ...benchmarking.report.html import page as pages
    from ...benchmarking.report.html import reading
    from ...format.atomic import write_whole

    pages.require(page, "FILE.html")
    measured = reading.read_benchmark(result)
    compared = None if comparison is None else reading.read_comparison(comparison)
    write_whole(page, pages.as_html(measured, compared))
    print(page)
