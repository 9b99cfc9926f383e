"""What a bundle answers, for those who judge it in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..runtime import ExpertRuntime


def labels(bundle: Path, inputs: Sequence[Any]) -> list[str]:
    """The bundle's label for each input, in their order."""
    with ExpertRuntime(bundle, strict=True) as runtime:
        return [answer.label for answer in runtime.predict_many(inputs)]
