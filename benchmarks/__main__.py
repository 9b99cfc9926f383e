"""Measuring programs as one command line: `python -m benchmarks NAME`.

Each program is a thin command function that imports what it needs when it runs, so that the list
of programs appears at once.
"""

from __future__ import annotations

import sys

import typer

from edge_experts.cli.signals import orderly_end
from edge_experts.errors import EdgeExpertsError, MachineError

from . import output
from .anomalies.commands import anomalies
from .backbone.commands import backbone
from .converting import commands as converting
from .features import commands as features
from .gains import commands as gains
from .installing.commands import install_sizes
from .language import commands as language
from .layers.commands import layers
from .residency import commands as residency
from .runtime import commands as runtime
from .serving import commands as serving
from .structure import structure
from .training import commands as training

app = typer.Typer(
    name="python -m benchmarks",
    help="Measuring programs of edge-experts: runtime, conversion, training, server, texts, code.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command()(runtime.overhead)
app.command()(runtime.loading)
app.command()(runtime.kernels)
app.command()(runtime.attention)
app.command()(runtime.startup)
app.command()(runtime.scale)
app.command()(runtime.memory)
app.command()(runtime.tight)
app.command()(runtime.soak)
app.command()(runtime.mutations)
app.command()(runtime.drift)
app.command()(serving.serving_load)
app.command()(training.training_speed)
app.command()(training.translator_training_speed)
app.command()(training.precision_speed)
app.command()(training.resume)
app.command()(training.new_domain)
app.command()(backbone)
app.command()(gains.gains)
app.command()(anomalies)
app.command()(language.language_models)
app.command()(language.perplexity)
app.command()(language.routing_options)
app.command()(language.one_file)
app.command()(residency.moe)
app.command()(residency.memory_limit)
app.command()(residency.synthetic_moe)
app.command()(residency.record_routes)
app.command()(converting.conversion_speed)
app.command()(converting.synthetic)
app.command()(converting.synthetic_translators)
app.command()(converting.synthetic_language)
app.command()(converting.auto_evaluation)
app.command()(converting.every_recipe)
app.command()(converting.generated)
app.command()(converting.label_thresholds)
app.command()(layers)
app.command()(features.unicode)
app.command()(features.emoji)
app.command()(features.cutouts)
app.command()(features.speech)
app.command()(features.watch)
app.command()(features.tokenizer)
app.command()(structure)
app.command()(install_sizes)


def main() -> None:
    """Run the program that the command line names; an error ends with its exit code."""
    try:
        with orderly_end():
            app(prog_name="python -m benchmarks")
    except EdgeExpertsError as error:
        _fail(error)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _fail(MachineError(f"{where}{error.strerror or error}"))


def _fail(error: EdgeExpertsError) -> None:
    output.warn(f"benchmarks: {error}")
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
