"""Trial conversion of untrained networks, before a training spends time on them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts import run_folder
from edge_experts.errors import ConversionError, UsageError
from edge_experts.format.manifest import ROUTER
from edge_experts.format.npz import npz
from edge_experts.training.inference import predict
from edge_experts.training.model import SparseExperts, gate_of

from .network_files import File, Making, Workload
from .process.cache import Cache
from .process.order import Order
from .process.pool import Workers

DEFAULT = "int8"  # the recipe of `convert` without an option
_OTHERS = ("dynamic", "float16")  # to suggest in its place, after float32
DIFFERENCE = 1e-3  # of float32 files from Keras, relative to the largest output, or to 1

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class TrialProcesses:
    """Processes that convert, and that run files on the interpreter; reused by several trials."""

    converters: Workers
    interpreters: Workers


class ConversionTrial:
    """Conversion of untrained networks to float32 and a recipe, run on this machine's interpreter.

    Attributes:
        recipe: the recipe to convert with after the training; another one than asked for if that
            fails.

    Args:
        recipe: recipe of the conversion.
        required: True if a failure of that recipe is an error too. Otherwise it is a warning that
            names a recipe that works.
    """

    def __init__(self, recipe: str = DEFAULT, *, required: bool = False):
        self.recipe, self._required = recipe, required

    def __call__(self, model: SparseExperts, inputs: Arrays, options: Mapping[str, str]) -> None:
        """Try the networks.

        Args:
            model: untrained.
            inputs: some encoded examples, (examples, ...).
            options: names of the networks to try for errors, by their path in a bundle.

        Raises:
            UsageError: a network cannot be converted, or answers differently from Keras.
        """
        with ExitStack() as opened:
            job = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            processes = TrialProcesses(
                opened.enter_context(Workers(job, 1)), opened.enter_context(answer_workers(job))
            )
            self.run(model, inputs, options, processes)

    def run(
        self,
        model: SparseExperts,
        inputs: Arrays,
        options: Mapping[str, str],
        processes: TrialProcesses,
    ) -> None:
        """Try the networks with running processes."""
        with tempfile.TemporaryDirectory() as folder:
            tried = TriedConversion(Path(folder), model, inputs, options, processes)
            self.recipe = tried.working(self.recipe, required=self._required)


def answer_workers(job: Path) -> Workers:
    """Return a process that runs files on the interpreter, see process/answer_worker.py."""
    return Workers(job, 1, "edge_experts.converters.process.answer_worker")


class TriedConversion:
    """Conversion of networks of one model, and the answers of the files.

    Args:
        folder: an empty one.
        inputs, options: as for `ConversionTrial`.

    Raises:
        UsageError: a process of conversions cannot load the model.
    """

    def __init__(
        self,
        folder: Path,
        model: SparseExperts,
        inputs: Arrays,
        options: Mapping[str, str],
        processes: TrialProcesses,
    ):
        self._folder, self._model, self._options = folder, model, options
        self._inputs, self._seen = inputs, model.expert_inputs(inputs)
        self._processes = processes
        model.save(folder / run_folder.MODEL)
        job = folder / "job"
        job.mkdir()
        self._making = Making(
            job,
            folder,
            Workload(Order(), inputs, inputs, networks=len(options)),
            kept=Cache(None),
            workers=processes.converters,
        )
        try:
            self._making.prepare()
        except ConversionError as error:
            raise UsageError(f"{' and '.join(options.values())}: {error}") from None

    def working(self, recipe: str, *, required: bool) -> str:
        """Return the recipe, or another one that works; see `ConversionTrial`."""
        found = self.failures(dict.fromkeys(("float32", recipe)))
        for file, reason in found.items():
            if file.recipe == "float32" or required:
                raise UsageError(
                    f"{self._options[file.path]}: it cannot be converted to {file.recipe}, so "
                    f"training it would be of no use: {reason}"
                )
        if not found:
            return recipe
        working = next((each for each in _OTHERS if not self.failures([each])), "float32")
        for file, reason in found.items():
            print(
                f"Warning: {self._options[file.path]}: it cannot be converted to {recipe}, the "
                f"default: {reason}; convert with --quantization {working}",
                file=sys.stderr,
            )
        return working

    def failures(self, recipes: Iterable[str]) -> dict[File, str]:
        """Return files that cannot be made or run, or are wrong; with the reasons."""
        files = [File(path, recipe) for recipe in recipes for path in self._options]
        self._making.make(files, "Trying the conversion")
        failed = {file: each for file, each in self._making.failed.items() if file in files}
        made = [file for file in files if file not in failed]
        return failed | self._wrong(made)

    def _wrong(self, files: list[File]) -> dict[File, str]:
        tasks = []
        for number, file in enumerate(files):
            inputs = self._folder / f"inputs-{number}.npz"
            given = self._inputs if file.path == ROUTER else self._seen
            inputs.write_bytes(npz(**given))
            tasks.append(
                {
                    "do": "convert",
                    "file": str(self._making.place(file)),
                    "inputs": str(inputs),
                    "out": str(self._folder / f"answers-{number}.npz"),
                }
            )
        failed = self._processes.interpreters.run(tasks)
        reasons = {files[place]: reason for place, reason in failed.items()}
        for place, file in enumerate(files):
            if place not in failed:
                with np.load(str(tasks[place]["out"])) as stored:
                    reason = self._difference(file, stored["answers"])
                if reason:
                    reasons[file] = reason
        return reasons

    def _difference(self, file: File, answers: np.ndarray) -> str:
        """Describe how answers are wrong; empty if they are not."""
        if not np.isfinite(answers).all():
            return "the converted file answers with numbers that are not finite"
        if file.recipe != "float32":
            return ""  # its rounding is judged after the training, on many examples
        if file.path == ROUTER:
            assert self._model.router is not None
            wanted = predict(gate_of(self._model.router), self._inputs)
        else:
            wanted = predict(self._model.experts[0], self._seen)
        difference = float(np.max(np.abs(answers - wanted)))
        if difference <= DIFFERENCE * max(1.0, float(np.max(np.abs(wanted)))):
            return ""
        return f"the converted file's answers differ from Keras's by {difference:.2g}"
