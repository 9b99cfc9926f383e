"""Choice of the next token from logits: greedy, or by chance from the most probable ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ....errors import UsageError

_LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Sampling:
    """Settings of the choice.

    Attributes:
        temperature: logits are divided by it; 0 always chooses the most probable token.
        top_p: choose among the most probable tokens that together have this probability (Holtzman
            et al., 2020, https://arxiv.org/abs/1904.09751).
        repetition_penalty: divides positive logits, and multiplies negative ones, of tokens that
            the text already has (Keskar et al., 2019, https://arxiv.org/abs/1909.05858).
        seed: the same seed makes the same choices.

    Raises:
        UsageError: a value is invalid.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        ranges = {
            "temperature": (0.0, 100.0),
            "top_p": (0.0, 1.0),
            "repetition_penalty": (1.0, 100.0),
            "seed": (0, _LARGEST_SEED),
        }
        for field in fields(self):
            value, (least, most) = getattr(self, field.name), ranges[field.name]
            kinds = (int,) if field.name == "seed" else (int, float)
            # False for NaN.
            fits = type(value) in kinds and least <= value <= most
            if not fits or (field.name == "top_p" and value == 0):
                above = "above" if field.name == "top_p" else "from"
                raise UsageError(
                    f"{field.name} must be a number {above} {least:g} to {most:g}, "
                    f"got {value!r:.40}"
                )


class Sampler:
    """Chooses tokens one after the other, with its own random numbers."""

    def __init__(self, sampling: Sampling):
        self._sampling = sampling
        self._random = np.random.Generator(np.random.PCG64(sampling.seed))

    @np.errstate(all="ignore")
    def choose(self, logits: np.ndarray, before: Sequence[int]) -> int:
        """Choose a token.

        Args:
            logits: (pieces,) float32.
            before: tokens of the text so far.
        """
        sampling = self._sampling
        if sampling.repetition_penalty != 1 and before:
            logits = logits.copy()
            seen = np.unique(before)
            values = logits[seen]
            penalty = np.float32(sampling.repetition_penalty)
            logits[seen] = np.where(values > 0, values / penalty, values * penalty)
        if sampling.temperature == 0:
            return int(logits.argmax())
        powers = np.exp((logits - logits.max()).astype(np.float64) / sampling.temperature)
        if not math.isfinite(powers.sum()):  # of a hostile bundle
            return int(logits.argmax())
        order = np.argsort(-powers, kind="stable")
        sums = np.cumsum(powers[order])
        # The first tokens whose sum reaches top_p of all.
        count = int(np.searchsorted(sums, sampling.top_p * sums[-1])) + 1
        count = min(count, len(order))
        drawn = self._random.random() * sums[count - 1]
        return int(order[min(int(np.searchsorted(sums[:count], drawn, side="right")), count - 1)])
