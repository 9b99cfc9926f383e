"""Generated networks beside Keras: each file agrees, or is refused with a reason."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.bundle import ROUTER, expert_path
from edge_experts.errors import ThresholdError
from edge_experts.run_folder import MODEL
from edge_experts.runtime.answer import softmax
from edge_experts.training.inference import predict

from .. import parity
from ..cache import Cache
from ..isolation import reason_of_end
from ..making import File, Making
from ..recipes import RECIPE_NAMES
from ..workers import Workers
from .answers import INTERPRETERS
from .networks import Case, generate

FLOAT_DIFFERENCE = 1e-4  # of scores, in float32
CONFIDENT = 0.2  # Keras's margin between its two best scores
EQUAL = 0.97  # of the labels of confident inputs, in all other recipes
_CALIBRATION = 300  # inputs, as many as convert takes of what an expert owns
_SECONDS = 600  # for the answers of a batch


@dataclass(frozen=True)
class Result:
    """What came of one network, in one recipe, on one interpreter."""

    seed: int
    network: str
    layers: tuple[str, ...]
    recipe: str
    interpreter: str  # "" where the converter refused
    outcome: str  # "agrees", "differs" or "refused"
    reason: str = ""
    confident: int = 0  # test inputs of which Keras is sure
    equal: float = 1.0  # the share of these with the same label
    difference: float = 0.0  # the largest of the scores

    def to_json(self) -> str:
        return json.dumps(self.__dict__)


def interpreters() -> list[str]:
    """Those that are installed here."""
    return [name for name, module in INTERPRETERS.items() if importlib.util.find_spec(module)]


def check(
    seeds: Sequence[int],
    folder: Path,
    workers: Workers,
    recipes: Callable[[int], Sequence[str]] = lambda seed: RECIPE_NAMES,
) -> Iterator[Result]:
    """Generate, convert and ask on every interpreter.

    Args:
        folder: an empty one.
        workers: processes that convert.
        recipes: for a seed; all of them by default.
    """
    asked: dict[Path, tuple[Case, File, np.ndarray]] = {}
    for seed in seeds:
        case = generate(seed)
        networks = {expert_path(i): one for i, one in enumerate(case.model.experts)}
        if case.model.router is not None:
            networks[ROUTER] = case.model.router
        test = {"x": case.data.test}
        made, failed = _converted(case, folder / str(seed), workers, recipes(seed))
        np.save(folder / f"{seed}.npy", case.data.test)
        wanted = {path: predict(network, test) for path, network in networks.items()}
        for file, reason in failed.items():
            yield _result(case, file, "", "refused", reason)
        asked |= {place: (case, file, wanted[file.path]) for file, place in made.items()}
    order = [[str(place), str(folder / f"{case.seed}.npy")] for place, (case, *_) in asked.items()]
    (folder / "asked.json").write_text(json.dumps(order))
    for name in interpreters():
        deaths = _ask(folder, name)
        for place, (case, file, wanted_) in asked.items():
            refused = Path(f"{place}.{name}.refused")
            if str(place) in deaths:
                # `convert` proves its files in such a process too, and refuses them then.
                yield _result(case, file, name, "refused", deaths[str(place)])
            elif refused.exists():
                yield _result(case, file, name, "refused", refused.read_text())
            else:
                yield _compared(case, file, name, wanted_, np.load(f"{place}.{name}.npy"))


def _converted(
    case: Case, run: Path, workers: Workers, recipes: Sequence[str]
) -> tuple[dict[File, Path], dict[File, str]]:
    """The files that could be made, and the reasons of the others."""
    job = run / "job"
    job.mkdir(parents=True)
    case.model.save(run / MODEL)
    making = Making(
        job,
        run,
        {"layout": "split", "top_k": 1, "second": False},
        {"x": case.data.known[:_CALIBRATION]},
        {"x": case.data.test[:16]},
        networks=len(case.layers),
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
    """Have all files asked; the reasons of those that ended the process, by file."""
    deaths: dict[str, str] = {}
    command = [sys.executable, "-m", "edge_experts.converters.generated.answers"]
    while True:
        try:
            done = subprocess.run(
                [*command, str(folder), name], capture_output=True, text=True, timeout=_SECONDS
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
        Path(f"{last}.{name}.refused").write_text(deaths[last])  # not to be asked again


def _compared(case: Case, file: File, name: str, wanted: np.ndarray, answers: np.ndarray) -> Result:
    ours, keras = (np.array([softmax(row) for row in rows]) for rows in (answers, wanted))
    best = np.sort(keras, axis=1)
    sure = best[:, -1] - best[:, -2] >= CONFIDENT
    equal = float(np.mean((ours.argmax(1) == keras.argmax(1))[sure])) if sure.any() else 1.0
    difference = float(np.max(np.abs(ours - keras)))
    outcome, reason = "agrees", ""
    if file.recipe == "float32":
        outcome = "agrees" if difference <= FLOAT_DIFFERENCE else "differs"
    elif equal < EQUAL:
        reason = _refusal(case, file, keras, ours)
        outcome = "refused" if reason else "differs"
    return _result(case, file, name, outcome, reason, int(sure.sum()), equal, difference)


def _refusal(case: Case, file: File, keras: np.ndarray, ours: np.ndarray) -> str:
    """What `convert` would say of so much lost accuracy; nothing where it would let it pass."""
    targets = case.data.test_targets
    if file.path == ROUTER:
        targets = targets % len(case.model.experts)
    nobody = np.zeros(len(targets), int)
    try:
        parity.compare(keras, nobody, ours, nobody, targets).refuse_beyond(None)
    except ThresholdError as error:
        return str(error)
    return ""


def _result(
    case: Case,
    file: File,
    name: str,
    outcome: str,
    reason: str,
    confident: int = 0,
    equal: float = 1.0,
    difference: float = 0.0,
) -> Result:
    return Result(
        case.seed,
        file.network,
        (case.data.kind, *case.layers[file.network]),
        file.recipe,
        name,
        outcome,
        reason,
        confident,
        equal,
        difference,
    )
