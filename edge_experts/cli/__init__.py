"""The command line: thin commands, which import their implementation when they run."""

from __future__ import annotations

import importlib.util
import sys

from ..errors import DevicePartError, EdgeExpertsError, MachineError, MissingExtraError
from . import utf8
from .signals import abandon_stdout, orderly_end


def main() -> None:
    """The `edge-experts` command. Errors become one message on stderr and an exit code."""
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
        # If the host layers are installed, a missing module is a bug and is shown as one.
        is_ours = (error.name or "").startswith("edge_experts.")
        if not is_ours or importlib.util.find_spec("edge_experts.training") is not None:
            raise
        _fail(DevicePartError(str(error.name)))
    except OSError as error:
        abandon_stdout()  # not writable, as on a full disk
        where = f"{error.filename}: " if error.filename else ""
        _fail(MachineError(f"{where}{error.strerror or error}"))


def _fail(error: EdgeExpertsError) -> None:
    print(f"edge-experts: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
