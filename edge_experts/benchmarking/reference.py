"""The reference loop: the shortest script with the answers of `ExpertRuntime.predict`.

Nothing is checked, nothing leaves memory and nobody is told where the time went. What the runtime
costs on top of this is what its safety costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import features
from ..format.expert_names import languages
from ..format.manifest import TRUNK
from ..runtime.interpreter import interpreter_class, remembers
from ..runtime.tasks.translation.beam_search import ENCODE, STEP, Text, no_text, write
from ..runtime.tasks.translation.task import named

Arrays = dict[str, np.ndarray]


def reference_loop(bundle: Path, threads: int = 1) -> Callable[[Any], str]:
    """A function from an example to its answer's text, for bundles that ask one expert.

    Their models must take floats.
    """
    manifest = json.loads((bundle / "manifest.json").read_text())
    spec = manifest["features"]
    arrays = dict(np.load(bundle / spec["file"]["path"])) if spec["file"] else {}
    restored: Any = features.restore(spec["kind"], spec["config"], arrays)
    encode = restored.encode
    labels, paths = manifest["labels"], [bundle / entry["path"] for entry in manifest["experts"]]
    router = bare(bundle / manifest["router"]["path"], threads) if manifest["router"] else None
    if manifest.get("generation"):
        writers = [bare_writer(path, len(languages(labels)), threads) for path in paths]
        return _writing(encode, router, writers, restored.text)
    experts = [bare(path, threads) for path in paths]

    def answer(example: Any) -> str:
        arrays = encode(example)
        pick = 0
        if router:
            gate, *trunk = router(arrays)
            pick = int(gate.argmax())
            if trunk:
                arrays[TRUNK] = trunk[0]
        label: str = labels[experts[pick](arrays)[0].argmax()]
        return label

    return answer


def _writing(
    encode: Callable[[Any], Arrays],
    router: Callable[[Arrays], list[np.ndarray]] | None,
    experts: Sequence[Callable[[Arrays], Text]],
    spell: Callable[[list[int]], str],
) -> Callable[[Any], str]:
    """The same where experts write, and an example names who may."""

    def answer(example: Any) -> str:
        arrays, pick = encode(example), 0
        if len(experts) > 1:
            pick = int(named(arrays, router(arrays)[0] if router else None).argmax())
        return spell(experts[pick](arrays).pieces.tolist())

    return answer


def bare_writer(
    path: Path, targets: int, threads: int = 1, **options: Any
) -> Callable[[Arrays], Text]:
    """What a file writes, by an interpreter that is built with these options."""
    interpreter = _built(path, threads, options)
    runners = {name: interpreter.get_signature_runner(name) for name in (ENCODE, STEP)}
    past = tuple(runners[STEP].get_input_details()["past_keys"]["shape"].tolist())
    never = no_text(targets)
    return lambda arrays: write(lambda name, given: runners[name](**given), arrays, past, never)


def bare(path: Path, threads: int = 1, **options: Any) -> Callable[[Arrays], list[np.ndarray]]:
    """A file's outputs for named inputs, by an interpreter that is built with these options."""
    interpreter = _built(path, threads, options)
    inputs = [
        (details["index"], details["name"].removeprefix("serving_default_").split(":")[0])
        for details in interpreter.get_input_details()
    ]
    outputs = [details["index"] for details in interpreter.get_output_details()]
    recurrent = remembers(interpreter)

    def ask(arrays: Arrays) -> list[np.ndarray]:
        for index, name in inputs:
            interpreter.set_tensor(index, arrays[name])
        if recurrent:
            interpreter.reset_all_variables()
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in outputs]

    return ask


def _built(path: Path, threads: int, options: dict[str, Any]) -> Any:
    interpreter = interpreter_class()(model_path=str(path), num_threads=threads, **options)
    interpreter.allocate_tensors()
    return interpreter
