"""Child process that runs converted files, without TensorFlow, whose kernels it must not use.

`python -m edge_experts.converters.process.answer_worker JOB` runs tasks as worker.py does:

    {"do": "convert", "file": a .tflite file, "inputs": .npz of arrays by name, (examples, ...),
     "out": .npz file that gets the array "answers", (examples, outputs)}

A router's trunk is not among the answers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.runtime.interpreter import Model

from .serving import serve


def answer(task: dict[str, Any]) -> None:
    """Run a file on all inputs, one by one."""
    path = Path(task["file"])
    model = Model(path.read_bytes(), path.name)
    with np.load(task["inputs"]) as stored:
        inputs = dict(stored)
    count = len(next(iter(inputs.values())))
    answers = [
        model({name: array[row : row + 1] for name, array in inputs.items()}).copy()
        for row in range(count)
    ]
    np.savez(task["out"], answers=np.array(answers))


if __name__ == "__main__":
    serve(answer)
