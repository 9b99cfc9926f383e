"""Pages from templates: escaped, self-contained, with the style that all pages share."""

from __future__ import annotations

import importlib.util
from importlib import resources
from pathlib import Path
from typing import Any

from ....errors import MissingExtraError, UsageError
from ....format.strict_json import harmless


def require(path: Path, option: str, **needed: str) -> None:
    """Check, before anything is measured, that a page can be written.

    Args:
        needed: names of packages by the modules that a page imports, beside the templates'.

    Raises:
        UsageError: its folder does not exist.
        MissingExtraError: a package is not installed.
    """
    if not path.absolute().parent.is_dir():
        raise UsageError(f"{option} {path}: the folder {path.parent} does not exist")
    for module, name in {**needed, "jinja2": "Jinja2"}.items():
        if importlib.util.find_spec(module) is None:
            raise MissingExtraError(name, "report")


def render(package: str, name: str, **values: Any) -> str:
    """Fill in a template of a package, which may include those of this one; texts are escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    def source(wanted: str) -> str:
        place = package if wanted == name else __package__
        return resources.files(place).joinpath(wanted).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FunctionLoader(source)
    )
    environment.filters["harmless"] = lambda value: harmless(str(value))
    return environment.get_template(name).render(**values)
