"""What a training came to: who answers what, how well, and what a better choice would have given.

Numbers from arrays; who computes those arrays from a model is conclusion.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...text_table import aligned

_TINY = 1e-12
_DEAD = 0.1  # of an even share: an expert used less than this is of no use
_ALONE = 0.9  # of all inputs: one expert that answers so many makes the others needless
_SHOWN = 16  # experts in a terminal


@dataclass(frozen=True, eq=False)
class Use:
    """Use of N experts by a router, on held-out examples.

    An expert owns the inputs for which it is the router's first choice.
    """

    examples: int
    usage: np.ndarray  # (experts,) share of the inputs that each owns
    router_entropy: float  # nats, mean over inputs: 0 is sure, log(experts) undecided
    usage_entropy: float  # nats, of the mean gate: log(experts) is even use, 0 one expert

    @property
    def dead(self) -> list[int]:
        """Experts that own nothing, or less than a tenth of an even share."""
        return np.flatnonzero(self.usage < _DEAD / len(self.usage)).tolist()

    @property
    def collapsed(self) -> bool:
        """One expert answers nearly everything, or half of them answer nearly nothing."""
        count = len(self.usage)
        unused = 2 * (len(self.dead) - self.by_chance) >= count
        return count > 1 and (bool(self.usage.max() >= _ALONE) or unused)

    @property
    def by_chance(self) -> int:
        """How many experts would own nothing by chance, of so few examples, at even use."""
        count = len(self.usage)
        return round(count * (1 - 1 / count) ** self.examples)

    def table(self, title: str, cells: Sequence[str]) -> list[str]:
        """Lines of the most used experts, each with its cell under the title."""
        count = len(self.usage)
        order = np.argsort(-self.usage, kind="stable")[:_SHOWN]
        rows = [["", "used", title]]
        rows += [
            [f"expert {expert}", f"{self.usage[expert]:.1%}", cells[expert]]
            for expert in np.sort(order)
        ]
        more = [f"and {count - _SHOWN} more, which run.json has"] if count > _SHOWN else []
        return [
            f"On {self.examples:,} validation examples:",
            *(f"  {line}" for line in [*aligned(rows), *more]),
            f"  The router's entropy is {self.router_entropy:.2f} nats (0 sure, "
            f"{np.log(count):.2f} undecided), that of its mean {self.usage_entropy:.2f} "
            f"({np.log(count):.2f} is even use).",
        ]


@dataclass(frozen=True, eq=False)
class Insight(Use):
    """Insight into a router and N experts that classify; `measure` makes it."""

    picked_accuracy: float  # of the router's first choice
    oracle_accuracy: float  # some expert is right
    best_expert_accuracy: float  # of the best expert alone, on all inputs
    expert_accuracy: np.ndarray  # (experts,) on the inputs it owns; NaN where it owns none
    confusion: np.ndarray  # (experts, labels, labels) counts of owned inputs: truth, then answer

    @property
    def oracle_gap(self) -> float:
        """Some expert was right, but not the picked one: what a perfect router would gain."""
        return self.oracle_accuracy - self.picked_accuracy

    def to_json(self) -> dict[str, Any]:
        names = ("router_entropy", "usage_entropy", "picked_accuracy", "oracle_accuracy")
        numbers = {name: getattr(self, name) for name in (*names, "best_expert_accuracy")}
        return {
            **{name: round(value, 5) for name, value in numbers.items()},
            "oracle_gap": round(self.oracle_gap, 5),
            "expert_accuracy": [
                None if np.isnan(one) else round(float(one), 5) for one in self.expert_accuracy
            ],
            "owned_labels": self.confusion.sum(axis=2).tolist(),
            "dead_experts": self.dead,
            "collapsed": self.collapsed,
        }


def use_of(gate: np.ndarray) -> dict[str, Any]:
    """The arguments of `Use`, of a router's probabilities (examples, experts)."""
    counts = np.bincount(gate.argmax(axis=1), minlength=gate.shape[1])
    return {
        "examples": len(gate),
        "usage": counts / len(gate),
        "router_entropy": float(entropy(gate).mean()),
        "usage_entropy": float(entropy(gate.mean(axis=0))),
    }


