"""The line that XNNPACK writes to stderr at a process's first model, kept from the user."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path
from typing import Any

from ..native_stderr import held_back

_GREETING = "INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"


@functools.cache
def silence(interpreter_class: Any) -> None:
    """Opens a tiny model once, a good one, and drops the greeting; the next models bring none.

    Models of users are not opened so: what they write to stderr must come even if they end the
    process.
    """
    content = Path(__file__).with_name("tiny.tflite").read_bytes()
    # Where it fails, so does the model that follows, and says why.
    with contextlib.suppress(Exception), held_back(lambda line: line == _GREETING):
        interpreter_class(model_content=content).allocate_tensors()
