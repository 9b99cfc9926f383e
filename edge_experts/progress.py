"""Progress of long work on stderr: a bar on a terminal, about ten plain lines elsewhere."""

from __future__ import annotations

import sys


class Progress:
    """Tells how far `what` has come, over `total` steps.

    with Progress("Converting", 5) as progress:
        progress.step("expert 0")
    """

    def __init__(self, what: str, total: int):
        self._what, self._total, self._done = what, total, 0
        self._bar = None
        if sys.stderr.isatty():
            try:
                from tqdm import tqdm
            except ModuleNotFoundError:  # the device part alone: plain lines do
                return
            self._bar = tqdm(total=total, desc=what, file=sys.stderr, leave=True)

    def step(self, note: str = "") -> None:
        """One more step is done."""
        self._done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update()
        elif self._done % max(1, self._total // 10) == 0 or self._done == self._total:
            print(f"{self._what}: {self._done}/{self._total} {note}".rstrip(), file=sys.stderr)

    def skip(self, steps: int) -> None:
        """Count steps that were done before, in a training that goes on."""
        self._done += steps
        if self._bar is not None:
            self._bar.update(steps)

    def note(self, text: str) -> None:
        """Something happens within a step that takes long."""
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        else:
            print(f"{self._what}: {text}", file=sys.stderr)

    def __enter__(self) -> Progress:
        return self

    def close(self) -> None:
        """Leave the terminal as it is; a bar that is not full stays so."""
        if self._bar is not None:
            self._bar.close()

    def __exit__(self, *error: object) -> None:
        self.close()
