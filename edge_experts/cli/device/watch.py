"""Warnings of `run` on stderr: quarantined experts, invalid lines, drift."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from ...datasets.input_record import Input
    from ...runtime import Answer, ExpertRuntime
    from ...runtime.installed import InstalledRuntime

_EVERY = 16  # answers between two checks for drift
_MOST_SENTENCES = 20  # limit of distinct warnings; further ones are only counted


class Watch:
    """Reports quarantined experts and warnings about inputs on stderr, once each.

    Args:
        json: also print an object on stdout for a line that cannot be answered.
        strict: raise an error at the first such line.
        drift: also report drift.
    """

    def __init__(
        self,
        runtime: ExpertRuntime | InstalledRuntime,
        *,
        json: bool = False,
        strict: bool = False,
        drift: bool = True,
    ):
        self._runtime, self._answers, self._refused = runtime, 0, 0
        self._json, self._strict, self._tells_drift = json, strict, drift
        self._told: set[int] = set()
        self._sentences: dict[str, None] = {}
        self.drift: bool | None = None  # None: unknown, or the bundle has no reference

    def look(self, answer: Answer) -> None:
        """Check for warnings after an answer."""
        self._answers += 1
        if answer.degraded:
            for expert, reason in self._runtime.quarantined.items():
                if expert not in self._told:
                    self._told.add(expert)
                    _warn(f"expert {expert} is left out: {reason}")
        for sentence in answer.warnings:
            self._say(sentence)
        if self._tells_drift and self._answers % _EVERY == 0:
            self.check_drift()

    def refuse(self, one: Input, error: UsageError) -> None:
        """Report an input that cannot be answered.

        Raises:
            UsageError: with `strict`.
        """
        text = one.told(error)
        if self._strict:
            raise UsageError(f"{text}; without --strict the others are answered") from None
        self._refused += 1
        print(f"edge-experts: {text}", file=sys.stderr)
        if self._json:
            from json import dumps

            content = {"schema_version": "1.0", "error": text, "line": one.number}
            print(dumps(content, ensure_ascii=False), flush=True)

    def finish(self) -> None:
        """Check for drift at the end of the inputs.

        Raises:
            UsageError: inputs could not be answered; the message has their number.
        """
        if self._refused:
            total = self._refused + self._answers
            raise UsageError(
                f"{self._refused:,} of {total:,} inputs could not be answered, each named above"
            )

    def check_drift(self) -> None:
        if self.drift:
            return
        found = self._runtime.drift
        if found is not None:
            self.drift = found.drifted
            if found.drifted:
                _warn(found.warning)

    def _say(self, sentence: str) -> None:
        if sentence in self._sentences or len(self._sentences) > _MOST_SENTENCES:
            return
        self._sentences[sentence] = None
        _warn(
            sentence
            if len(self._sentences) <= _MOST_SENTENCES
            else "further warnings are not shown; --json has those of every answer"
        )


def _warn(what: str) -> None:
    print(f"edge-experts: warning: {what}", file=sys.stderr)
