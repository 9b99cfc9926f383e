"""Run a function in a fresh Python process: `python -m edge_experts.subprocesses`.

A measurement must not depend on what the calling process did before. `multiprocessing` would
import the caller's main module again, and run a script that has no `__main__` guard.
"""

from __future__ import annotations

import importlib
import os
import pickle
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from . import errors
from .errors import BundleError

_P = ParamSpec("_P")
_R = TypeVar("_R")
_OURS = re.compile(r"^edge_experts\.errors\.(\w+): ")


def call(function: Callable[_P, _R], *arguments: _P.args, **options: _P.kwargs) -> _R:
    """Run `function(*arguments, **options)`, a function of a module, in a fresh process.

    Raises:
        UsageError: the function raised one, or an error of a kind of it, which is raised again.
        BundleError: the process failed; the message is the last line that it wrote.
    """
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=pickle.dumps((function.__module__, function.__name__, arguments, options)),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else f"exit code {done.returncode}"
        if done.returncode < 0:  # what it wrote before is not the cause
            reason = f"ended by {signal.Signals(-done.returncode).name}"
        ours = _OURS.match(reason)
        kind = getattr(errors, ours[1], None) if ours else None
        if isinstance(kind, type) and issubclass(kind, errors.UsageError):
            raise kind(_OURS.sub("", reason))
        raise BundleError(f"a separate process failed: {_OURS.sub('', reason)}")
    result: _R = pickle.loads(done.stdout)  # trusted: written by our own child process
    return result


def _main() -> None:
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries goes to stderr
    module, name, arguments, options = pickle.load(sys.stdin.buffer)
    function = getattr(importlib.import_module(module), name)
    with results:
        pickle.dump(function(*arguments, **options), results)


if __name__ == "__main__":
    _main()
