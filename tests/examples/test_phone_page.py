"""The example page in the browser: sliders, and the answers of the runtime (minutes)."""

from __future__ import annotations

import pytest

from edge_experts import ExpertRuntime
from tests.web.conftest import Visiting, export, litert, visit

from .programs import Programs

__all__ = ["export", "litert", "visit"]  # fixtures
pytestmark = pytest.mark.long
ROWS = (
    {"speed": 1500, "vibration": 1, "temperature": 45},
    {"speed": 2800, "vibration": 6.2, "temperature": 54},
    {"speed": 600, "vibration": 2.9, "temperature": 52},
)


def test_the_page_answers_where_the_sliders_are(
    programs: Programs, litert: None, visit: Visiting
) -> None:
    programs.run_shown("own_data")
    programs.run_shown("phone_page")
    visited = visit(programs.folder / "phone_page/site")
    visited.page.goto(f"{visited.server.url}motor.html")
    label, page = visited.page.locator("#label"), visited.page
    with ExpertRuntime(programs.folder / "own_data/machine.bundle") as runtime:
        for row in ROWS:
            for name, value in row.items():
                page.locator(f"input[name={name}]").fill(str(value))
            answer = runtime.predict(row)
            told = f"{answer.label}|{100 * answer.score:.0f} %, by expert {answer.expert}"
            page.wait_for_function(
                "told => `${label.textContent}|${detail.textContent}` === told", arg=told
            )
            assert label.inner_text() == answer.label
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert visited.open().startswith("Ready")
