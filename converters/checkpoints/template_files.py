"""Templates of a bundle's files, and files made of them by overwriting their weights.

Files of one shape differ in their weights only, so that TensorFlow converts each shape once, and a
thousand experts are written as fast as their weights are read.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_experts.errors import CheckpointError, ConversionError
from edge_experts.format import disk
from edge_experts.format.atomic import PARTIAL
from edge_experts.progress import Progress

from ..process.child_process import run_module
from .file_networks import Expert, FileNetwork
from .file_plan import FilePlan
from .weight_rows import WRITTEN, Encoder, float32, is_whole

_MODULE = "edge_experts.converters.checkpoints.template_process"


@dataclass(frozen=True)
class Template:
    """A file with random weights.

    Attributes:
        recipe: of its weights.
        places: for each parameter the offsets of its numbers and of its scales, in bytes.
    """

    path: Path
    recipe: str
    places: Mapping[str, tuple[int, int | None]]


def recipe_of(network: FileNetwork, recipe: str) -> str:
    """Return the recipe of a file: in 4 bits are experts only.

    They are most of a mixture-of-experts model, and the head and attention, which every token uses,
    lose more by it.
    """
    return "int8" if recipe == "int4" and not isinstance(network, Expert) else recipe


def make_templates(
    job: Path, networks: Iterable[FileNetwork], recipe: str
) -> dict[FileNetwork, Template]:
    """Make a template for each different network, in a child process that has TensorFlow.

    Args:
        job: an empty folder for them.
        recipe: one of `weight_rows.RECIPES`.

    Raises:
        ConversionError: TensorFlow or the quantizer failed, or writes unexpected files.
    """
    different = list(dict.fromkeys(networks))
    if not different:
        return {}
    tasks = [
        {
            "name": f"template-{number}",
            "kind": type(network).__name__,
            "sizes": asdict(network),
            "recipe": recipe_of(network, recipe),
        }
        for number, network in enumerate(different)
    ]
    (job / "templates.json").write_text(json.dumps(tasks))
    with Progress("Making templates", len(tasks)) as progress:
        run_module(_MODULE, job, progress.step, _failure)
    return {
        network: Template(
            job / f"{task['name']}.tflite",
            str(task["recipe"]),
            {
                name: (place[0], place[1])
                for name, place in json.loads((job / f"{task['name']}.json").read_text()).items()
            },
        )
        for network, task in zip(different, tasks, strict=True)
    }


def write_file(
    template: Template,
    plan: FilePlan,
    path: Path,
    encoders: Mapping[str, Encoder] = WRITTEN,
) -> None:
    """Write one file: a template with the weights of a checkpoint.

    Raises:
        CheckpointError: a tensor cannot be read, or its numbers are too large for the recipe.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recipe = template.recipe
    # Beside, then renamed: a file that is there is finished.
    beside = path.with_name(f".{path.name}{PARTIAL}")
    shutil.copyfile(template.path, beside)
    with beside.open("r+b") as file:
        for name, rows in plan.parameters.items():
            quantized = recipe != "float32" and name in plan.network.weights
            encode = encoders[recipe] if quantized else float32
            place, scales_place = template.places[name]
            for first, end in rows.chunks():
                made = encode(rows.read(first, end))
                os.pwrite(file.fileno(), made.numbers, place)
                place += len(made.numbers)
                if scales_place is not None:
                    if not is_whole(made.scales, recipe):
                        raise CheckpointError(
                            f"{rows.parts[0].name}: its numbers are too large for {recipe}; "
                            "choose --quantization int8"
                        )
                    os.pwrite(file.fileno(), made.scales, scales_place)
                    scales_place += len(made.scales)
    disk.fsync(beside)
    disk.rename(beside, path)


def _failure(last: str, reason: str) -> ConversionError:
    return ConversionError(f"the template {last} cannot be made: {reason}")
