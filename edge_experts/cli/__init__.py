"""The command line: thin commands; each imports what it needs when it runs."""

from __future__ import annotations

import os
import sys

from ..errors import EdgeExpertsError, MachineError, MissingExtraError


def main() -> None:
    """The `edge-experts` command. Errors become one clear text on stderr and an exit code."""
    try:
        from .app import app
    except ModuleNotFoundError as error:
        if error.name != "typer":
            raise
        _fail(MissingExtraError("the command line (typer)", "cli"))
    try:
        app()
    except EdgeExpertsError as error:
        _fail(error)
    except BrokenPipeError:
        # Whoever read our output has enough. Nothing more may be written, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(MachineError(f"{where}{error.strerror or error}"))


def _fail(error: EdgeExpertsError) -> None:
    print(f"edge-experts: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
