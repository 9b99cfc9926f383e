from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..shared_options import Compared


def report(
    result: Annotated[
        Path,
        typer.Argument(
            metavar="RESULT.json",
            help="Output of `edge-experts benchmark BUNDLE --json`.",
            show_default=False,
        ),
    ],
    page: Annotated[
        Path, typer.Argument(metavar="FILE.html", help="Page to write.", show_default=False)
    ],
    comparison: Compared = None,
) -> None:
    """Draw a benchmark's JSON as an HTML page.

    The page loads nothing from elsewhere.

    Example: edge-experts report result.json result.html --comparison compared/comparison.json
    """
    from ...benchmarking.report.html import page as pages
    from ...benchmarking.report.html import result_reader
    from ...format.atomic import write_whole

    pages.require(page, "FILE.html")
    measured = result_reader.read_benchmark(result)
    compared = None if comparison is None else result_reader.read_comparison(comparison)
    write_whole(page, pages.as_html(measured, compared))
    print(page)
