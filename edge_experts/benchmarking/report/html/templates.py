"""Pages from templates: escaped, self-contained, with the style that all pages share."""

from __future__ import annotations

import importlib.util
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import MissingExtraError, UsageError
from ....format.strict_json import harmless

if TYPE_CHECKING:
    from markupsafe import Markup


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
    environment.filters["with_code"] = _with_code
    return environment.get_template(name).render(**values)


def _with_code(sentence: object) -> Markup:
    """Escape a sentence; what it has between backticks becomes code."""
    from markupsafe import Markup

    parts = harmless(str(sentence)).split("`")
    if len(parts) % 2 == 0:  # a backtick without its pair
        return Markup.escape("`".join(parts))
    tags = (Markup("{}"), Markup("<code>{}</code>"))
    return Markup().join(tags[place % 2].format(part) for place, part in enumerate(parts))
