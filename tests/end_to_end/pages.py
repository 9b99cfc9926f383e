"""A page in a real browser, and the numbers that its pictures show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

PHONE = 390  # CSS pixels: a common phone
# Positions and texts of the ticks of a picture's axes, and the points of a line or of marks.
READ = """([picture, axes, marks]) => {
    const ticks = (kind) => [...document.querySelectorAll(
        `#${picture}-axes_${axes[kind]} [id^=${picture}-${kind}tick_]`)]
        .map((tick) => [tick.querySelector('use'), tick.querySelector('text')])
        .filter(([mark, text]) => mark && text)
        .map(([mark, text]) => [+mark.getAttribute(kind), text.textContent]);
    const group = document.getElementById(`${picture}-${marks}`);
    const path = group.querySelector(':scope > path');
    const points = path
        ? [...path.getAttribute('d').matchAll(/[ML] (\\S+) (\\S+)/g)].map((m) => [+m[1], +m[2]])
        : [...group.querySelectorAll('use')].map(
            (use) => [+use.getAttribute('x'), +use.getAttribute('y')]);
    return {x: ticks('x'), y: ticks('y'), points};
}"""


class Shown:
    """A page in the browser, and what it did besides showing itself."""

    def __init__(self, browser: Any, path: Path, width: int):
        self.troubles: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 844})
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        self.page.on("request", self._requested)
        self._own = path.resolve().as_uri()
        self.page.goto(self._own)

    def _requested(self, request: Any) -> None:
        if request.url != self._own:
            self.troubles.append(request.url)

    def run(self, script: str, argument: Any = None) -> Any:
        return self.page.evaluate(script, argument)

    def drawn(
        self, picture: str, marks: str, x: int = 1, y: int = 1, *, log: bool = False
    ) -> np.ndarray:
        """The points as numbers, (points, 2), read off the picture's own ticks.

        Args:
            x, y: which of its axes have the ticks.
            log: whether x is a line of logarithms.
        """
        found = self.run(READ, [picture, {"x": x, "y": y}, marks])
        across, up = np.array(found["points"]).T
        return np.stack([read(found["x"], across, log=log), read(found["y"], up)], axis=1)


def read(ticks: list[tuple[float, str]], places: np.ndarray, *, log: bool = False) -> np.ndarray:
    """Where between the ticks something is, as a number."""
    assert len(ticks) >= 2
    told = np.array([_value(text) for _, text in ticks])
    there = np.log(told) if log else told
    slope, start = np.polyfit([place for place, _ in ticks], there, 1)
    off = there - [slope * place + start for place, _ in ticks]
    assert np.abs(off).max() < 1e-3 * np.ptp(there), "the ticks lie on no line"
    found: np.ndarray = slope * places + start
    return np.exp(found) if log else found


def _value(text: str) -> float:
    """Of a tick: 1k, 20%, and a minus as matplotlib writes it."""
    scales = {"k": 1e3, "M": 1e6, "m": 1e-3, "%": 1e-2}
    return float(text.rstrip("kMm%").replace("\N{MINUS SIGN}", "-")) * scales.get(text[-1], 1)


def texts(shown: Shown, which: int) -> list[list[str]]:
    rows: list[list[str]] = shown.run(
        "(n) => [...document.querySelectorAll('table')[n].querySelectorAll('tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))",
        which,
    )
    return rows
