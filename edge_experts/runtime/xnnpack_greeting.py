"""Filter for the line that XNNPACK writes to stderr when a process opens its first model."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

from ..native_stderr import held_back

_GREETING = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


@functools.cache
def silence(interpreter_class: Any) -> None:
    """Open a tiny valid model once and discard the greeting; later models do not write it.

    The filter does not cover users' models: their messages on stderr must appear even if they end
    the process.
    """
    content = Path(__file__).with_name("tiny.tflite").read_bytes()
    # If it fails, the model that follows fails too, with an error message.
    with contextlib.suppress(Exception), held_back(lambda line: line == _GREETING):
        interpreter_class(model_content=content).allocate_tensors()
