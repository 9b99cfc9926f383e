"""Reading of all files of a folder, in threads; broken ones are left out and told."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ...errors import DataError, UsageError
from ...progress import Progress
from .label_folder import LabelledFile

_MOST_BROKEN = 0.2  # share of files that may be broken
_NAMED = 3
_STEPS = 20

_Result = TypeVar("_Result")


class FileReading:
    """Reads files, and remembers the broken ones.

    Args:
        word: one file in words, such as "photo".
        count: of all files.
    """

    def __init__(self, folder: Path, word: str, count: int):
        self._folder, self._word, self._count = folder, word, count
        self._broken: dict[str, str] = {}

    def each(
        self, files: Sequence[LabelledFile], act: Callable[[LabelledFile], _Result], what: str
    ) -> list[tuple[LabelledFile, _Result]]:
        """Apply a function to each file; returns the files that it did not refuse, with its result.

        Args:
            act: raises UsageError for a broken file.
            what: for the progress bar.

        Raises:
            DataError: more than a fifth of all files are broken.
        """

        def of(file: LabelledFile) -> _Result | UsageError:
            try:
                return act(file)
            except UsageError as error:
                return error

        results = []
        step = max(1, len(files) // _STEPS)
        with (
            Progress(f"{what} ({len(files):,})", len(files) // step) as progress,
            ThreadPoolExecutor(os.cpu_count()) as threads,
        ):
            pairs = zip(files, threads.map(of, files), strict=True)
            for place, (file, made) in enumerate(pairs, 1):
                if isinstance(made, UsageError):
                    name = str(file.path)
                    reason = str(made).removeprefix(name).removeprefix(": ")
                    self._broken[str(file.path.relative_to(self._folder))] = reason
                else:
                    results.append((file, made))
                if place % step == 0:
                    progress.step()
        if len(self._broken) > _MOST_BROKEN * self._count:
            raise DataError(
                f"{self._folder}: {len(self._broken):,} of {self._count:,} {self._word}s cannot be "
                f"read, more than {_MOST_BROKEN:.0%}: {self._listed}. Repair or remove them"
            )
        return results

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on the broken files."""
        if not self._broken:
            return ()
        return (
            f"Warning: {len(self._broken):,} of {self._count:,} {self._word}s cannot be read and "
            f"are left out: {self._listed}",
        )

    @property
    def _listed(self) -> str:
        named = list(self._broken.items())[:_NAMED]
        shown = "; ".join(f"{name}: {reason}" for name, reason in named)
        more = len(self._broken) - _NAMED
        return shown + (f"; and {more:,} more" if more > 0 else "")
