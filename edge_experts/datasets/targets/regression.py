"""Targets of regression: numbers to predict, one or several for each example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..splitting import assign
from . import Targets, Wanted

NAME, PREFIX = "target", "target:"
_LARGEST = 1e30  # larger numbers overflow in float32 when squared
_STRATA, _STRATUM = 10, 20  # number of quantiles for stratification; least rows in each
_FINEST = 1e-6  # least spread relative to the mean in float32


class ValueTargets:
    """One or several finite numbers for each example, in the data's own units."""

    numbers: tuple[str, ...] = ("label",)

    def claims_columns(self, columns: Sequence[str]) -> bool:
        return bool(_named(columns))

    def claims_cells(self, cells: Sequence[str]) -> bool:
        return False

    def claims_arrays(self, y_train: np.ndarray, y_test: np.ndarray) -> bool:
        """True for floats that are not all whole."""
        with np.errstate(invalid="ignore"):
            return any(
                y.dtype.kind == "f" and bool((np.floor(y) != y).any()) for y in (y_train, y_test)
            )

    def columns(self, path: Path, columns: Sequence[str]) -> tuple[str, ...]:
        found = _named(columns) or tuple(name for name in columns if name == "label")
        if not found:
            raise DataError(
                f"{path}: no column 'target' in its header; found: {', '.join(columns)}. Name the "
                "column of numbers to predict 'target', or several 'target:NAME'"
            )
        names = [_output(column) for column in found]
        for column, name in zip(found, names, strict=True):
            if not name:
                raise DataError(
                    f"{path}: column {column!r} of its header has no name behind the colon; name "
                    "it 'target:NAME', or 'target' if there is only one"
                )
            if names.count(name) > 1:
                raise DataError(
                    f"{path}: two columns of its header predict {name!r}; rename {column!r}"
                )
        return found

    def cell(self, path: Path, line: int, column: str, text: str) -> Any:
        cell = text.strip()
        where = f"{path}: line {line}: column {column!r}"
        if not cell:
            raise DataError(f"{where} is empty; fill it, or leave the row out")
        try:
            value = float("" if "_" in cell else cell)  # Python alone takes 1_000
        except ValueError:
            raise DataError(
                f"{where} must hold a number to predict, got {cell!r:.40}; write it like 1234.5, "
                "leave the row out, or name a column of classes 'label'"
            ) from None
        _refuse_beyond(where, np.array([value]))
        return value

    def example(self, path: Path, line: int, row: Mapping[str, str]) -> Any:
        return row.get("text", row)

    def of_rows(
        self,
        name: str,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        lines: Sequence[int] = (),
    ) -> Wanted:
        names = tuple(_output(column) for column in columns)
        return Wanted(names, np.array(rows, np.float64))

    def of_arrays(
        self, name: str, y_train: np.ndarray, y_test: np.ndarray, labels: Sequence[str] | None
    ) -> tuple[Wanted, Wanted]:
        train, test = _numbers(name, "y_train", y_train), _numbers(name, "y_test", y_test)
        count = train.shape[1]
        if test.shape[1] != count:
            raise DataError(
                f"{name}: y_train has {count} numbers for each example, y_test {test.shape[1]}; "
                "give both the same outputs"
            )
        names = tuple(labels) if labels else (NAME,)
        if not labels and count > 1:
            names = tuple(f"{NAME} {place}" for place in range(count))
        if len(names) != count:
            raise DataError(f"{name}: {len(names)} names for {count} outputs; name each once")
        return Wanted(names, train), Wanted(names, test)

    def refuse_few(self, name: str, labels: Sequence[str], rows: int) -> None:
        """Accept any number of rows."""

    def assign(
        self,
        wishes: np.ndarray,
        targets: np.ndarray,
        seed: int,
        draw: Sequence[str] = ("test", "validation"),
        *,
        examples: Sequence[Any] | None = None,
        groups: Sequence[str] | None = None,
    ) -> np.ndarray:
        """Assign splits stratified by quantiles; for several outputs, of the sum of their ranks.

        The sum does not depend on the order of columns, so that a file with reordered columns has
        the same test examples.
        """
        count = len(targets)
        ranks = _ranks(np.sum([_ranks(column) for column in targets.T], axis=0))
        strata = max(1, min(_STRATA, count // _STRATUM))
        return assign(wishes, ranks * strata // max(1, count), seed, draw, groups=groups)

    def check(self, name: str, labels: Sequence[str], splits: Mapping[str, np.ndarray]) -> None:
        """Require finite float64 numbers, whose spread float32 can represent beside their mean."""
        for split, targets in splits.items():
            if targets.ndim != 2 or targets.shape[1] != len(labels) or targets.dtype != np.float64:
                raise DataError(
                    f"{name}: the targets of {split} must be float64 (examples, {len(labels)}), "
                    f"got {targets.dtype} {targets.shape}"
                )
            _refuse_beyond(f"{name}: the targets of {split}", targets)
        train = splits["train"]
        spread, mean = train.std(axis=0), np.abs(train.mean(axis=0))
        fine = (np.ptp(train, axis=0) > 0) & (spread < np.maximum(_FINEST * mean, 1 / _LARGEST))
        if fine.any():
            place = int(np.flatnonzero(fine)[0])
            raise DataError(
                f"{name}: {labels[place]!r} differs by {spread[place]:.3g} around "
                f"{train[:, place].mean():.6g}, which float32 cannot hold; subtract a constant "
                "from it, or scale it"
            )

    def title(self, kind: str) -> str:
        return f"{kind} regression"

    def requests(
        self, inputs: Sequence[Any] | np.ndarray, labels: Sequence[str], targets: np.ndarray
    ) -> Sequence[Any] | np.ndarray:
        return inputs


def _named(columns: Sequence[str]) -> tuple[str, ...]:
    return tuple(name for name in columns if name == NAME or name.startswith(PREFIX))


def _output(column: str) -> str:
    """Name of the output that a column holds."""
    return column.removeprefix(PREFIX).strip()


def _ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value in ascending order, (examples,) int64; ties keep their order."""
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values, kind="stable")] = np.arange(len(values))
    return ranks


def _numbers(name: str, part: str, y: np.ndarray) -> np.ndarray:
    """Convert to (examples, outputs) float64.

    Raises:
        DataError: the values are not numbers, or one is not finite.
    """
    if y.dtype.kind not in "buif" or y.ndim not in (1, 2) or (y.ndim == 2 and not y.shape[1]):
        raise DataError(
            f"{name}: {part} must hold numbers, (examples,) or (examples, outputs), got {y.dtype} "
            f"{y.shape}"
        )
    values = y.reshape(len(y), -1).astype(np.float64) if len(y) else np.zeros((0, 1))
    _refuse_beyond(f"{name}: {part}", values)
    return values


def _refuse_beyond(where: str, values: np.ndarray) -> None:
    odd = ~np.isfinite(values)
    if odd.any():
        raise DataError(
            f"{where} must be finite, got {values[odd][0]}; leave out examples whose target was "
            "not measured"
        )
    if (np.abs(values) > _LARGEST).any():
        raise DataError(f"{where} holds a number beyond {_LARGEST:.0e}; scale it")


TARGETS: Targets = ValueTargets()
