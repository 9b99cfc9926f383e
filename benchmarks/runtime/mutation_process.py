"""Child process that damages a bundle: `python -m benchmarks.runtime.mutation_process ...`.

Its arguments are BUNDLE START STOP SEED. For each mutation from START up to STOP it prints the kind
of mutation before it runs the damaged bundle, and a line with the outcome afterwards, so that the
parent knows which mutation ended the process.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.errors import EdgeExpertsError
from edge_experts.features import Features, encode_all
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden
from edge_experts.runtime.answer import Predictions

from .accidents import MUTATIONS, edit_manifest


def lines(bundle: Path, start: int, stop: int, seed: int) -> Iterator[str]:
    """Try the mutations on a copy of the bundle; yield each kind, then its outcome."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        shutil.copytree(bundle, folder)
        paths = [MANIFEST, *(entry.path for entry in read_manifest(folder).files)]
        intact = {path: (folder / path).read_bytes() for path in paths}
        whole = _IntactAnswers(folder)
        for number in range(start, stop):
            dice = random.Random(f"{seed}:{number}")
            mutation = dice.choice(MUTATIONS)
            path, other = (folder / one for one in dice.sample(paths, 2))
            if mutation is edit_manifest:
                path = folder / MANIFEST
            yield mutation.__name__
            mutation(dice, path, other)
            yield _outcome(folder, whole, number)
            for one in (path, other):
                one.write_bytes(intact[str(one.relative_to(folder))])


class _IntactAnswers:
    """Answers of the intact bundle in `folder` to its golden examples."""

    def __init__(self, folder: Path):
        with ExpertRuntime(folder) as runtime:
            golden.check(runtime)
            self._features = runtime.features
            self.inputs = list(golden.read(folder).inputs)
            self._arrays = encode_all(self._features, self.inputs)
            self.answers = _asked(runtime, self.inputs, self._arrays)
        self.alone = _alone(folder, self._arrays)

    def arrays(self, features: Features) -> dict[str, np.ndarray]:
        """Encode the examples with these features; texts take longer than all the rest."""
        mine, theirs = self._features, features
        same = (mine.kind, mine.settings) == (theirs.kind, theirs.settings)
        if same and mine.arrays.keys() == theirs.arrays.keys():
            same = all(np.array_equal(mine.arrays[key], theirs.arrays[key]) for key in mine.arrays)
        return self._arrays if same else encode_all(features, self.inputs)

    def wrong(self, found: Predictions, row: int) -> bool:
        """True if an answer is neither the intact bundle's nor, degraded, another expert's.

        Degraded answers of several experts together are not checked.
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
    """Return the answers to examples, or to their features if these are sufficient."""
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
    """Return scores by expert without all other files; empty if several experts answer."""
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


def _outcome(folder: Path, whole: _IntactAnswers, number: int) -> str:
    """Outcome of one mutation, and the reason, in one line."""
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
            if found.degraded.any():  # which a check of golden examples refuses
                return "degraded"
            golden.check(runtime)
            return "right"
    except EdgeExpertsError as error:
        return f"refused {type(error).__name__}"
    except Exception:  # any other error class is a finding
        return "foreign " + " / ".join(traceback.format_exc().splitlines()[-3:])


def main() -> None:
    """Print the lines of the mutations that the command line names."""
    bundle, start, stop, seed = sys.argv[1:]
    for line in lines(Path(bundle), int(start), int(stop), int(seed)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
