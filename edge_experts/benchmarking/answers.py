"""Answers of a bundle, written for a comparison in another process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime import ExpertRuntime


def answers(bundle: Path, inputs: Sequence[Any], attribute: str) -> list[Any]:
    """Return one attribute of the answer to each input, such as "label", in their order."""
    with ExpertRuntime(bundle, strict=True) as runtime:
        return [getattr(answer, attribute) for answer in runtime.predict_many(inputs)]
