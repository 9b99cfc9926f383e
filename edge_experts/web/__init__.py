"""Static sites that answer in a browser: a bundle, a JavaScript runtime for it, and LiteRT.js."""

from __future__ import annotations

from .site_export import WebSite, export_site

__all__ = ["WebSite", "export_site"]
