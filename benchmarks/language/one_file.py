"""Time of a token in bundles of language models, beside one TFLite file of a dense network.

The file computes all layers in one call, with keys and values as inputs and outputs: the least that
a token costs with these kernels. Every measurement is of a new process with one thread; the same
tokens are given to all, one by one, as a text is written.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time_ns

import numpy as np

from edge_experts import ExpertRuntime, subprocesses
from edge_experts.errors import UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.progress import Progress
from edge_experts.runtime import interpreter
from edge_experts.runtime.tasks.language_model.language_model_task import LanguageModel
from edge_experts.runtime.tasks.language_model.network_settings import read_settings

_PASSES = 9  # over the tokens, in each process; the first one is not counted
_GIVEN = {"token", "position", "keys_0", "values_0"}  # inputs of every such file


@dataclass(frozen=True)
class TokenTime:
    """Result of the file or a bundle.

    Attributes:
        token_us: processor time of a token, in microseconds; median over rounds.
        speed: tokens per second beside those of the file: lowest, median and highest of rounds.
    """

    name: str
    token_us: float
    speed: tuple[float, float, float]


class StepFile:
    """A file of `converting.one_file_language`.

    Raises:
        UsageError: the file is no such model.
    """

    def __init__(self, path: Path):
        interpreter.prefer(("ai_edge_litert",))
        made = interpreter.interpreter_class()(str(path), num_threads=1)
        made.allocate_tensors()
        runner = made.get_signature_runner() if made.get_signature_list() else None
        if runner is None or not set(runner.get_input_details()) >= _GIVEN:
            raise UsageError(f"{path}: is no model that `synthetic-language --one-file` made")
        given, answered = runner.get_input_details(), runner.get_output_details()
        self._interpreter = made
        self._given = {name: made.tensor(one["index"]) for name, one in given.items()}
        self._answered = {name: made.tensor(one["index"]) for name, one in answered.items()}
        self._layers = range(int(answered["keys"]["shape"][0]))
        self.positions = int(given["keys_0"]["shape"][1])
        self.pieces = int(answered["logits"]["shape"][1])

    def logits(self, tokens: Sequence[int]) -> np.ndarray:
        """Compute the logits after each token of a text, (tokens, pieces) float32."""
        return np.array([self._next(token, place) for place, token in enumerate(tokens)])

    def _next(self, token: int, position: int) -> np.ndarray:
        # A view of a tensor must not outlive the statement: the interpreter refuses to run then.
        self._given["token"]()[0] = token
        self._given["position"]()[0] = position
        self._interpreter.invoke()
        for kind in ("keys", "values"):
            for layer in self._layers:
                self._given[f"{kind}_{layer}"]()[:, position] = self._answered[kind]()[layer]
        found: np.ndarray = self._answered["logits"]()[0].copy()
        return found


def measure(file: Path, bundles: Sequence[Path], rounds: int) -> list[TokenTime]:
    """Measure by turns, in `rounds` of them.

    Raises:
        ManifestError: a bundle is no language model.
        UsageError: it has another vocabulary.
    """
    contenders = [file, *bundles]
    positions, pieces = subprocesses.call(_size, file)
    for one in bundles:
        if read_settings(read_manifest(one)).pieces != pieces:
            raise UsageError(f"{one}: must have {pieces:,} tokens in its vocabulary, as the file")
    times: dict[Path, list[float]] = {one: [] for one in contenders}
    with Progress("Computing tokens", rounds * len(contenders)) as progress:
        for _ in range(rounds):
            for one in contenders:
                times[one].append(subprocesses.call(_token_us, one, positions, pieces))
                progress.step(one.name)
    found = []
    for one in contenders:
        speeds = sorted(a / b for a, b in zip(times[file], times[one], strict=True))
        middle = statistics.median(speeds)
        found.append(
            TokenTime(one.name, statistics.median(times[one]), (speeds[0], middle, speeds[-1]))
        )
    return found


def as_table(times: Sequence[TokenTime]) -> list[list[str]]:
    """Build one row for the file and each bundle."""
    rows = [
        [one.name, f"{one.token_us:.0f}", "{1:.2f} ({0:.2f} to {2:.2f})".format(*one.speed)]
        for one in times
    ]
    return [["", "token µs", "tokens per second, beside one file"], *rows]


def _size(file: Path) -> tuple[int, int]:
    made = StepFile(file)
    return made.positions, made.pieces


def _token_us(path: Path, positions: int, pieces: int) -> float:
    tokens = np.random.default_rng(0).integers(0, pieces, positions).tolist()
    if path.is_file():
        return _timed(StepFile(path).logits, tokens)
    with ExpertRuntime(path, context=positions, threads=1) as runtime:
        task = runtime.task
        assert isinstance(task, LanguageModel)
        return _timed(lambda given: task.logits(given, runtime.access, rows=1), tokens)


def _timed(logits: Callable[[Sequence[int]], np.ndarray], tokens: Sequence[int]) -> float:
    passes = []
    for _ in range(_PASSES):
        before = process_time_ns()
        logits(tokens)
        passes.append((process_time_ns() - before) / 1000 / len(tokens))
    return statistics.median(passes[1:])
