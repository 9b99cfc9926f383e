"""Accidents that befall a bundle on its way and on its card: refused, or answered as before.

`python -m benchmarks.runtime.mutations BUNDLE --count 100000` damages a copy of the bundle
in one way after the other (bits, sectors, files), opens it each time and asks every golden example.
Nothing else may happen than an error of this package's own, the answers of the intact bundle, or
where an expert was hit that of another one, degraded and right for that expert. A process of its
own does it, so that one that dies is counted, and so is one that hangs; `--only N` repeats mutation
N of the same `--seed`.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import EdgeExpertsError, MachineError, ThresholdError
from edge_experts.features import Features, encode_all
from edge_experts.format.manifest import MANIFEST, read_manifest
from edge_experts.progress import Progress
from edge_experts.runtime import ExpertRuntime, golden, interpreter
from edge_experts.runtime.answer import Predictions
from edge_experts.text_table import aligned

from .accidents import MUTATIONS, edit_manifest

_MODULE = "benchmarks.runtime.mutations"
GOOD = ("refused", "right", "degraded")
BAD = ("wrong", "foreign", "crash", "hang")
_START = 120.0  # seconds until the first mutation: imports, and each expert asked alone


def run(
    bundle: Path,
    count: int,
    *,
    seed: int = 0,
    program: Sequence[str] = ("-m", _MODULE),
    patience: float = 60,
) -> tuple[Counter[str], list[str]]:
    """Outcomes of so many mutations, as (kind, outcome) joined by a space, and what was bad.

    Args:
        program: what the child runs.
        patience: seconds for one mutation, which takes a hundredth of one.

    Raises:
        MachineError: the child does not even get to its first mutation.
    """
    outcomes: Counter[str] = Counter()
    bad: list[str] = []
    number = 0
    with Progress(f"{count:,} mutations", 100) as progress:
        while number < count:
            begun = number
            for line in _child([*program, str(bundle)], seed, number, count, patience):
                kind, outcome, detail = line
                outcomes[f"{kind} {outcome}"] += 1
                if outcome in BAD:
                    bad.append(f"--seed {seed} --only {number}: {kind}: {outcome}: {detail}")
                number += 1
                if number * 100 // count > (number - 1) * 100 // count:
                    progress.step()
            if number == begun:
                raise MachineError("the process that tries mutations does not start")
    return outcomes, bad


def _child(
    program: Sequence[str], seed: int, start: int, stop: int, patience: float
) -> Iterator[tuple[str, str, str]]:
    """The outcomes from `start` on, up to `stop` or the first that ends the process."""
    command = [sys.executable, *program, "--child", str(start)]
    command += ["--count", str(stop), "--seed", str(seed)]
    with tempfile.TemporaryFile("w+") as errors:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert child.stdout is not None, "it is a pipe"
        begun: str | None = None
        allowed = _START
        while True:
            watch = threading.Timer(allowed, child.kill)
            watch.start()
            line = child.stdout.readline()
            hung = not watch.is_alive()
            watch.cancel()
            if not line:
                break
            allowed = patience
            if begun is None:  # it says what it is about to do, then what came of it
                begun = line.strip()
            else:
                outcome, _, detail = line.rstrip("\n").partition(" ")
                yield begun, outcome, detail
                begun = None
        code = child.wait()
        if begun is not None:
            errors.seek(0)
            last = (errors.read().strip().splitlines() or [""])[-1]
            yield begun, "hang" if hung else "crash", f"exit code {code}: {last}"


def _main_child(bundle: Path, start: int, stop: int, seed: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        shutil.copytree(bundle, folder)
        paths = [MANIFEST, *(entry.path for entry in read_manifest(folder).files)]
        intact = {path: (folder / path).read_bytes() for path in paths}
        whole = _Whole(folder)
        for number in range(start, stop):
            dice = random.Random(f"{seed}:{number}")
            mutation = dice.choice(MUTATIONS)
            path, other = (folder / one for one in dice.sample(paths, 2))
            if mutation is edit_manifest:
                path = folder / MANIFEST
            print(mutation.__name__, flush=True)
            mutation(dice, path, other)
            print(_outcome(folder, whole, number), flush=True)
            for one in (path, other):
                one.write_bytes(intact[str(one.relative_to(folder))])


class _Whole:
    """What the intact bundle in `folder` says of its golden examples."""

    def __init__(self, folder: Path):
        with ExpertRuntime(folder) as runtime:
            golden.check(runtime)
            self._features = runtime.features
            self.inputs = list(golden.read(folder).inputs)
            self._arrays = encode_all(self._features, self.inputs)
            self.answers = _asked(runtime, self.inputs, self._arrays)
        self.alone = _alone(folder, self._arrays)

    def arrays(self, features: Features) -> dict[str, np.ndarray]:
        """The examples as these features encode them; texts take longer than all the rest."""
        mine, theirs = self._features, features
        same = (mine.kind, mine.settings) == (theirs.kind, theirs.settings)
        if same and mine.arrays.keys() == theirs.arrays.keys():
            same = all(np.array_equal(mine.arrays[key], theirs.arrays[key]) for key in mine.arrays)
        return self._arrays if same else encode_all(features, self.inputs)

    def wrong(self, found: Predictions, row: int) -> bool:
        """Whether an answer is neither that of the intact bundle nor, degraded, another expert's.

        Of several experts together nothing is known here but that it is degraded.
        """
        if found.degraded[row]:
            expected = self.alone.get(int(found.experts[row]))
            return expected is not None and not np.array_equal(found.scores[row], expected[row])
        return found.experts[row] != self.answers.experts[row] or not np.array_equal(
            found.scores[row], self.answers.scores[row]
        )


def _asked(
    runtime: ExpertRuntime, inputs: Sequence[Any], arrays: dict[str, np.ndarray]
) -> Predictions:
    """The answers to examples, or to their features, where these are enough."""
    if runtime.manifest.generation is None:
        return runtime.predict_arrays(arrays)
    answers = runtime.predict_batch(inputs)
    return Predictions(
        labels=np.array([answer.scores.argmax() for answer in answers]),
        scores=np.array([answer.scores for answer in answers]),
        experts=np.array([answer.expert for answer in answers]),
        degraded=np.array([answer.degraded for answer in answers]),
    )


def _alone(folder: Path, arrays: dict[str, np.ndarray]) -> dict[int, np.ndarray]:
    """By expert, its scores while the files of all others are away; empty where several answer."""
    manifest = read_manifest(folder)
    if manifest.router is None or manifest.by_name or not manifest.asks_one:
        return {}
    files = [folder / entry.path for entry in manifest.experts]
    found = {}
    for index, kept in enumerate(files):
        away = [path.rename(path.with_suffix(".away")) for path in files if path != kept]
        with ExpertRuntime(folder) as runtime:
            found[index] = runtime.predict_arrays(arrays).scores
        for path in away:
            path.rename(path.with_suffix(kept.suffix))
    return found


def _outcome(folder: Path, whole: _Whole, number: int) -> str:
    """What came of it, and in one line why."""
    try:
        with ExpertRuntime(folder) as runtime:
            found = _asked(runtime, whole.inputs, whole.arrays(runtime.features))
            for row in range(len(whole.inputs)):
                if whole.wrong(found, row):
                    return f"wrong answer to example {row}: {found.scores[row]!r:.80}"
            row = number % len(whole.inputs)
            answer = runtime.predict(whole.inputs[row])
            if answer.expert != found.experts[row] or not np.allclose(
                answer.scores, found.scores[row]
            ):
                return f"wrong {answer}, which is another one than in a batch"
            if found.degraded.any():  # which a check by golden examples refuses
                return "degraded"
            golden.check(runtime)
            return "right"
    except EdgeExpertsError as error:
        return f"refused {type(error).__name__}"
    except Exception:  # what is no error of ours is what is looked for here
        return "foreign " + " / ".join(traceback.format_exc().splitlines()[-3:])


def main() -> None:
    parser = argparse.ArgumentParser(prog=f"python -m {_MODULE}", description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="repeat this one")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        _main_child(given.bundle, given.child, given.count, given.seed)
        return
    if given.only is not None:
        _main_child(given.bundle, given.only, given.only + 1, given.seed)
        return
    outcomes, bad = run(given.bundle, given.count, seed=given.seed)
    found = {
        "schema_version": "1.0",
        "interpreter": interpreter.description(),
        "count": given.count,
        "seed": given.seed,
        "outcomes": {
            outcome: sum(n for key, n in outcomes.items() if key.endswith(f" {outcome}"))
            for outcome in (*GOOD, *BAD)
        },
        "by_mutation": dict(sorted(outcomes.items())),
        "bad": bad[:100],
    }
    if given.json:
        print(json.dumps(found, indent=2))
    else:
        rows = [
            [kind.__name__, *(str(outcomes[f"{kind.__name__} {one}"]) for one in (*GOOD, *BAD))]
            for kind in MUTATIONS
        ]
        total = ["all", *map(str, found["outcomes"].values())]
        print("\n".join(aligned([["", *GOOD, *BAD], *rows, total])))
        print("\n".join(bad[:20]))
    if bad:
        raise ThresholdError(f"{len(bad)} of {given.count} mutations were not refused as they must")


if __name__ == "__main__":
    try:
        main()
    except EdgeExpertsError as error:
        print(f"mutations: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
