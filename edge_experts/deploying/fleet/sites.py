"""Table of a fleet: one row for each site."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError, UsageError

COLUMNS = {
    "host": "user@host, or a name of ~/.ssh/config",
    "bundle": "the bundle of the site; paths are relative to the table",
    "stage": "number: sites of stage 2 follow once all of stage 1 are well",
    "name": "name of the bundle on the board",
    "run": "run folder that `bundle` was made from; with `data` only",
    "data": "data of this site, for a separate expert",
}
_NEEDED = ("host", "bundle")
_MOST = 10_000  # rows


@dataclass(frozen=True)
class Site:
    """One row.

    Attributes:
        host: as ssh takes it.
        bundle: the common one, where the site has `data`.
        stage: from 1.
        name: of the bundle on the board; None for its own.
        run, data: run folder to extend, and what its new expert learns; both None without.
    """

    host: str
    bundle: Path
    stage: int
    name: str | None = None
    run: Path | None = None
    data: str | None = None


def read_sites(table: Path) -> list[Site]:
    """Read a .csv or .tsv with a row for each site.

    Without a column `stage` the first site is stage 1, and all others are stage 2.

    Raises:
        UsageError: the file cannot be read.
        DataError: a column or a cell is wrong; the message has its line.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if table.suffix == ".tsv" else ",")
            columns = [name.strip() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            _refuse_columns(table, columns)
            sites: list[Site] = []
            for row in reader:
                if any(row.values()):
                    default = 1 if not sites else 2
                    place = f"{table}: line {reader.line_num}"
                    sites.append(_site(place, table.parent, row, columns, default))
                if len(sites) > _MOST:
                    raise DataError(f"{table}: has more than {_MOST:,} sites; split the table")
    except OSError as error:
        raise UsageError(f"{table}: {error.strerror}; name the table of sites") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table}: is no table in UTF-8: {error}") from None
    if not sites:
        raise DataError(f"{table}: has no sites; the columns are {_all_columns()}")
    hosts = [site.host for site in sites]
    twice = sorted({host for host in hosts if hosts.count(host) > 1})
    if twice:
        raise DataError(f"{table}: {', '.join(twice)}: a host may be in one row only")
    return sites


def _refuse_columns(table: Path, columns: list[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if missing or unknown or twice:
        what = f"no column {missing[0]}" if missing else f"column {(unknown or twice)[0]!r}"
        why = "" if missing else (" is unknown" if unknown else " is there twice")
        raise DataError(f"{table}: {what}{why}; the columns are {_all_columns()}")


def _all_columns() -> str:
    return ", ".join(COLUMNS)


def _site(
    place: str, folder: Path, row: Mapping[str, object], columns: list[str], default: int
) -> Site:
    if None in row:
        raise DataError(f"{place}: has more cells than the table has columns")
    cells = {name: str(value or "").strip() for name, value in row.items()}
    for name in _NEEDED:
        if not cells[name]:
            raise DataError(f"{place}: `{name}` is empty; it must have {COLUMNS[name]}")
    stage = cells.get("stage", str(default))
    if not (stage.isascii() and stage.isdigit() and int(stage[:9]) > 0):
        raise DataError(f"{place}: stage {stage!r}: must be a number from 1")
    run, data = cells.get("run", ""), cells.get("data", "")
    if bool(run) != bool(data):
        has, lacks = ("run", "data") if run else ("data", "run")
        raise DataError(f"{place}: has `{has}` but no `{lacks}`, which is {COLUMNS[lacks]}")
    bundle = folder / cells["bundle"]
    for name, path in (("bundle", bundle), ("run", folder / run)):
        if not path.is_dir():
            raise DataError(f"{place}: {name} {path}: there is no such folder")
    own = folder / data
    return Site(
        cells["host"],
        bundle,
        int(stage),
        cells.get("name") or None,
        folder / run if run else None,
        # What is no file is a named data set.
        (str(own) if own.exists() else data) if data else None,
    )
