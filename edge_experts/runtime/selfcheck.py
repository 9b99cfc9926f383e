"""Whether the interpreter that is installed really computes. Importing it proves nothing.

tiny.tflite is x @ [[1, 2], [3, 4]] for x of shape (1, 2), as TensorFlow 2.19's converter writes it.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

from ..errors import InterpreterError
from .interpreter import Model, description


def run_tiny_model() -> dict[str, str]:
    """Build an interpreter and run a model on it; which interpreter it was.

    Raises:
        MissingExtraError: none is installed.
        InterpreterError: it does not build, or computes something else.
    """
    content = resources.files(__package__).joinpath("tiny.tflite").read_bytes()
    output = Model(content, "tiny.tflite")({"x": np.array([[5, 7]], np.float32)})
    if output.tolist() != [26.0, 38.0]:
        raise InterpreterError(f"{description()} computes {output.tolist()}, not [26.0, 38.0]")
    return description()
