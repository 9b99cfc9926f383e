"""All commands, in the order in which users need them."""

from __future__ import annotations

import sys
from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from ..errors import UsageError
from ..version import VERSION
from . import help as help_texts
from .device import (
    benchmark,
    bundle,
    chat,
    doctor,
    evaluate,
    inspect,
    monitor,
    report,
    run,
    serve,
    update,
)
from .host import (
    adopt,
    advise,
    compare,
    convert,
    deploy,
    export_c,
    export_onnx,
    export_web,
    extend,
    fleet,
    quickstart,
    train,
)
from .next_steps import next_steps
from .signals import CLOSED_PIPE, abandon_stdout


class _Command(TyperCommand):
    """Command that takes finite numbers only, and ends with 141 if the reader closes the pipe.

    click's ranges accept nan, and click ends with 1, the exit code of a bug, at a closed pipe.
    """

    def invoke(self, ctx: Any) -> Any:
        for name, value in ctx.params.items():
            if isinstance(value, float) and not isfinite(value):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} must be a finite number, got {value}")
        try:
            answer = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()  # an error at Python's end would be no exit code
        except BrokenPipeError:
            abandon_stdout()
            sys.exit(CLOSED_PIPE)
        return answer

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return help_texts.usage_words(self)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(help_texts.command_help(self, ctx, help_texts.width()))


class _Group(TyperGroup):
    """The program; its help lists the commands in groups."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        formatter.write(help_texts.group_help(self, ctx, help_texts.width()))


app = typer.Typer(
    cls=_Group,
    name="edge-experts",
    help="Sparse expert models for small ARM boards: train, convert, run, benchmark.",
    rich_markup_mode=None,  # boxes cut option names at 80 columns
    invoke_without_command=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

GROUPS = {
    "Start": (quickstart.quickstart, advise.advise),
    "Train": (train.train, adopt.adopt, extend.extend, compare.compare),
    "Convert": (
        convert.convert,
        export_c.export_c,
        export_onnx.export_onnx,
        export_web.export_web,
    ),
    "Answer": (run.run, chat.chat, serve.serve, monitor.monitor),
    "Measure": (evaluate.evaluate, benchmark.benchmark, report.report),
    "Ship to boards": (
        deploy.deploy,
        fleet.fleet,
        update.install,
        update.rollback,
        bundle.pack,
        bundle.unpack,
        update.keygen,
        update.sign,
    ),
    "Check": (inspect.inspect, bundle.verify, doctor.doctor),
}
for panel, commands in GROUPS.items():
    for command in commands:
        app.command(cls=_Command, rich_help_panel=panel)(command)


def _version(asked: bool) -> None:
    if asked:
        print(f"edge-experts {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(f"{context.get_help()}\n\n{help_texts.steps(next_steps(Path()), help_texts.width())}")
