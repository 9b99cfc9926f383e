"""Expected answers of a board, to the bit: `python -m edge_experts.benchmarking.expected ...`.

They are made on the host with TFLite's reference kernels, plain loops that define each operator
(tensorflow/lite/kernels/internal/reference). The file is copied to the board with the bundle, and
device_tests compare the board with it: its features, its interpreter's reference kernels, and the
kernels of its answers. The latter sometimes round differently, by one step of an integer. Generated
text is compared token by token.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BundleError, UsageError
from ..features import Features, encode_all, read_features
from ..format.atomic import write_whole
from ..format.manifest import Manifest
from ..format.manifest_parser import read_manifest
from ..format.npz import npz, plain_arrays
from ..runtime import ExpertRuntime, interpreter
from ..runtime.interpreter import Delegate
from .tasks import measurements_of

if TYPE_CHECKING:
    from ..datasets import Dataset

_FEATURES = "features_"
_ROUNDING = 1e-5  # of the last float; a step of an int8 answer is some hundred times as much


@dataclass(frozen=True)
class Agreement:
    """Number of examples that differ at each stage.

    Attributes:
        features: examples whose features differ in a bit; `largest_feature`: the largest
            difference.
        reference: examples that differ in a bit of the models' outputs by the reference kernels.
        default: examples that differ in an integer by the runtime's kernels (or in a real number by
            more than its rounding).
        other_experts: examples that another expert answers by the runtime's kernels.
        other_labels: examples with another label or text by the runtime's kernels.
        largest_output: largest difference of the outputs, for the same expert and the same text.
        fingerprint: of all outputs, to compare two boards.
    """

    examples: int
    features: int
    largest_feature: float
    reference: int
    default: int
    other_experts: int
    other_labels: int
    largest_output: float
    fingerprint: str


def expect(bundle: Path, examples: Sequence[Any]) -> dict[str, np.ndarray]:
    """Compute the features of examples and the reference kernels' outputs, by name.

    Raises:
        UsageError: several experts answer an example together, which is not supported.
        BundleError: the bundle is not usable.
    """
    manifest = read_manifest(bundle)
    if not manifest.asks_one:
        raise UsageError(f"{bundle}: expected answers require a bundle that runs one expert only")
    features = read_features(bundle, manifest.features)
    arrays = encode_all(features, examples)
    return {
        "digest": _text(manifest.digest),
        "interpreter": _text(_interpreter()),
        "inputs": features.pack(examples),
        **{_FEATURES + name: array for name, array in arrays.items()},
        **_answers(bundle, arrays, "reference"),
    }


def compare(bundle: Path, expected: Path) -> Agreement:
    """Compare this machine's features and kernels with the file.

    Raises:
        BundleError: the file was made for another bundle or interpreter, or is not such a file.
    """
    manifest = read_manifest(bundle)
    stored = _read(expected, bundle, manifest)
    arrays = {
        name.removeprefix(_FEATURES): array
        for name, array in stored.items()
        if name.startswith(_FEATURES)
    }
    features = read_features(bundle, manifest.features)
    made = encode_all(features, features.unpack(stored["inputs"]))
    apart = np.max([_apart(made[name], array) for name, array in arrays.items()], axis=0)
    plain = _answers(bundle, arrays, "reference")
    usual = _answers(bundle, arrays, "xnnpack")
    other_expert = usual["expert"] != stored["expert"]
    choices = measurements_of(manifest.task_type).choices
    other = _apart(choices(usual), choices(stored)) > 0
    # Probabilities of other tokens are not compared.
    output, alike = "output", ~other_expert
    if "chances" in usual:
        output, alike = "chances", alike & ~other
    outputs = _apart(usual[output], stored[output])
    return Agreement(
        examples=len(apart),
        features=int(np.count_nonzero(apart)),
        largest_feature=float(apart.max()),
        reference=_differ(plain, stored, 0),
        default=_differ(usual, stored, _ROUNDING),
        other_experts=int(np.count_nonzero(other_expert)),
        other_labels=int(np.count_nonzero(other)),
        largest_output=float(outputs[alike].max(initial=0)),
        fingerprint=hashlib.sha256(usual.get("bits", usual[output]).tobytes()).hexdigest()[:16],
    )


def _answers(
    bundle: Path, arrays: Mapping[str, np.ndarray], delegate: Delegate
) -> dict[str, np.ndarray]:
    """Record all outputs of the models, by name, (examples, ...)."""
    with ExpertRuntime(bundle, strict=True, delegate=delegate) as runtime:
        return measurements_of(runtime.task.name).record(runtime, arrays, delegate)


def _read(expected: Path, bundle: Path, manifest: Manifest) -> dict[str, np.ndarray]:
    """Read the file's arrays and check that they belong to the bundle."""
    try:
        stored = plain_arrays(expected.read_bytes())
    except ValueError as error:
        raise BundleError(f"{expected}: not a file of expected answers: {error}") from None
    if not np.array_equal(stored.get("digest", ()), _text(manifest.digest)):
        raise BundleError(f"{expected}: was made for another bundle than {bundle}")
    if not np.array_equal(stored["interpreter"], _text(_interpreter())):
        raise BundleError(
            f"{expected}: was made with another interpreter, whose reference kernels round "
            f"differently; make it with {interpreter.CHOICE}={_interpreter()}"
        )
    return stored


def _apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Compute the largest difference in each example."""
    one, other = one.astype(np.float64), other.astype(np.float64)
    difference = np.subtract(one, other, where=one != other, out=np.zeros(one.shape))  # inf - inf
    return np.asarray(np.abs(difference).reshape(len(one), -1).max(axis=1, initial=0))


def _differ(found: Mapping[str, np.ndarray], stored: Mapping[str, np.ndarray], above: float) -> int:
    """Count the examples whose gate, output or bits differ by more than `above`."""
    names = [name for name in ("gate", "output", "bits") if len(found.get(name, ()))]
    pairs = [_apart(found[name], stored[name]) for name in names]
    return int(np.count_nonzero(np.max(pairs, axis=0) > above))


def _text(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("ascii"), np.uint8)


def _interpreter() -> str:
    return interpreter.description()["interpreter"]


def _examples(dataset: Dataset, features: Features, every: int, count: int) -> list[Any]:
    """Select `count` test examples, the first of each `every`, without those features refuse."""

    def fits(example: Any) -> bool:
        try:
            features.encode(example)
        except UsageError:  # a sentence that is too long, for instance
            return False
        return True

    return list(islice(filter(fits, dataset.asked(dataset.test)[::every]), count))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", help="the host's part: whose test examples to answer")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--every", type=int, default=1, help="take every N-th of them")
    parser.add_argument("--out", type=Path, help="where to, an .npz file")
    parser.add_argument("--check", type=Path, help="the board's part: the file to compare with")
    asked = parser.parse_args(arguments)
    if asked.check is not None:
        found = compare(asked.bundle, asked.check)
        print(json.dumps({"schema_version": "1.0", **asdict(found)}, indent=2))
        return
    if asked.data is None or asked.out is None:
        parser.error("give --data and --out to make a file, or --check to compare with one")
    from ..datasets import load

    manifest = read_manifest(asked.bundle)
    features = read_features(asked.bundle, manifest.features)
    dataset = load(asked.data, task_type=manifest.task_type)
    examples = _examples(dataset, features, asked.every, asked.count)
    write_whole(asked.out, npz(**expect(asked.bundle, examples)))
    print(f"{asked.out}: {len(examples):,} examples of {asked.data}", file=sys.stderr)


if __name__ == "__main__":
    main()
