from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import DevicePartError
from ..shared_options import Bundle, Force, Json, print_json

if TYPE_CHECKING:
    from ...web import WebSite


def export_web(
    bundle: Bundle,
    out: Annotated[Path, typer.Option(help="Folder to write.", show_default=False)],
    json: Json = False,
    force: Force = False,
) -> None:
    """Write a bundle as a static site that answers in a browser.

    The folder has an example page, a JavaScript module for other pages, LiteRT.js and the bundle;
    any web server can serve it, by https. LiteRT.js is fetched by npm once.

    Example: edge-experts export-web sentiment.bundle --out site
    """
    if importlib.util.find_spec("edge_experts.web") is None:
        raise DevicePartError("edge_experts.web")
    from ...web import export_site

    made = export_site(bundle, out, force=force)
    if json:
        print_json({"schema_version": "1.0", **as_json(made)})
        return
    print(in_words(made))
    print(
        f"Serve it by https; on this machine: python3 -m http.server --directory {out}",
        file=sys.stderr,
    )


def as_json(made: WebSite) -> dict[str, Any]:
    """Report of the written files."""
    return {
        "folder": str(made.folder),
        "site_bytes": dict(made.site_bytes),
        "bundle_bytes": dict(made.bundle_bytes),
        "golden_examples": made.golden_examples,
    }


def in_words(made: WebSite) -> str:
    site, bundle = sum(made.site_bytes.values()), sum(made.bundle_bytes.values())
    return (
        f"{made.folder}: a page, its modules and LiteRT.js of {site:,} bytes, and the bundle of "
        f"{bundle:,} bytes; {made.golden_examples} golden examples answered as published"
    )
