"""Map of experts and labels: the number of answers with each pair."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from ..format.limits import LIMITS
from ..runtime import ExpertRuntime
from .bounds import Count, Length, Positive, Within


@dataclass(frozen=True)
class ExpertMap:
    """Counts of answers by the router's first choice; empty if all experts are summed.

    Attributes:
        names: labels that occur among the answers, in the bundle's order.
        answers: (expert, index in `names`, count) for the inputs of the benchmark.
        published: how often each expert was the first choice for the validation examples that the
            bundle was made with; None if the bundle does not state it.
    """

    experts: Annotated[int, Within(1, LIMITS.experts)]
    labels: Positive
    names: Annotated[tuple[str, ...], Length(0, LIMITS.labels)]
    answers: tuple[tuple[Count, Count, Count], ...]
    published: tuple[Count, ...] | None = None

    def __post_init__(self) -> None:
        names = len(self.names)
        if any(expert >= self.experts or place >= names for expert, place, _ in self.answers):
            raise ValueError("answers must be of experts and labels that there are")
        if self.published is not None and len(self.published) != self.experts:
            raise ValueError(f"published must be a list of {self.experts}, one for each expert")


def expert_map(runtime: ExpertRuntime, inputs: Sequence[Any]) -> ExpertMap:
    """Answer every input once and count the answers."""
    counted: Counter[tuple[int, str]] = Counter()
    for example in inputs:
        answer = runtime.predict(example)
        counted[answer.expert, answer.label] += 1
    answered = {label for _, label in counted}
    names = tuple(label for label in runtime.manifest.labels if label in answered)
    places = {label: place for place, label in enumerate(names)}
    reference = runtime.manifest.reference
    return ExpertMap(
        experts=len(runtime.manifest.experts),
        labels=len(runtime.manifest.labels),
        names=names,
        answers=tuple(
            (expert, place, count)
            for (expert, place), count in sorted(
                ((expert, places[label]), count) for (expert, label), count in counted.items()
            )
            if expert >= 0
        ),
        published=None if reference is None else reference.experts,
    )
