"""The ticks of a report's axes, for whatever a machine measures."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge_experts.benchmarking.report.html import svg


@given(low=st.floats(0.5, 1e9), span=st.floats(1, 1e6))
@example(low=700.0, span=2.0)  # of 1, 2 and 5 times a power of ten only 1k lies within
@example(low=310.0, span=310.0)
@example(low=300.0, span=1.0)
@settings(max_examples=40, deadline=None)
def test_a_line_of_factors_can_be_read(low: float, span: float) -> None:
    figure, axes = svg.new_figure(3)
    svg.logarithmic(axes, [low, low * span])
    figure.draw_without_rendering()
    left, right = axes.get_xlim()
    texts = [
        tick.label1.get_text()
        for tick in axes.xaxis.get_major_ticks()
        if left <= tick.get_loc() <= right
    ]
    assert 2 <= len(texts) <= 9
    assert "" not in texts
    assert len(set(texts)) == len(texts)
