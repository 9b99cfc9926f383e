"""Report on a checkpoint before its conversion: its family, and its sizes by quantization.

Everything is computed from config.json and the headers of the files; no weight is read. With
config.json alone, the tensors that it demands are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_experts.runtime.copied_weights import LEAST_BYTES
from edge_experts.runtime.tasks.language_model.embedding_rows import row_bytes
from edge_experts.runtime.tasks.language_model.layered_network import ROWS
from edge_experts.runtime.tasks.language_model.memory_needs import sequence_bytes

from .checkpoint import open_checkpoint
from .checkpoint_options import CHECKPOINTS
from .families import Family
from .file_plan import BundlePlan, FilePlan, plan_files
from .model_config import ModelConfig
from .stored_numbers import stored_bytes
from .template_files import recipe_of
from .weight_rows import BLOCK

CONTEXT = 1024  # tokens, of the stated memory
# Bytes of a file beside its weights: operators, tensors, names, alignment. Measured on the files
# that tests convert: 0.9 to 5.3 KB.
_GRAPH = 2000
_INTERPRETER = 100_000  # bytes of an interpreter beside its file and arrays
_RUNTIME_FILES = 1_000_000  # manifest, tokenizer, card


@dataclass(frozen=True)
class QuantizedSizes:
    """Sizes of the bundle at one quantization, in bytes.

    Attributes:
        bundle: of all files on disk.
        dense: what every token uses, in memory: attention, routers, shared experts, the head.
        largest_expert: in memory.
        least: memory that the smallest budget needs: dense parts, one expert while it is opened,
            and keys and values of `CONTEXT` tokens.
        resident: memory with every expert loaded.
        disk: free space that the conversion needs.
    """

    quantization: str
    bundle: int
    dense: int
    largest_expert: int
    least: int
    resident: int
    disk: int


@dataclass(frozen=True)
class CheckpointReport:
    """Description of a checkpoint.

    Attributes:
        active_parameters: those that one token uses, without the embedding's rows.
        stored_bytes: of the tensors in the checkpoint; 0 if only config.json is there.
        sizes: by quantization; without int4 where its blocks do not fit.
    """

    config: ModelConfig
    parameters: int
    active_parameters: int
    stored_bytes: int
    licence: str | None
    sizes: tuple[QuantizedSizes, ...]

    @property
    def family(self) -> Family:
        return self.config.family

    @property
    def memory_context(self) -> int:
        """Tokens whose keys and values are in the stated memory."""
        return min(CONTEXT, self.config.context)


def report(path: Path) -> CheckpointReport:
    """Describe a checkpoint: its folder, or a `.gguf` file.

    Raises:
        CheckpointError: it is damaged, or cannot be converted.
    """
    opened = open_checkpoint(path)
    config, licence = opened.config, opened.licence
    tensors = opened.tensors if opened.has_weights else None
    plan = plan_files(config, tensors)
    stored = 0 if tensors is None else sum(map(stored_bytes, tensors.values()))
    recipes = [recipe for recipe in CHECKPOINTS.recipes if recipe != "int4" or _has_blocks(plan)]
    return CheckpointReport(
        config,
        _parameters(plan),
        _active_parameters(plan),
        stored,
        None if licence is None else licence.name,
        tuple(sizes(plan, recipe) for recipe in recipes),
    )


def sizes(plan: BundlePlan, recipe: str) -> QuantizedSizes:
    """Compute the sizes of a bundle at one quantization."""
    config = plan.config
    files = {path: file_bytes(file, recipe) for path, file in plan.files.items()}
    experts = {path: size for path, size in files.items() if path.startswith("experts/")}
    costs = {path: _resident(file, recipe) for path, file in plan.files.items()}
    of_experts = [costs[path] for path in experts]
    dense = sum(costs.values()) - sum(of_experts)
    kind = "float32" if recipe == "float32" else "int8"
    embedding = config.vocabulary * row_bytes(config.units, kind)
    context = min(CONTEXT, config.context)
    beside = sequence_bytes(
        len(config.layers), config.key_heads, config.width, config.units, config.vocabulary, context
    )
    largest = max(of_experts)
    opening = max(max(costs[path], 2 * size) for path, size in experts.items())
    bundle = sum(files.values()) + embedding + _RUNTIME_FILES
    return QuantizedSizes(
        recipe,
        bundle=bundle,
        dense=dense,
        largest_expert=largest,
        least=dense + opening + beside,
        resident=dense + sum(of_experts) + beside,
        disk=bundle + _templates(plan, files),
    )


def file_bytes(file: FilePlan, recipe: str) -> int:
    """Compute the bytes of one file, but for some kilobytes of its graph."""
    return _GRAPH + sum(_parameter_bytes(file, recipe).values())


def _parameter_bytes(file: FilePlan, recipe: str) -> dict[str, int]:
    found, recipe = {}, recipe_of(file.network, recipe)
    for name, rows in file.parameters.items():
        numbers = rows.rows * rows.columns
        if name not in file.network.weights or recipe == "float32":
            found[name] = 4 * numbers
        elif recipe == "int8":
            found[name] = numbers + 12 * rows.rows  # with a scale and a zero point for each row
        else:
            found[name] = numbers // 2 + 2 * (numbers // BLOCK)
    return found


def _resident(file: FilePlan, recipe: str) -> int:
    """Estimate the bytes of an open file on LiteRT, and of its arrays for a chunk of rows.

    The kernels pack the weights. Of large ones the bytes of the file are given up.
    """
    network, parameters = file.network, _parameter_bytes(file, recipe)
    given_up = sum(parameters[name] for name in network.weights if parameters[name] >= LEAST_BYTES)
    copies = 2 * file_bytes(file, recipe) - given_up
    inner = sum(rows for rows, _ in network.weights.values())
    return copies + 4 * ROWS * (2 * network.inputs + 2 * inner) + _INTERPRETER


def _templates(plan: BundlePlan, files: Mapping[str, int]) -> int:
    """Return the bytes of a template of each network."""
    found = {file.network: files[path] for path, file in plan.files.items()}
    return sum(found.values())


def _has_blocks(plan: BundlePlan) -> bool:
    return all(
        columns % BLOCK == 0
        for file in plan.files.values()
        if recipe_of(file.network, "int4") == "int4"
        for _, columns in file.network.weights.values()
    )


def _parameters(plan: BundlePlan) -> int:
    """Count the checkpoint's parameters; a tied head is the embedding."""
    names: dict[tuple[str, int], int] = {}
    for rows in (
        plan.embedding,
        *(one for f in plan.files.values() for one in f.parameters.values()),
    ):
        for part in rows.parts:
            names[part.name, part.first] = part.rows * part.columns
    return sum(names.values())


def _active_parameters(plan: BundlePlan) -> int:
    """Count the parameters that one token uses."""
    total = 0
    for path, file in plan.files.items():
        size = sum(
            part.rows * part.columns for rows in file.parameters.values() for part in rows.parts
        )
        if path.startswith("experts/"):
            layer = plan.config.layers[int(path.split("/")[1])]
            size = size * min(plan.config.top_k, layer.experts) // layer.experts
        total += size
    return total
