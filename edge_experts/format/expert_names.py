"""Manifest fields of experts that generate text instead of choosing a label.

Their labels are names: an expert's language, "de", or a domain of it, "de/help".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .limits import LIMITS
from .strict_json import Reader


@dataclass(frozen=True)
class Generation:
    """Settings of text generation: the limit in tokens, and the number of beams."""

    length: int
    beams: int


def language(name: str) -> str:
    """Return the language in an expert's name."""
    return name.partition("/")[0]


def languages(names: Sequence[str]) -> tuple[str, ...]:
    """Return the languages in experts' names, each once."""
    return tuple(dict.fromkeys(map(language, names)))


def read_generation(manifest: Reader) -> Generation | None:
    """Read the generation settings of a manifest; None if its experts choose labels."""
    if manifest.content.get("generation") is None:
        return None
    found = manifest.object("generation")
    return Generation(
        found.whole("length", 1, LIMITS.written_pieces), found.whole("beams", 1, LIMITS.beams)
    )


def check_names(manifest: Reader, labels: Sequence[str], experts: int, *, routed: bool) -> None:
    """Check that labels are experts' names, and that languages with several experts have a router.

    Raises:
        ManifestError: a rule is broken.
    """
    if experts not in (1, len(labels)):
        raise manifest.error("experts", "that generate text must be one, or one for each label")
    several = experts > len(languages(labels))
    if several and not routed:
        raise manifest.error("router", "is missing, and one language has several experts")
    if routed and not several:
        raise manifest.error("router", "must be null where no language has several experts")
