"""Accidents that befall a bundle on its way and on its card: refused, or answered as before.

`python -m edge_experts.benchmarking.mutations BUNDLE --count 100000` damages a copy of the bundle
in one way after the other (bits, sectors, files), opens it each time and asks every golden example.
Nothing else may happen than an error of this package's own, or the answers of the intact bundle. A
process of its own does it, so that one that dies is counted, and so is one that hangs; `--only N`
repeats mutation N of the same `--seed`.
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..bundle import MANIFEST, read_manifest
from ..errors import EdgeExpertsError, MachineError, ThresholdError
from ..progress import Progress
from ..runtime import ExpertRuntime, golden, interpreter
from .table import aligned

_MODULE = "edge_experts.benchmarking.mutations"
SECTOR = 512  # bytes that storage loses or mixes up at once
GOOD = ("refused", "right", "degraded")
BAD = ("wrong", "foreign", "crash", "hang")

Mutation = Callable[[random.Random, Path, Path], None]  # dice, a file, another file


def flip_bits(dice: random.Random, path: Path, __: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)


def truncate(dice: random.Random, path: Path, _: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: dice.choice((0, dice.randrange(len(content)), len(content) - 1))])


def extend(dice: random.Random, path: Path, _: Path) -> None:
    more = dice.choice((1, SECTOR, dice.randrange(1, 5000)))
    path.write_bytes(path.read_bytes() + dice.choice((bytes(more), dice.randbytes(more))))


def zero_sector(dice: random.Random, path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    start = dice.randrange(0, len(content), SECTOR)
    content[start : start + SECTOR] = bytes(len(content[start : start + SECTOR]))
    path.write_bytes(content)


def swap_sectors(dice: random.Random, path: Path, _: Path) -> None:
    content = path.read_bytes()
    sectors = [content[start : start + SECTOR] for start in range(0, len(content), SECTOR)]
    first, second = dice.randrange(len(sectors)), dice.randrange(len(sectors))
    sectors[first], sectors[second] = sectors[second], sectors[first]
    path.write_bytes(b"".join(sectors))


def foreign_sector(dice: random.Random, path: Path, other: Path) -> None:
    content, strange = bytearray(path.read_bytes()), other.read_bytes()
    start = dice.randrange(0, len(content), SECTOR)
    begin = dice.randrange(0, len(strange), SECTOR)
    length = len(content[start : start + SECTOR])
    content[start : start + length] = strange[begin : begin + length].ljust(length, b"\0")
    path.write_bytes(content)


def swap_files(_: random.Random, path: Path, other: Path) -> None:
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


def remove(_: random.Random, path: Path, __: Path) -> None:
    path.unlink()


def edit_manifest(dice: random.Random, path: Path, __: Path) -> None:
    """Bytes of the manifest, which `path` is here, replaced, put in or left out."""
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 1, 2, 3))):
        start, length = dice.randrange(len(content)), dice.choice((0, 1, 1, 3))
        written = dice.choice(
            (dice.randbytes(length), b"0", b"1", b"9", b'"', b"-", b" ", b",", b"")
        )
        content[start : start + length] = written
    path.write_bytes(content)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    truncate,
    extend,
    zero_sector,
    swap_sectors,
    foreign_sector,
    swap_files,
    remove,
    edit_manifest,
)


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
        while True:
            watch = threading.Timer(patience, child.kill)
            watch.start()
            line = child.stdout.readline()
            hung = not watch.is_alive()
            watch.cancel()
            if not line:
                break
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
        inputs = list(golden.read(folder).inputs)
        expected = _answers(folder, inputs)
        for number in range(start, stop):
            dice = random.Random(f"{seed}:{number}")
            mutation = dice.choice(MUTATIONS)
            path, other = (folder / one for one in dice.sample(paths, 2))
            if mutation is edit_manifest:
                path = folder / MANIFEST
            print(mutation.__name__, flush=True)
            mutation(dice, path, other)
            print(_outcome(folder, inputs, expected), flush=True)
            for one in (path, other):
                one.write_bytes(intact[str(one.relative_to(folder))])


def _answers(folder: Path, inputs: list[Any]) -> list[tuple[str, int, bytes]]:
    with ExpertRuntime(folder) as runtime:
        golden.check(runtime)
        answers = [runtime.predict(example) for example in inputs]
        return [(one.label, one.expert, one.scores.tobytes()) for one in answers]


def _outcome(folder: Path, inputs: list[Any], expected: list[tuple[str, int, bytes]]) -> str:
    """What came of it, and in one line why."""
    try:
        with ExpertRuntime(folder) as runtime:
            outcome = "right"
            for example, right in zip(inputs, expected, strict=True):
                answer = runtime.predict(example)
                if getattr(answer, "degraded", False):  # another expert answered, and says so
                    outcome = "degraded"
                elif (answer.label, answer.expert, answer.scores.tobytes()) != right:
                    return f"wrong {answer} instead of {right[:2]}"
            golden.check(runtime)
            return outcome
    except EdgeExpertsError as error:
        return f"refused {type(error).__name__}"
    except Exception:
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
