"""The comparison: all contenders for all seeds, as deployed; resumes after an interruption."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...cluster import spread
from ...datasets import Dataset
from ...errors import UnsuitableError, UsageError
from ...progress import Progress
from ...training.config import TrainConfig
from ...training.default_settings import config_of
from ...training.tasks import training_of
from ..advice.advice import quick_look
from ..tasks import comparison_of
from .contenders import CONTENDERS, NAMES, WITHOUT_BACKBONE, ComparedModel, chosen
from .making import Maker
from .records import Record
from .results import Comparison, ComparisonRow

MAX_SEEDS = 10


def compare(
    dataset: Dataset,
    folder: Path,
    *,
    config: TrainConfig | None = None,
    seeds: Sequence[int] = (0,),
    quantization: str = "int8",
    rows: Sequence[str] | None = None,
    quick: bool = False,
    force: bool = False,
    seed_folders: bool = True,
    scheduler: str | None = None,
) -> Comparison:
    """Train and convert every contender for every seed, and measure them as deployed.

    Each writes `folder/seed-K/ROW.run`, `ROW.bundle` and, once it is finished, `ROW.json`. Finished
    rows are not repeated.

    Args:
        config: of the sparse experts; the other contenders' settings are derived from it.
        rows: names of contenders, all by default. The dense networks are always included.
        quick: train on a part of the data and evaluate on validation examples, as advice does.
        force: repeat finished rows.
        seed_folders: if False, the files of the only seed are in `folder` itself.
        scheduler: address of a Dask cluster, each of whose workers makes the rows of a seed; its
            machines see `folder` under the same path.

    Raises:
        UsageError: an option is invalid, or `folder` has rows with other settings.
        DataError: the task has no comparison.
    """
    folder = folder.absolute()  # the workers of a cluster have other working directories
    task = comparison_of(dataset, "compare")
    # The experts are trained whether or not they pay: the comparison decides that.
    config = replace(config or config_of(dataset), most_experts=0, measure_gain=False)
    if config.dense is not None:
        raise UsageError("compare makes the dense rows itself; leave `dense` out")
    if not 1 <= len(seeds) <= (MAX_SEEDS if seed_folders else 1):
        raise UsageError(f"seeds must be from 1 to {MAX_SEEDS}, got {len(seeds)}")
    buckets = dataset.kind == "text" and config.model is None
    names = task.rows or NAMES
    if config.backbone is not None:
        names = tuple(name for name in names if name not in WITHOUT_BACKBONE)
    contenders = chosen(rows, buckets=buckets, names=names)
    if quick:
        dataset = quick_look(dataset, seed=0)
    data = {"name": dataset.name, "sha256": dataset.fingerprint()}
    makers = [
        Maker(
            dataset,
            data,
            folder / f"seed-{seed}" if seed_folders else folder,
            folder,
            replace(config, seed=seed),
            quantization,
            task,
        )
        for seed in seeds
    ]
    if any((config.model, config.router_model, config.backbone)):
        training_of(dataset.task_type).refuse_unusable(dataset, config)
        makers = [replace(each, config=replace(each.config, trial=None)) for each in makers]
    records = _all(makers, contenders, force=force, scheduler=scheduler)
    reasons = {
        one.name: record.reason
        for by_name in reversed(records)
        for one in contenders
        if (record := by_name[one.name]).reason
    }
    return Comparison(
        data=dataset.name,
        trained_on=len(dataset.train),
        quick=quick,
        quantization=quantization,
        seeds=tuple(seeds),
        rows=tuple(
            ComparisonRow(
                one.name,
                tuple(measured for by in records if (measured := by[one.name].measured)),
                task.score,
            )
            for one in contenders
            if one.name not in reasons
        ),
        unavailable=reasons,
        task_type=dataset.task_type,
    )


def _all(
    makers: Sequence[Maker],
    contenders: Sequence[ComparedModel],
    *,
    force: bool,
    scheduler: str | None,
) -> list[dict[str, Record]]:
    """Records of all contenders, for each seed."""
    # Existing records are checked before the first training, so that a row with other settings does
    # not stop the comparison after an hour.
    records = [{} if force else _finished(maker, contenders) for maker in makers]
    total, done = len(makers) * len(contenders), sum(map(len, records))
    if done:
        print(f"{done} of {total} rows are finished already and not repeated", file=sys.stderr)
    todo = [[one for one in contenders if one.name not in found] for found in records]
    for maker, rows in zip(makers, todo, strict=True):
        if rows:
            maker.prepare(force=force and maker is makers[0])
    with Progress("Comparing", total - done) as progress:
        for place, name, record in _made_rows(makers, todo, scheduler):
            records[place][name] = record
            maker = makers[place]
            result = record.reason
            if record.measured:
                result = f"{record.measured.scores[maker.task.score]:.4f}"
            progress.step(f"{name}, seed {maker.config.seed}: {result}")
    return records


def _made_rows(
    makers: Sequence[Maker], todo: Sequence[Sequence[ComparedModel]], scheduler: str | None
) -> Iterator[tuple[int, str, Record]]:
    """Make rows, and yield the place of the maker, the row's name, and its record."""
    if scheduler is None:
        for place, (maker, rows) in enumerate(zip(makers, todo, strict=True)):
            for name, record in _rows(maker, [one.name for one in rows]):
                yield place, name, record
        return
    calls = {place: [one.name for one in rows] for place, rows in enumerate(todo) if rows}
    places = list(calls)
    work = [(makers[place], names) for place, names in calls.items()]
    for call, made in spread(scheduler, _rows_of_seed, work, makers[0].shared):
        for name, record in made:
            yield places[call], name, record


def _rows(maker: Maker, names: Sequence[str]) -> Iterator[tuple[str, Record]]:
    for name in names:
        contender = CONTENDERS[name]
        record = _made(maker, contender)
        record.write(maker.path(name))
        yield name, record


def _rows_of_seed(maker: Maker, names: Sequence[str]) -> list[tuple[str, Record]]:
    return list(_rows(maker, names))


def _finished(maker: Maker, contenders: Iterable[ComparedModel]) -> dict[str, Record]:
    return {one.name: record for one in contenders if (record := maker.finished(one))}


def _made(maker: Maker, contender: ComparedModel) -> Record:
    try:
        return Record(maker.made_with(contender), maker.make(contender))
    except UnsuitableError as error:
        return Record(maker.made_with(contender), None, str(error))
