"""All commands, in the order in which a user meets them."""

from __future__ import annotations

from math import isfinite
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from ..errors import UsageError
from ..version import VERSION
from .device import (
    benchmark,
    bundle,
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
    extend,
    quickstart,
    train,
)


class _Command(TyperCommand):
    """Command whose numbers are finite: click's ranges let nan pass, and nan is below nothing."""

    def invoke(self, ctx: Any) -> Any:
        for name, value in ctx.params.items():
            if isinstance(value, float) and not isfinite(value):
                option = name.replace("_", "-")
                raise UsageError(f"--{option} must be a finite number, got {value}")
        return super().invoke(ctx)


app = typer.Typer(
    name="edge-experts",
    help="Sparse expert models for small ARM boards: train, convert, run, benchmark.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(quickstart.quickstart)
app.command()(advise.advise)
app.command()(train.train)
app.command()(adopt.adopt)
app.command()(convert.convert)
app.command()(extend.extend)
app.command()(evaluate.evaluate)
app.command()(compare.compare)
app.command()(run.run)
app.command()(serve.serve)
app.command()(monitor.monitor)
app.command()(benchmark.benchmark)
app.command()(report.report)
app.command()(inspect.inspect)
app.command()(bundle.verify)
app.command()(bundle.pack)
app.command()(bundle.unpack)
app.command()(update.install)
app.command()(update.rollback)
app.command()(deploy.deploy)
app.command()(update.keygen)
app.command()(update.sign)
app.command()(export_c.export_c)
app.command()(export_onnx.export_onnx)
app.command()(doctor.doctor)
for registered in app.registered_commands:
    registered.cls = _Command


def _version(asked: bool) -> None:
    if asked:
        print(f"edge-experts {VERSION}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass
