"""Child process that measures variants, without TensorFlow.

`python -m edge_experts.converters.auto.sensitivity JOB` runs every variant of every network on the
interpreter, once for each variant of the router; an expert runs on the inputs that this router
sends to it. So the loss of every choice of variants is measured, not estimated from weights.

The folder JOB holds

    sensitivity.json   {"task": its name, "router": [file, ...], "experts": [[file, ...], ...],
                       "temperature": T, "only": [[router variant, expert, variant], ...], null
                       for all}; no router: []
    validation.npz     arrays of the inputs, by the features' names
    targets.npy        targets of the outputs: the correct labels, or values

and receives

    refused.json       files that the interpreter refuses, and the reasons; if there are any, it
                       is the only result
    sensitivity.npz    losses, wrong and counts, (router variants, experts, variants): the task's
                       losses and the shares of wrong answers, as sums, and the number of
                       examples; right, (router variants, variants, examples): True if an
                       example's own expert answers it correctly in this variant; owners, (router
                       variants, examples)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import ModelError
from edge_experts.format.manifest import TRUNK
from edge_experts.runtime.interpreter import Model

from ..tasks import CONVERSIONS
from ..tasks.conversion_task import RowTask


def main(job: Path) -> None:
    order = json.loads((job / "sensitivity.json").read_text())
    task: RowTask = CONVERSIONS.get(order["task"])
    arrays, targets = dict(np.load(job / "validation.npz")), np.load(job / "targets.npy")
    routers, experts = order["router"], order["experts"]
    refused = _refused([*routers, *(file for own in experts for file in own)])
    (job / "refused.json").write_text(json.dumps(refused))
    if refused:
        return
    shape = (max(1, len(routers)), len(experts), max(map(len, experts)))
    measured = {name: np.zeros(shape) for name in ("losses", "wrong", "counts")}
    measured["right"] = np.zeros((shape[0], shape[2], len(targets)), bool)
    measured["owners"] = np.zeros((shape[0], len(targets)), int)

    def keep(place: tuple[int, int, int], outputs: np.ndarray, own: np.ndarray) -> None:
        if not len(own):
            return
        losses, wrong = task.losses(outputs, targets[own], targets, order["temperature"])
        measured["losses"][place] = losses.sum()
        measured["wrong"][place] = wrong.sum()
        measured["counts"][place] = len(own)
        measured["right"][place[0], place[2], own] = wrong == 0
        measured["owners"][place[0], own] = place[1]

    if not routers:
        _without_router(experts, arrays, len(targets), keep)
    only = None if order["only"] is None else {tuple(place) for place in order["only"]}
    asked = _Asked()
    for at, path in enumerate(routers):
        print(f"router, variant {at + 1} of {len(routers)}", flush=True)
        if only is not None and all(place[0] != at for place in only):
            continue
        gate, seen = _routed(Model(Path(path).read_bytes(), path), arrays, len(targets))
        for index, variants in enumerate(experts):
            own = np.flatnonzero(gate == index)
            print(f"expert {index}", flush=True)
            for variant, file in enumerate(variants):
                if only is None or (at, index, variant) in only:
                    keep((at, index, variant), asked.answers(file, seen, own), own)
    np.savez(job / "sensitivity.npz", **measured)


class _Asked:
    """Cache of answers by file and input: without a trunk they do not depend on the router."""

    def __init__(self) -> None:
        self._known: dict[str, dict[int, np.ndarray]] = {}

    def answers(self, file: str, seen: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
        """Return a file's outputs (rows, labels)."""
        if TRUNK in seen:
            return _answers(file, seen, rows)
        known = self._known.setdefault(file, {})
        new = [row for row in rows if row not in known]
        known |= dict(zip(new, _answers(file, seen, np.array(new, int)), strict=True))
        return np.array([known[row] for row in rows]) if len(rows) else np.zeros((0, 1))


def _refused(files: Sequence[str]) -> dict[str, str]:
    refused = {}
    for file in files:
        try:
            Model(Path(file).read_bytes(), Path(file).name)
        except ModelError as error:
            refused[file] = str(error)
    return refused


def _without_router(
    experts: Sequence[Sequence[str]],
    arrays: Mapping[str, np.ndarray],
    count: int,
    keep: Any,
) -> None:
    """Measure bundles that sum all experts: each variant beside the others' first ones."""
    rows = np.arange(count)
    logits = []
    for index, variants in enumerate(experts):
        print(f"expert {index}", flush=True)
        logits.append([_answers(file, arrays, rows) for file in variants])
    total = np.sum([own[0] for own in logits], axis=0)
    for index, own in enumerate(logits):
        for variant, mine in enumerate(own):
            keep((0, index, variant), total - own[0] + mine, rows)


def _routed(
    router: Model, arrays: Mapping[str, np.ndarray], count: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the first choice for each input, and the experts' inputs."""
    gate, trunk = np.zeros(count, int), []
    for row in range(count):
        gate[row] = router(_one(arrays, row)).argmax()
        if router.has_trunk:
            trunk.append(router.trunk()[0].copy())
    return gate, {**arrays, **({TRUNK: np.array(trunk)} if trunk else {})}


def _answers(file: str, arrays: Mapping[str, np.ndarray], rows: np.ndarray) -> np.ndarray:
    """Compute a file's outputs (rows, labels)."""
    model = Model(Path(file).read_bytes(), file)
    answers = [model(_one(arrays, row)).copy() for row in rows]
    return np.array(answers) if answers else np.zeros((0, 1), np.float32)


def _one(arrays: Mapping[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    return {name: array[row : row + 1] for name, array in arrays.items()}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
