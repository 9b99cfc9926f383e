"""What a manifest says of experts that write a text, rather than choose a label.

Their labels are names: the language that one writes, "de", or one of its domains, "de/help".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .limits import LIMITS
from .strict_json import Reader


@dataclass(frozen=True)
class Generation:
    """How experts write: pieces at most, and how many beginnings are followed at once."""

    length: int
    beams: int


def language(name: str) -> str:
    """Of an expert's name."""
    return name.partition("/")[0]


def languages(names: Sequence[str]) -> tuple[str, ...]:
    """Those of experts' names, each once."""
    return tuple(dict.fromkeys(map(language, names)))


def read_generation(manifest: Reader) -> Generation | None:
    """What a manifest says of it; None where its experts choose labels."""
    if manifest.content.get("generation") is None:
        return None
    found = manifest.object("generation")
    return Generation(
        found.whole("length", 1, LIMITS.written_pieces), found.whole("beams", 1, LIMITS.beams)
    )


def check_names(manifest: Reader, labels: Sequence[str], experts: int, *, routed: bool) -> None:
    """Each label is an expert's name, and a router picks where a language has several experts.

    Raises:
        ManifestError: not so.
    """
    if experts not in (1, len(labels)):
        raise manifest.error("experts", "that write must be one, or one for each of the labels")
    several = experts > len(languages(labels))
    if several and not routed:
        raise manifest.error("router", "is missing, and one language has several experts")
    if routed and not several:
        raise manifest.error("router", "must be null where no language has several experts")
