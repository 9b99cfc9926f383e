"""Translation: experts generate text, token by token."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...features import PieceFeatures
from ...format.checked_files import read_checked
from ...format.expert_names import languages
from ...progress import Progress
from ...runtime import ExpertRuntime
from ...runtime.batch import examples_of
from ...runtime.interpreter import Delegate
from ...runtime.tasks.translation.beam_search import ENCODE, STEP, Text, no_text, write
from ...runtime.tasks.translation.signatures import Functions
from ...runtime.tasks.translation.task import named
from ..bare import Arrays, Files, built

AGREEMENT = "edge_experts.benchmarking.expected"


def reference_loop(files: Files) -> Callable[[Any], str]:
    encode, spell, router = files.features.encode, files.features.text, files.router
    targets = len(languages(files.manifest.labels))
    experts = [_writer(path, targets, files.threads) for path in files.expert_paths]

    def answer(example: Any) -> str:
        arrays, pick = encode(example), 0
        if len(experts) > 1:
            pick = int(named(arrays, router(arrays)[0] if router else None).argmax())
        text: str = spell(experts[pick](arrays).pieces.tolist())
        return text

    return answer


def spelled(files: Files, answer: str) -> str:
    return answer


def _writer(path: Path, targets: int, threads: int) -> Callable[[Arrays], Text]:
    """Create a function to a file's generated text, by an interpreter of its own."""
    interpreter = built(path, threads, {})
    runners = {name: interpreter.get_signature_runner(name) for name in (ENCODE, STEP)}
    past = tuple(runners[STEP].get_input_details()["past_keys"]["shape"].tolist())
    never = no_text(targets)
    return lambda arrays: write(lambda name, given: runners[name](**given), arrays, past, never)


def record(
    runtime: ExpertRuntime, arrays: Mapping[str, np.ndarray], delegate: Delegate
) -> dict[str, np.ndarray]:
    """Record the expert, its tokens, their log probabilities, and a digest of all outputs.

    They are `expert`, `pieces`, (examples, max tokens) padded with -1, `chances`, and `bits`.
    """
    folder, manifest, features = runtime.folder, runtime.manifest, runtime.features
    assert isinstance(features, PieceFeatures)
    never = no_text(len(features.targets))

    @functools.cache
    def functions(expert: int) -> Functions:
        entry = manifest.experts[expert]
        content = read_checked(folder, entry)
        return Functions(content, entry.path, (ENCODE, STEP), delegate=delegate)

    rows: dict[str, list[Any]] = {"expert": [], "pieces": [], "chances": [], "bits": []}
    examples = list(examples_of(arrays))
    with Progress(f"{delegate} kernels", len(examples)) as progress:
        for one in examples:
            gate, (expert, *_) = runtime.task.pick(one, runtime.access)
            asked = functions(expert)
            bits = hashlib.sha256(b"" if gate is None else gate.tobytes())
            text = write(_noted(asked, bits), one, asked.inputs(STEP)["past_keys"], never)
            rows["expert"].append(expert)
            for name, values, rest in (
                ("pieces", text.pieces, -1),
                ("chances", np.exp(text.log_probabilities), 0),
            ):
                room = asked.inputs(STEP)["past_keys"][2] - len(values)
                rows[name].append(np.pad(values, (0, room), constant_values=rest))
            rows["bits"].append(np.frombuffer(bits.digest(), np.uint8))
            progress.step()
    return {name: np.array(values) for name, values in rows.items()}


def _noted(functions: Functions, bits: Any) -> Callable[[str, Mapping[str, np.ndarray]], Any]:
    """Wrap the functions so that all results are added to a digest."""

    def ask(name: str, given: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        made = functions(name, given)
        for key in sorted(made):
            bits.update(made[key].tobytes())
        return made

    return ask


def choices(recorded: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the tokens, (examples, max tokens)."""
    return recorded["pieces"]