def measure(gate: np.ndarray, answers: np.ndarray, targets: np.ndarray, labels: int) -> Insight:
    """What the router and the experts came to.

    Args:
        gate: the router's probabilities, (examples, experts).
        answers: the label that each expert would give, (experts, examples).
        targets: the index of each example's label, (examples,).
        labels: how many there are.
    """
    experts = gate.shape[1]
    owner = gate.argmax(axis=1)
    right = answers == targets
    picked = right[owner, np.arange(len(targets))]
    counts = np.bincount(owner, minlength=experts)
    return Insight(
        **use_of(gate),
        picked_accuracy=float(picked.mean()),
        **alone(answers, targets),
        # Where an expert owns nothing, 0 right of 0: NaN.
        expert_accuracy=np.bincount(owner, picked, experts) / np.where(counts, counts, np.nan),
        confusion=confusion(
            owner, targets, answers[owner, np.arange(len(targets))], experts, labels
        ),
    )


def alone(answers: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """How good the experts are without anyone who picks: the best one, and any of them."""
    right = answers == targets
    return {
        "best_expert_accuracy": float(right.mean(axis=1).max()),
        "oracle_accuracy": float(right.any(axis=0).mean()),
    }


def confusion(
    owner: np.ndarray, targets: np.ndarray, answers: np.ndarray, experts: int, labels: int
) -> np.ndarray:
    """How often each expert took one label for another: (experts, labels, labels) counts."""
    places = (owner * labels + targets) * labels + answers
    return np.bincount(places, minlength=experts * labels**2).reshape(experts, labels, labels)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities, over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def entropy(shares: np.ndarray) -> np.ndarray:
    """In nats, over the last axis."""
    value: np.ndarray = -(shares * np.log(np.maximum(shares, _TINY))).sum(axis=-1)
    return np.maximum(value, 0)  # a share of 1 and a bit


def warning(found: Use, settings: Mapping[str, Any]) -> str | None:
    """What is wrong with the use of the experts, and what to do; None where nothing is.

    Args:
        settings: the names and values of the training's configuration.
    """
    count, dead = len(found.usage), found.dead
    if not found.collapsed:
        if len(dead) <= 2 * found.by_chance:
            return None
        return (
            f"{_listed(dead)} of {count} almost never answer{'s' * (len(dead) == 1)}: fewer "
            f"experts (--experts {count - len(dead)}) would do"
        )
    most = int(found.usage.argmax())
    if found.usage[most] >= _ALONE:
        what = f"expert {most} answers {found.usage[most]:.0%} of the inputs"
    else:
        what = f"{len(dead)} of {count} experts answer almost nothing"
    remedies = []
    if settings.get("router", "learned") == "learned":
        remedies.append(f"a larger `balance` in a --config file (it is {settings['balance']})")
        if settings.get("select") == "none":
            remedies.append("copies of the best expert at first (--select greedy)")
    if count - len(dead) > 1 or count > 2:
        remedies.append(f"fewer experts (--experts {max(2, count - len(dead))})")
    remedies.append("more data")
    return f"the router collapsed: {what}. Try {', '.join(remedies[:-1])} or {remedies[-1]}"


def as_text(found: Insight) -> str:
    """The use and the accuracy of the experts, for a terminal."""
    cells = ["-" if np.isnan(right) else f"{right:.4f}" for right in found.expert_accuracy]
    return "\n".join(
        [
            *found.table("right on its own", cells),
            f"  The picked expert is right on {found.picked_accuracy:.4f}, the best one alone on "
            f"{found.best_expert_accuracy:.4f}, some expert on {found.oracle_accuracy:.4f}: a "
            f"perfect router would gain {100 * found.oracle_gap:.1f} points.",
        ]
    )


def _listed(experts: list[int]) -> str:
    if len(experts) == 1:
        return f"expert {experts[0]}"
    shown = ", ".join(map(str, experts[:_SHOWN]))
    return f"experts {shown}{' ...' if len(experts) > _SHOWN else ''}"
