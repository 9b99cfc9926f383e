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
from .file_networks import FileNetwork
from .file_plan import FilePlan
from .weight_rows import RECIPES, float32, is_whole

_MODULE = "edge_experts.converters.checkpoints.template_process"


@dataclass(frozen=True)
class Template:
    """A file with random weights.

    Attributes:
        places: for each parameter the offsets of its numbers and of its scales, in bytes.
    """

    path: Path
    places: Mapping[str, tuple[int, int | None]]


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
            "recipe": recipe,
        }
        for number, network in enumerate(different)
    ]
    (job / "templates.json").write_text(json.dumps(tasks))
    with Progress("Making templates", len(tasks)) as progress:
        run_module(_MODULE, job, progress.step, _failure)
    return {
        network: Template(
            job / f"{task['name']}.tflite",
            {
                name: (place[0], place[1])
                for name, place in json.loads((job / f"{task['name']}.json").read_text()).items()
            },
        )
        for network, task in zip(different, tasks, strict=True)
    }


def write_file(template: Template, plan: FilePlan, recipe: str, path: Path) -> None:
    """Write one file: a template with the weights of a checkpoint.

    Raises:
        CheckpointError: a tensor cannot be read, or its numbers are too large for the recipe.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Beside, then renamed: a file that is there is finished.
    beside = path.with_name(f".{path.name}{PARTIAL}")
    shutil.copyfile(template.path, beside)
    with beside.open("r+b") as file:
        for name, rows in plan.parameters.items():
            quantized = recipe != "float32" and name in plan.network.weights
            encode = RECIPES[recipe] if quantized else float32
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
