"""Warnings on an input travel from its features to Python, the command line and HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from tests.tiny import INPUTS, tiny_bundle, tiny_regression


class _Warning:
    """Features that warn of numbers above 1.5."""

    def __init__(self, features: Any):
        self._features = features

    def __call__(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        if warnings is not None:
            warnings += [f"{number:g} is large" for number in example if number > 1.5]
        found: dict[str, np.ndarray] = self._features.encode(example)
        return found


def _open(bundle: Path, **options: Any) -> ExpertRuntime:
    runtime = ExpertRuntime(bundle, **options)
    runtime.task.encode = _Warning(runtime.features)  # type: ignore[attr-defined]
    return runtime


@pytest.mark.parametrize("make", [tiny_bundle, tiny_regression])
@pytest.mark.parametrize("top_k", [1, 2])
def test_answers_have_the_warnings_of_their_own_input(
    tmp_path: Path, make: Any, top_k: int
) -> None:
    with _open(make(tmp_path / "tiny.bundle", top_k=top_k)) as runtime:
        wanted = [("2 is large",), (), (), ()]
        assert [runtime.predict(one).warnings for one in INPUTS] == wanted
        assert [answer.warnings for answer in runtime.predict_batch(INPUTS)] == wanted
        assert runtime.predict([2, 2]).warnings == ("2 is large",), "each sentence once"
