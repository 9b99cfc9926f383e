"""Program whose instructions are counted, on an emulated board: `counting.py NAME=BUNDLE ...`.

It makes a system call between the parts of its work, at each of which the emulator records the
number of executed instructions, and prints the difference between two of them.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import ExpertRuntime
from edge_experts.benchmarking.reference_loop import reference_loop
from edge_experts.features import TextFeatures
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.tasks.language_model.continuation import Prompt

_EXAMPLES, _ROUNDS = 16, 2
_WARM = 4  # rounds in which Python 3.11 specializes its byte code
_EMPTY = 50
_SENTENCES = (
    "a film to remember for its warmth and its quiet humour",
    "the battery died after two days and nobody answered my letters",
    "good value",
    "i have never waited so long for food this bland, and the waiter forgot half of it anyway",
)
_PROMPT = "to open a document choose file and then click the name of the document in the list {}"
_TOKENS, _PROMPTS = 32, 3
_names: list[tuple[str, int]] = []


def mark(name: str, parts: int = 1) -> None:
    """Attribute the instructions executed since the last mark to `name`, in equal parts."""
    os.getppid()
    _names.append((name, parts))


def text_features() -> None:
    """Convert sentences to features, with buckets for their words."""
    features = TextFeatures.fit(_SENTENCES, np.arange(len(_SENTENCES)) % 2)
    for sentence in _SENTENCES * _WARM:
        features.encode(sentence)
    for _ in range(_ROUNDS):
        for sentence in _SENTENCES:
            mark("")
            features.encode(sentence)
            mark("text features")


def answers(name: str, bundle: Path) -> None:
    """Run the parts of an answer, a warm answer as a whole, and one by the reference loop."""
    examples = golden.read(bundle).inputs[:_EXAMPLES]
    with ExpertRuntime(bundle, strict=True) as runtime:
        for example in [*examples] * _WARM:
            runtime.predict(example)
        for example in examples:
            runtime.release()  # so that it must be loaded
            mark("")
            arrays = runtime.features.encode(example)
            mark(f"{name}/features")
            _, (pick,) = runtime.task.pick(arrays, runtime.access)
            mark(f"{name}/route" if runtime.manifest.router is not None else "")
            expert = runtime._experts.hold(pick)
            mark(f"{name}/load")
            expert(arrays)
            mark(f"{name}/first invoke")
            expert(arrays)
            mark("")
            expert(arrays)
            mark(f"{name}/invoke")
            runtime._experts.free(expert)
        for _ in range(_ROUNDS):
            for example in examples:
                mark("")
                runtime.predict(example)
                mark(f"{name}/answer")
    ask = reference_loop(bundle)
    for example in [*examples] * _WARM:
        ask(example)
    for _ in range(_ROUNDS):
        for example in examples:
            mark("")
            ask(example)
            mark(f"{name}/reference loop")


def texts(name: str, bundle: Path) -> None:
    """Read prompts of a language model, and continue them with all experts in memory."""
    with ExpertRuntime(bundle, strict=True) as runtime:
        for number in range(_WARM + _PROMPTS):
            prompt = _PROMPT.format(number)[number:]  # that begins with no earlier one's tokens
            mark("")
            read: Any = runtime.predict(Prompt(prompt, 0))
            mark("" if number < _WARM else f"{name}/token of a prompt", read.prompt_tokens)
            answer: Any = runtime.predict(Prompt(prompt, _TOKENS))
            mark("" if number < _WARM else f"{name}/token", answer.tokens)


def main() -> None:
    """Count everything, without the garbage collector, which would run at irregular times."""
    gc.disable()
    for _ in range(_EMPTY):
        mark("nothing")
    text_features()
    for argument in sys.argv[1:]:
        name, path = argument.split("=", 1)
        counted = texts if read_manifest(Path(path)).layers else answers
        counted(name, Path(path))
    print(json.dumps(_names))


if __name__ == "__main__":
    main()
