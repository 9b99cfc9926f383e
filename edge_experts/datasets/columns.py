"""Choice of columns of a file: labels, groups, times, and columns to leave out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ..errors import DataError, UsageError


@dataclass(frozen=True)
class Columns:
    """A user's choice of columns, by their names in the header, and of what the labels mean.

    Attributes:
        label: column of targets, instead of `label` or `target`.
        drop: columns to leave out.
        group: column of groups, of which each is in one split only; not an input.
        time: column of times, by which the test is later than the training; not an input.
        keep: columns to use as inputs although they hold times or identifiers.
        normal: labels of normal rows, for anomaly detection; () for the usual words.
        unused: columns that were left out for their content; they need not be named again.
        recorded: names of the attributes that a run or a bundle recorded; a file may lack these
            columns.
    """

    label: str | None = None
    drop: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    keep: tuple[str, ...] = ()
    normal: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    recorded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        roles = {"label": self.label, "group": self.group, "time": self.time}
        named = [(role, name) for role, name in roles.items() if name is not None]
        for role, name in named:
            others = [f"--{other}-column" for other, same in named if same == name != role]
            if name in self.drop or len(others) > 1:
                beside = "--drop" if name in self.drop else others[-1]
                raise UsageError(f"--{role}-column {name}: is {beside} too; give it once")

    def refuse_both(self) -> None:
        """Reject groups and times together, where only one of them can split the rows.

        Raises:
            UsageError: both are named.
        """
        if self.group is not None and self.time is not None:
            raise UsageError(
                "--group-column and --time-column: give one of them only; rows are split by groups "
                "or by time"
            )

    @property
    def not_inputs(self) -> set[str]:
        """Columns that are never inputs, except that of the label."""
        return {*self.drop, *(name for name in (self.group, self.time) if name is not None)}

    def of_header(self, where: str, header: Iterable[str]) -> Columns:
        """Apply the choice to a file with this header.

        Raises:
            DataError: the header lacks a column that the user names.
        """
        names = list(header)
        absent: dict[str, None] = {}
        for role in ("label", "group", "time", "drop", "keep"):
            chosen = getattr(self, role)
            lacking = [
                name
                for name in ([chosen] if isinstance(chosen, str) else chosen or ())
                if name not in names
            ]
            if lacking and role in self.recorded:
                absent[role] = None
            elif lacking:
                option = f"--{role}" if role in ("drop", "keep") else f"--{role}-column"
                raise DataError(
                    f"{where}: no column {lacking[0]!r}, which {option} names; found: "
                    f"{', '.join(names):.300}"
                )
        has_labels = (self.label or "label") in names
        return replace(
            self,
            normal=self.normal if has_labels or "normal" not in self.recorded else (),
            label=None if "label" in absent else self.label,
            group=None if "group" in absent else self.group,
            time=None if "time" in absent else self.time,
        )

    def to_json(self) -> dict[str, Any]:
        """The choice in plain JSON values; {} if there is none."""
        found = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in found.items()
            if value and name != "recorded"
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> Columns:
        """Read a choice that `to_json` wrote; invalid content is no choice."""
        known = {field.name for field in fields(cls)}
        if not isinstance(content, Mapping) or not set(content) <= known:
            return cls()
        made = {
            name: tuple(map(str, value)) if isinstance(value, list) else str(value)
            for name, value in content.items()
        }
        return cls(**made, recorded=tuple(made))  # type: ignore[arg-type]
