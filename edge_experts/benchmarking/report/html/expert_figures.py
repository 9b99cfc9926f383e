"""Figures of experts: the labels that each expert gave, and its share of the inputs."""

from __future__ import annotations

from collections import Counter

from markupsafe import Markup

from ...benchmark import Benchmark
from . import svg

_FIELD, _DIGIT = 220, 8  # points: width of all columns, and of a digit
_MOST = 24  # experts, or labels, in one figure


def answers(result: Benchmark) -> Markup | None:
    """Draw the number of inputs for each expert and label; None if there is only one expert."""
    found = result.experts
    if found.experts < 2 or not found.answers:
        return None
    counts = Counter({(label, expert): count for expert, label, count in found.answers})
    experts, labels = (_busiest(counts, place) for place in (1, 0))
    figure, axes = svg.new_figure(1.2 + 0.22 * max(4, len(labels)))
    fields = [[counts[label, expert] for expert in experts] for label in labels]
    axes.pcolormesh(fields, cmap="Blues", edgecolors="white", linewidth=0.5, vmin=0)
    most = max(map(max, fields))
    # If columns are narrower than their numbers, only colours are drawn.
    is_wide = len(experts) * len(str(most)) * _DIGIT <= _FIELD
    for row, label in enumerate(labels):
        for column, expert in enumerate(experts):
            count = counts[label, expert]
            if count and is_wide:
                axes.text(
                    column + 0.5, row + 0.5, str(count), ha="center", va="center",
                    color="white" if count > 0.6 * most else "black",
                    gid=f"answers-{expert}-{label}",
                )  # fmt: skip
    axes.set_xticks([one + 0.5 for one in range(len(experts))], list(map(str, experts)))
    names = [svg.shown(found.names[label], 18) for label in labels]
    axes.set_yticks([one + 0.5 for one in range(len(labels))], names)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.set_xlabel("expert")
    return svg.as_svg(figure, "answers", "How often each expert gave each label")


def _busiest(counts: Counter[tuple[int, int]], place: int) -> list[int]:
    """Select the experts, or labels, with the most answers, in their order."""
    total: Counter[int] = Counter()
    for key, count in counts.items():
        total[key[place]] += count
    return sorted(one for one, _ in total.most_common(_MOST))


def usage(result: Benchmark) -> Markup | None:
    """Draw the experts' shares of the validation examples; None if the bundle has no counts."""
    published = result.experts.published
    if published is None or len(published) < 2:
        return None
    total = max(1, sum(published))
    figure, axes = svg.new_figure(2.2)
    bars = axes.bar(range(len(published)), [count / total for count in published])
    for place, bar in enumerate(bars):
        bar.set(color=svg.COLOURS[0], gid=f"usage-{place}")
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xlabel("expert")
    axes.set_ylabel("of the examples")
    return svg.as_svg(figure, "usage", "Share of validation examples that each expert answers")
