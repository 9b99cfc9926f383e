"""Task loop of a child process in a pool, which imports nothing of TensorFlow itself."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from .error_messages import reason_of


def _failure(do: Callable[[dict[str, Any]], None], task: dict[str, Any]) -> str | None:
    """Run a task; return the reason if it failed."""
    try:
        do(task)
    except Exception as error:  # the converter raises many classes, and the process stays usable
        traceback.print_exc()
        return reason_of(error)
    return None


def serve(do: Callable[[dict[str, Any]], None]) -> None:
    """Run the tasks that arrive on stdin, one after the other, and answer each."""
    # TensorFlow may print to stdout, which must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps({"failed": _failure(do, json.loads(line))}), file=answers, flush=True)
