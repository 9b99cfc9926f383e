"""Trial conversion of untrained networks, before a training spends time on them."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
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
Trial = Callable[[SparseExperts, Arrays, Mapping[str, str]], None]


@dataclass(frozen=True)
class TrialProcesses:
    """Processes that convert, and that run files on the interpreter; reused by several trials."""

    converters: Workers
    interpreters: Workers


def try_conversion(model: SparseExperts, inputs: Arrays, options: Mapping[str, str]) -> None:
    """Convert networks to float32 and int8, and run the files on this machine's interpreter.

    Prints a warning if only int8 fails, with a recipe that works.

    Args:
        model: untrained.
        inputs: some encoded examples, (examples, ...).
        options: names of the networks to try for errors, by their path in a bundle.

    Raises:
        UsageError: a network does not convert to float32, or answers differently from Keras.
    """
    with ExitStack() as opened:
        job = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        processes = TrialProcesses(
            opened.enter_context(Workers(job, 1)), opened.enter_context(answer_workers(job))
        )
        trial_by(processes)(model, inputs, options)


def answer_workers(job: Path) -> Workers:
    """Return a process that runs files on the interpreter, see process/answer_worker.py."""
    return Workers(job, 1, "edge_experts.converters.process.answer_worker")


def trial_by(processes: TrialProcesses) -> Trial:
    """Return `try_conversion` with running processes."""

    def trial(model: SparseExperts, inputs: Arrays, options: Mapping[str, str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            TriedConversion(Path(folder), model, inputs, options, processes).refuse()

    return trial


class TriedConversion:
    """Conversion of networks of one model, and the answers of the files.

    Args:
        folder: an empty one.
        inputs, options: as for `try_conversion`.

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

    def refuse(self) -> None:
        """Raise or warn as `try_conversion` does."""
        found = self.failures(("float32", DEFAULT))
        for file, reason in found.items():
            if file.recipe == "float32":
                raise UsageError(
                    f"{self._options[file.path]}: it cannot be converted, so training it would be "
                    f"of no use: {reason}"
                )
        if found:
            working = [each for each in _OTHERS if not self.failures([each])] + ["float32"]
            for file, reason in found.items():
                print(
                    f"Warning: {self._options[file.path]}: it cannot be converted to {DEFAULT}, "
                    f"the default: {reason}; convert with --quantization {working[0]}",
                    file=sys.stderr,
                )

    def failures(self, recipes: Sequence[str]) -> dict[File, str]:
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
