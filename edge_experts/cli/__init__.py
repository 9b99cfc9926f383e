"""The command line: thin commands; each imports what it needs when it runs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys

from ..errors import DevicePartError, EdgeExpertsError, MachineError, MissingExtraError
from . import utf8
from .signals import orderly_end


def main() -> None:
    """The `edge-experts` command. Errors become one clear text on stderr and an exit code."""
    utf8.ensure()
    with orderly_end():
        _main()


def _main() -> None:
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
    except ModuleNotFoundError as error:
        # Where the host's layers are installed, a missing module is a bug and shows as one.
        is_ours = (error.name or "").startswith("edge_experts.")
        if not is_ours or importlib.util.find_spec("edge_experts.training") is not None:
            raise
        _fail(DevicePartError(str(error.name)))
    except BrokenPipeError:
        _abandon_stdout()  # whoever read our output has enough
        sys.exit(141)
    except OSError as error:
        _abandon_stdout()  # where it cannot be written, as on a full disk
        where = f"{error.filename}: " if error.filename else ""
        _fail(MachineError(f"{where}{error.strerror or error}"))


def _abandon_stdout() -> None:
    """Let nothing more be written, not even at exit, where Python would fail once more."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _fail(error: EdgeExpertsError) -> None:
    print(f"edge-experts: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
