"""Comparison of generated networks with Keras: each file agrees, or is refused with a reason."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_experts.converters.network_files import File, Making, Workload
from edge_experts.converters.process.cache import Cache
from edge_experts.converters.process.child_process import reason_of_end
from edge_experts.converters.process.order import Order
from edge_experts.converters.process.pool import Workers
from edge_experts.converters.recipes import RECIPE_NAMES
from edge_experts.converters.verify import parity

from edge_experts.errors import ThresholdError
from edge_experts.format.manifest import ROUTER, expert_path
from edge_experts.run_folder import MODEL
from edge_experts.runtime.answer import softmax
from edge_experts.training.inference import predict

from .answer_process import INTERPRETERS
from .random_networks import Case, generate

FLOAT_DIFFERENCE = 1e-4  # of scores, in float32
_ASKED = 200  # inputs of each file
_SECONDS = 600  # for the answers of a batch


@dataclass(frozen=True)
class Result:
    """Outcome of one network, in one recipe, on one interpreter."""

    seed: int
    network: str
    layers: tuple[str, ...]
    recipe: str
    interpreter: str  # "" if the converter refused
    outcome: str  # "agrees", "differs" or "refused"
    reason: str = ""
    confident: int = 0  # inputs that Keras is confident of; see parity.py
    equal: float = 1.0  # the share of these with the same label
    difference: float = 0.0  # the largest of the scores

    def to_json(self) -> str:
        return json.dumps(self.__dict__)


def interpreters() -> list[str]:
    """List the interpreters that are installed here."""
    return [name for name, module in INTERPRETERS.items() if importlib.util.find_spec(module)]


def check(
    seeds: Sequence[int],
    folder: Path,
    workers: Workers,
    recipes: Callable[[int], Sequence[str]] = lambda seed: RECIPE_NAMES,
) -> Iterator[Result]:
    """Generate and convert networks, and run them on every interpreter.

    Args:
        folder: an empty one.
        workers: processes that convert.
        recipes: for a seed; all of them by default.
    """
    asked: dict[Path, tuple[Case, File, _Questions]] = {}
    for seed in seeds:
        case = generate(seed)
        made, failed = _converted(case, folder / str(seed), workers, recipes(seed))
        for file, reason in failed.items():
            yield _result(case, file, "", "refused", reason)
        questions = _questions(case, folder / str(seed))
        asked |= {place: (case, file, questions[file.path]) for file, place in made.items()}
    order = [[str(place), str(questions.inputs)] for place, (*_, questions) in asked.items()]
    (folder / "asked.json").write_text(json.dumps(order))
    for name in interpreters():
        deaths = _ask(folder, name)
        for place, (case, file, asked_of) in asked.items():
            refused = Path(f"{place}.{name}.refused")
            if str(place) in deaths:
                # `convert` proves its files in such a process too, and refuses them then.
                yield _result(case, file, name, "refused", deaths[str(place)])
            elif refused.exists():
                yield _result(case, file, name, "refused", refused.read_text(encoding="utf-8"))
            else:
                yield _compared(case, file, name, asked_of, np.load(f"{place}.{name}.npy"))


@dataclass(frozen=True)
class _Questions:
    """Inputs for the files of one network, and the expected answers."""

    inputs: Path  # an .npy file, (examples, ...)
    scores: np.ndarray  # Keras's, (examples, outputs)
    targets: np.ndarray  # (examples,)


def _questions(case: Case, folder: Path) -> dict[str, _Questions]:
    """Select inputs by the path of the network's files; experts get the inputs routed to them."""
    x, targets = case.data.test, case.data.test_targets
    experts, router = case.model.experts, case.model.router
    networks = {expert_path(index): (network, targets) for index, network in enumerate(experts)}
    rows = {path: np.arange(len(x)) for path in networks}
    if router is not None:
        owners = case.model.route({"x": x})
        rows = {path: np.flatnonzero(owners == index) for index, path in enumerate(networks)}
        networks[ROUTER], rows[ROUTER] = (router, targets % len(experts)), np.arange(len(x))
    found = {}
    for place, (path, (network, wanted)) in enumerate(networks.items()):
        own, inputs = rows[path][:_ASKED], folder / f"questions-{place}.npy"
        np.save(inputs, x[own])
        found[path] = _Questions(inputs, _scores(predict(network, {"x": x[own]})), wanted[own])
    return found


def _scores(logits: np.ndarray) -> np.ndarray:
    return np.array([softmax(row) for row in logits])


def _converted(
    case: Case, run: Path, workers: Workers, recipes: Sequence[str]
) -> tuple[dict[File, Path], dict[File, str]]:
    """Return the files that could be made, and the errors of the others."""
    job = run / "job"
    job.mkdir(parents=True)
    case.model.save(run / MODEL)
    making = Making(
        job,
        run,
        Workload(
            Order(), {"x": case.data.known}, {"x": case.data.test[:16]}, networks=len(case.layers)
        ),
        kept=Cache(None),
        workers=workers,
    )
    with making:
        making.prepare()
        files = [File(path, recipe) for path in making.paths for recipe in recipes]
        making.make(files, f"Network {case.seed}")
    places = {file: making.place(file) for file in files if file not in making.failed}
    return places, making.failed


def _ask(folder: Path, name: str) -> dict[str, str]:
    """Run all files; return the errors of those that ended the process, by file."""
    deaths: dict[str, str] = {}
    command = [sys.executable, "-m", "benchmarks.converting.generated.answer_process"]
    while True:
        try:
            done = subprocess.run(
                [*command, str(folder), name],
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_SECONDS,
            )
            code, output, log = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as error:
            code, output, log = 1, (error.stdout or b"").decode(), "it does not end"
        if not code:
            return deaths
        if not output:
            raise RuntimeError(log)
        last = output.splitlines()[-1]
        deaths[last] = reason_of_end(code, log)
        Path(f"{last}.{name}.refused").write_text(
            deaths[last], encoding="utf-8"
        )  # not to be run again


def _compared(case: Case, file: File, name: str, asked: _Questions, answers: np.ndarray) -> Result:
    """Judge answers as `convert` does, and those in float32 by every score."""
    nobody = np.zeros(len(answers), int)
    found = parity.compare(asked.scores, nobody, _scores(answers), nobody, asked.targets)
    outcome, reason = "agrees", ""
    if file.recipe == "float32":
        agrees = found.largest_score_difference <= FLOAT_DIFFERENCE
        outcome = "agrees" if agrees else "differs"
    elif found.equal_confident < parity.EQUAL:
        reason = _refusal(found)
        outcome = "refused" if reason else "differs"
    return _result(case, file, name, outcome, reason, found)


def _refusal(found: parity.LabelParity) -> str:
    """Return the reason for which `convert` would refuse such a file; empty if it would not."""
    try:
        found.refuse_beyond(None)
        found.refuse_disagreement()
    except ThresholdError as error:
        return str(error)
    return ""


def _result(
    case: Case,
    file: File,
    name: str,
    outcome: str,
    reason: str,
    found: parity.LabelParity | None = None,
) -> Result:
    compared: tuple[int, float, float] = (0, 1.0, 0.0)
    if found is not None:
        compared = (found.confident, found.equal_confident, found.largest_score_difference)
    kinds = (case.data.kind, *case.layers[file.network])
    return Result(case.seed, file.network, kinds, file.recipe, name, outcome, reason, *compared)
