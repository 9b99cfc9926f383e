"""Progress of long work on stderr: a bar on a terminal, about ten plain lines elsewhere."""

from __future__ import annotations

import math
import shutil
import sys
from typing import Any

_NARROW, _WIDE = 10, 30  # columns of a bar


class Progress:
    """Progress of `what` over `total` steps.

    with Progress("Converting", 5) as progress:
        progress.step("expert 0")

    A note consists of parts separated by ", ", the most important first. On a narrow terminal the
    last parts are left out.
    """

    def __init__(self, what: str, total: int):
        self._what, self._total, self.done = what, total, 0
        self._bar: Any = None
        if sys.stderr.isatty():
            try:
                self._bar = _terminal_bar(what, total)
            except ModuleNotFoundError:  # tqdm is not part of the device part: plain lines instead
                return

    def step(self, note: str = "") -> None:
        """Count one completed step."""
        self.done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update()
        elif self.done % max(1, self._total // 10) == 0 or self.done == self._total:
            print(f"{self._what}: {self.done}/{self._total} {note}".rstrip(), file=sys.stderr)

    def skip(self, steps: int) -> None:
        """Count steps that an interrupted training completed before it was resumed."""
        self.done += steps
        if self._bar is not None:
            self._bar.update(steps)

    def note(self, text: str) -> None:
        """Report an event within a long step."""
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        else:
            print(f"{self._what}: {text}", file=sys.stderr)

    def stop(self, reason: str) -> None:
        """End the work before its last step, and print the reason."""
        self.close()
        print(f"{self._what}: {reason}", file=sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def close(self) -> None:
        """Restore the terminal; an incomplete bar stays visible."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __exit__(self, *error: object) -> None:
        self.close()


def line(what: str, done: int, total: int, seconds: float, note: str, columns: int) -> str:
    """Format one line of at most `columns` columns: name, count, bar, time left, note.

    If space is short, the count and the first part of the note have priority over the bar, a bar of
    ten columns over the time left, and the time left over the rest of the note.
    """
    count = f"{done}/{total}"
    head = f"{what[: max(0, columns - len(count) - 1)]} {count}".lstrip()
    first, *more = note.split(", ")
    while first and len(head) + 2 + len(first) > columns:
        words = first.split()
        # "validation accuracy 0.8" becomes "accuracy 0.8"; a number alone has no meaning
        first = " ".join(words[1:]) if len(words) > 2 else ""
    room = columns - len(head) - (2 + len(first) if first else 0)
    bar = _bar(done, total, _NARROW) if room >= _NARROW + 3 else ""
    room -= len(bar) + 1 if bar else 0
    left = _time_left(done, total, seconds)
    shown = left if bar and left and room >= len(left) + 1 else ""
    room -= len(shown) + 1 if shown else 0
    notes = [first] if first else []
    for part in more:
        if not notes or len(part) + 2 > room:
            break
        notes.append(part)
        room -= len(part) + 2
    if bar:
        bar = _bar(done, total, min(_WIDE, _NARROW + max(0, room)))
    return " ".join(filter(None, [head, bar, shown])) + (f"  {', '.join(notes)}" if notes else "")


def _bar(done: int, total: int, width: int) -> str:
    full = width * min(done, total) // total if total else width
    return f"[{'#' * full}{'.' * (width - full)}]"


def _time_left(done: int, total: int, seconds: float) -> str:
    if not 0 < done < total:
        return ""
    left = math.ceil(seconds / done * (total - done))
    minutes, rest = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} left" if hours else f"{minutes}:{rest:02} left"


def _terminal_bar(what: str, total: int) -> Any:
    """tqdm bar with our line format; tqdm places concurrent bars on separate lines."""
    from tqdm import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        @staticmethod
        def format_meter(*_given: Any, **values: Any) -> str:
            # One column less than available: some terminals wrap after the last one.
            columns = (values.get("ncols") or shutil.get_terminal_size().columns) - 1
            return line(
                what,
                values["n"],
                values["total"] or 0,
                values["elapsed"],
                values["postfix"] or "",
                columns,
            )

    return Bar(total=total, file=sys.stderr, leave=True, dynamic_ncols=True)
