"""The scenario: deploy experts and a dense network, then teach both a domain that comes later."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ... import subprocesses
from ...benchmarking.answers import answers
from ...converters import convert
from ...datasets import Dataset
from ...training import config_for, extend, train
from ...training.extension.fine_tuning import fine_tune
from ...training.gains import gain
from ...updates.install import install
from .domains import Domains
from .update_results import Arrival, UpdateRow

EXPERTS = 5
SPARSE, GROWN = "sparse", "grown"
DENSE, FINE_TUNED, RETRAINED = "dense", "fine-tuned", "retrained"
_TITLES = {
    SPARSE: f"{EXPERTS} experts",
    DENSE: "dense, as many weights",
    GROWN: "experts + a new one",
    FINE_TUNED: "dense, fine-tuned on new rows",
    RETRAINED: "dense, trained anew on all",
}


def arrive(
    domains: Domains,
    folder: Path,
    *,
    seed: int = 0,
    told: Callable[[str], None] = print,
    **settings: object,
) -> Arrival:
    """Run the scenario and measure every model as deployed: an int8 bundle on the interpreter.

    Leaves a run folder and a bundle for each model in `folder`, and an install root for each
    board: `sparse-board`, `dense-board`, and `retrained-board`, a copy of the second.

    Args:
        seed: of training.
        told: takes the heading of each step.
        settings: of `TrainConfig`, in place of the recipe's.
    """
    steps = _Steps(domains, folder, seed)
    folder.mkdir(parents=True, exist_ok=True)
    for board in ("sparse-board", "dense-board", "retrained-board"):
        shutil.rmtree(folder / board, ignore_errors=True)

    told(f"{EXPERTS} experts learn {domains.old.name}, and are installed")
    settings = {**settings, "experts": EXPERTS, "seed": seed}
    train_sparse = steps.training(SPARSE, domains.old, **settings)
    before = steps.deployed(SPARSE, train_sparse, "sparse-board")
    told("A dense network of as many weights learns the same")
    train_dense = steps.training(DENSE, domains.old, dense="all", **settings)
    dense = steps.deployed(DENSE, train_dense, "dense-board")
    shutil.copytree(folder / "dense-board", folder / "retrained-board", symlinks=True)

    told(f"{domains.new.name} arrive: one expert is added, the others stay")
    grown = steps.deployed(GROWN, steps.extension, "sparse-board", SPARSE)
    told("The dense network is fine-tuned on the new rows")
    tuned = steps.deployed(FINE_TUNED, steps.fine_tuning, "dense-board", DENSE)
    told("A dense network of all weights is trained anew, on old and new rows")
    more = {**settings, "experts": EXPERTS + 1}
    train_anew = steps.training(RETRAINED, domains.all, dense="all", **more)
    anew = steps.deployed(RETRAINED, train_anew, "retrained-board", DENSE)
    return Arrival(
        domains.old.name,
        domains.new.name,
        len(domains.old.test),
        len(domains.new.test),
        (before, dense),
        (grown, tuned, anew),
    )


class _Steps:
    def __init__(self, domains: Domains, folder: Path, seed: int):
        self._domains, self._folder, self._seed = domains, folder, seed
        self._right: dict[str, np.ndarray] = {}  # of each model, points of the old test examples

    def training(self, name: str, data: Dataset, **settings: object) -> Callable[[], object]:
        config = config_for(data.kind, **settings)
        return lambda: train(data, self._run(name), config, pictures=False, force=True)

    def extension(self) -> None:
        extend(self._run(SPARSE), self._domains.new, self._run(GROWN), seed=self._seed, force=True)

    def fine_tuning(self) -> None:
        fine_tune(
            self._run(DENSE), self._domains.new, self._run(FINE_TUNED), seed=self._seed, force=True
        )

    def deployed(
        self, name: str, work: Callable[[], object], board: str, follows: str | None = None
    ) -> UpdateRow:
        """Train, convert, install on a board, and measure."""
        start = time.monotonic()
        work()
        seconds = time.monotonic() - start
        bundle = self._folder / f"{name}.bundle"
        base = None if follows is None else self._folder / f"{follows}.bundle"
        convert(
            self._run(name),
            bundle,
            base=base if name == GROWN else None,
            bundle_version=1 if base is None else 2,
            max_accuracy_drop=100,  # what conversion costs is here to be seen
            force=True,
        )
        installed = install(bundle, self._folder / board)
        old, new = (_points(bundle, data) for data in (self._domains.old, self._domains.new))
        self._right[name] = old
        return UpdateRow(
            name=_TITLES[name],
            old=float(old.mean()) / 100,
            new=float(new.mean()) / 100,
            old_change=None if follows is None else gain(old - self._right[follows]),
            seconds=seconds,
            shipped_bytes=installed.written_bytes,
        )

    def _run(self, name: str) -> Path:
        return self._folder / f"{name}.run"


def _points(bundle: Path, data: Dataset) -> np.ndarray:
    """100 for each test example that the bundle labels right, else 0."""
    labels = subprocesses.call(answers, bundle, list(data.test.inputs), "label")
    truth = [data.labels[target] for target in data.test.targets]
    return np.array([100.0 * (label == right) for label, right in zip(labels, truth, strict=True)])
