"""Figures of routing and accuracy: use and accuracy of each expert, and of a perfect router.

Computed from arrays; conclusion.py computes the arrays from a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...text_table import aligned

_TINY = 1e-12
_DEAD = 0.1  # of an even share: an expert with less is unused
_ALONE = 0.9  # of all inputs: one expert with more makes the others unnecessary
_SHOWN = 16  # largest number of experts shown in a terminal


@dataclass(frozen=True, eq=False)
class Use:
    """Use of N experts by a router, on held-out examples.

    An expert owns the inputs for which it is the router's top-1 choice.
    """

    examples: int
    usage: np.ndarray  # (experts,) share of the inputs that each expert owns
    router_entropy: float  # nats, mean over inputs: 0 is certain, log(experts) undecided
    usage_entropy: float  # nats, of the mean gate: log(experts) is even use, 0 one expert

    @property
    def dead(self) -> list[int]:
        """Experts that own less than a tenth of an even share."""
        return np.flatnonzero(self.usage < _DEAD / len(self.usage)).tolist()

    @property
    def collapsed(self) -> bool:
        """True if one expert answers nearly all inputs, or half of the experts nearly none."""
        count = len(self.usage)
        unused = 2 * (len(self.dead) - self.by_chance) >= count
        return count > 1 and (bool(self.usage.max() >= _ALONE) or unused)

    @property
    def by_chance(self) -> int:
        """Expected number of experts that own nothing by chance, at even use of few examples."""
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
        more = [f"and {count - _SHOWN} more, see run.json"] if count > _SHOWN else []
        return [
            f"On {self.examples:,} validation examples:",
            *(f"  {line}" for line in [*aligned(rows), *more]),
            f"  The router's entropy is {self.router_entropy:.2f} nats (0 sure, "
            f"{np.log(count):.2f} undecided), that of its mean {self.usage_entropy:.2f} "
            f"({np.log(count):.2f} is even use).",
        ]


@dataclass(frozen=True, eq=False)
class Insight(Use):
    """Insight into a router and N experts that classify; built by `measure`."""

    picked_accuracy: float  # of the routed expert
    oracle_accuracy: float  # some expert is right
    best_expert_accuracy: float  # of the best expert alone, on all inputs
    expert_accuracy: np.ndarray  # (experts,) on the inputs it owns; NaN if it owns none
    confusion: np.ndarray  # (experts, labels, labels) counts of owned inputs: truth, then answer

    @property
    def oracle_gap(self) -> float:
        """Gain of a perfect router: share of inputs on which only other experts are right."""
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
    """Arguments of `Use` from a router's probabilities (examples, experts)."""
    counts = np.bincount(gate.argmax(axis=1), minlength=gate.shape[1])
    return {
        "examples": len(gate),
        "usage": counts / len(gate),
        "router_entropy": float(entropy(gate).mean()),
        "usage_entropy": float(entropy(gate.mean(axis=0))),
    }


def measure(gate: np.ndarray, answers: np.ndarray, targets: np.ndarray, labels: int) -> Insight:
    """Measure the use and the accuracy of the experts.

    Args:
        gate: the router's probabilities, (examples, experts).
        answers: label by each expert, (experts, examples).
        targets: index of each example's label, (examples,).
        labels: number of labels.
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
        # NaN (0 of 0) for an expert that owns nothing.
        expert_accuracy=np.bincount(owner, picked, experts) / np.where(counts, counts, np.nan),
        confusion=confusion(
            owner, targets, answers[owner, np.arange(len(targets))], experts, labels
        ),
    )


def alone(answers: np.ndarray, targets: np.ndarray) -> dict[str, Any]:
    """Accuracy of the experts without routing: of the best one, and of any of them."""
    right = answers == targets
    return {
        "best_expert_accuracy": float(right.mean(axis=1).max()),
        "oracle_accuracy": float(right.any(axis=0).mean()),
    }


def confusion(
    owner: np.ndarray, targets: np.ndarray, answers: np.ndarray, experts: int, labels: int
) -> np.ndarray:
    """Confusion matrix of each expert: (experts, labels, labels) counts."""
    places = (owner * labels + targets) * labels + answers
    return np.bincount(places, minlength=experts * labels**2).reshape(experts, labels, labels)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def entropy(shares: np.ndarray) -> np.ndarray:
    """Entropy in nats over the last axis."""
    value: np.ndarray = -(shares * np.log(np.maximum(shares, _TINY))).sum(axis=-1)
    return np.maximum(value, 0)  # a share may slightly exceed 1


def warning(found: Use, settings: Mapping[str, Any]) -> str | None:
    """Describe a problem of the use of experts, with remedies; None if there is none.

    Args:
        settings: names and values of the training's configuration.
    """
    count, dead = len(found.usage), found.dead
    if not found.collapsed:
        if len(dead) <= 2 * found.by_chance:
            return None
        return (
            f"{_listed(dead)} of {count} almost never answer{'s' * (len(dead) == 1)}: fewer "
            f"experts (--experts {count - len(dead)}) are enough"
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
    """Format the use and the accuracy of the experts for a terminal."""
    cells = ["-" if np.isnan(right) else f"{right:.4f}" for right in found.expert_accuracy]
    return "\n".join(
        [
            *found.table("right on its own", cells),
            f"  The routed expert is right on {found.picked_accuracy:.4f}, the best one alone on "
            f"{found.best_expert_accuracy:.4f}, some expert on {found.oracle_accuracy:.4f}: a "
            f"perfect router would gain {100 * found.oracle_gap:.1f} points.",
        ]
    )


def _listed(experts: list[int]) -> str:
    if len(experts) == 1:
        return f"expert {experts[0]}"
    shown = ", ".join(map(str, experts[:_SHOWN]))
    return f"experts {shown}{' ...' if len(experts) > _SHOWN else ''}"
