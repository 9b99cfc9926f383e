"""The reference loop: the shortest script with the answers of `ExpertRuntime.predict`.

Nothing is checked, nothing leaves memory and nobody is told where the time went. What the runtime
costs on top of this is what its safety costs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import features
from ..bundle import TRUNK
from ..runtime.interpreter import interpreter_class, remembers


def reference_loop(bundle: Path, threads: int = 1) -> Callable[[Any], str]:
    """A function from an example to its label, for bundles that ask one expert.

    Their models must take floats.
    """
    manifest = json.loads((bundle / "manifest.json").read_text())
    spec = manifest["features"]
    arrays = dict(np.load(bundle / spec["file"]["path"])) if spec["file"] else {}
    encode = features.restore(spec["kind"], spec["config"], arrays).encode
    labels = manifest["labels"]
    experts = [_ask(bundle / entry["path"], threads) for entry in manifest["experts"]]
    router = _ask(bundle / manifest["router"]["path"], threads) if manifest["router"] else None

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


def _ask(path: Path, threads: int) -> Callable[[dict[str, np.ndarray]], list[np.ndarray]]:
    interpreter = interpreter_class()(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    inputs = [
        (details["index"], details["name"].removeprefix("serving_default_").split(":")[0])
        for details in interpreter.get_input_details()
    ]
    outputs = [details["index"] for details in interpreter.get_output_details()]
    recurrent = remembers(interpreter)

    def ask(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
        for index, name in inputs:
            interpreter.set_tensor(index, arrays[name])
        if recurrent:
            interpreter.reset_all_variables()
        interpreter.invoke()
        return [interpreter.get_tensor(output) for output in outputs]

    return ask
