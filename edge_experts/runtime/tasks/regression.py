"""Regression: experts give standardized values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...format.manifest import Manifest
from ..answer import Answer, Clock, softmax
from .base import Tensor
from .routed_once import RoutedOnce


class _Values(Answer):
    __slots__ = ()

    @property
    def scores(self) -> np.ndarray:
        return self._logits


class Regression(RoutedOnce):
    """Experts output standardized values; several are averaged by the gate."""

    name, watched = "regression", True

    def answer(
        self,
        arrays: Mapping[str, np.ndarray],
        output: Any,
        first: int,
        clock: Clock,
        experts: tuple[int, ...],
        reason: str | None = None,
    ) -> Answer:
        return _Values(self.manifest.labels[0], first, output, 1.0, clock, experts, None, reason)

    def mix(self, gate: np.ndarray | None, outputs: Sequence[Any]) -> np.ndarray:
        if gate is None:
            total: np.ndarray = np.sum(outputs, axis=0)
            return total
        mean: np.ndarray = softmax(gate) @ np.array(outputs)
        return mean

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        assert self.manifest.task_spec is not None
        config = self.manifest.task_spec.config
        mean, scale = (np.array(config[name], np.float32) for name in ("mean", "scale"))
        return {"values": np.array([answer.scores for answer in answers]) * scale + mean}

    def outputs(self) -> list[Tensor]:
        return []

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        mean: np.ndarray = scores.mean(axis=1)
        return mean

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        return f"R2           {manifest.provenance.get('test_scores', {}).get('r2')}"
