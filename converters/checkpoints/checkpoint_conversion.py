"""Conversion of a checkpoint to a bundle: writes every file, proves them, publishes the folder."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_experts.datasets import Split
from edge_experts.errors import UsageError
from edge_experts.features import Features
from edge_experts.format.atomic import resumed
from edge_experts.format.manifest import (
    MANIFEST,
    MODEL_CARD,
    Manifest,
)
from edge_experts.progress import Progress
from edge_experts.runtime import interpreter
from edge_experts.runtime.tasks.language_model.conversion_figures import IN_FILE
from edge_experts.runtime.tasks.language_model.embedding_rows import packed_rows
from edge_experts.runtime.tasks.language_model.network_settings import EMBEDDING

from ..bundle import bundle_files
from ..convert import Conversion
from ..language_model import blocks
from ..language_model.prompts import prompts as cut_prompts
from ..verify.confidence import Unsure
from ..verify.language_parity import refuse_wrong_files
from ..verify.proof import prove
from .checkpoint import open_checkpoint
from .checkpoint_manifest import CheckpointJob, draft, embedding_kind, golden, provenance
from .checkpoint_options import CHECKPOINTS
from .conversion_key import conversion_key
from .file_plan import plan_files
from .file_proof import CheckpointParity, compared_files, expected_outputs, inputs_of
from .file_writing import write_files
from .model_card import card
from .model_config import ModelConfig
from .template_files import make_templates

LITERT, RUNTIME = "ai_edge_litert", "tflite_runtime"
_TEMPLATES = ".templates"  # folder in that of the bundle, where a cluster sees it
# Beginnings of texts; those with the most certain continuations become golden examples.
_PROMPTS = (
    *("The capital of France is", "Once upon a time", "1, 2, 3, 4,", "def add(a, b):"),
    *("Water boils at", "The opposite of hot is", "Monday, Tuesday,", "Dear Sir or Madam,"),
    *("To be or not to", "A B C D E F", "Thank you very", "The sun rises in the"),
)


def convert_checkpoint(
    checkpoint: str | Path,
    out: str | Path,
    *,
    quantization: str = "int8",
    features: Features | None = None,
    bundle_version: int = 1,
    force: bool = False,
    scheduler: str | None = None,
) -> Conversion:
    """Convert a checkpoint, a folder of safetensors or a GGUF file, to a bundle.

    Weights are read in parts, so that memory does not grow with the checkpoint. Every file runs on
    the interpreter in another process, and outputs are compared with those of the checkpoint's own
    weights in float32. Only then does the folder `out` appear, complete. A conversion that was
    interrupted goes on with the files that it had finished.

    Args:
        checkpoint: its folder, with config.json; or a .gguf file.
        out: the bundle folder to write; `force` replaces one that exists.
        quantization: "float32"; "int8", a scale for each row; "int4", a scale for 32 weights.
        features: its tokenizer; by default that of the folder.
        scheduler: address of a Dask cluster that writes the files; its machines see the checkpoint
            and `out` under the same paths.

    Raises:
        UsageError: an option or a path is invalid.
        CheckpointError: the checkpoint is damaged, or of a family or with a setting that is not
            supported.
        MissingExtraError: litert-quantizer is not installed, which int8 and int4 need.
        ConversionError: TensorFlow's converter or the quantizer failed.
        ModelError: a file computes something else on the interpreter.
    """
    source, out = Path(checkpoint), Path(out)
    if quantization not in CHECKPOINTS.recipes:
        raise UsageError(
            f"--quantization {quantization} is not supported for checkpoints, which take "
            f"{', '.join(CHECKPOINTS.recipes)}"
        )
    opened = open_checkpoint(source)
    config = opened.config
    if quantization != "float32":
        blocks.require()
    _refuse_odd_blocks(config, quantization)
    packages = _packages(quantization)
    plan = plan_files(config, opened.tensors)
    job = CheckpointJob(
        source,
        plan,
        features if features is not None else opened.features(),
        quantization,
        bundle_version,
        opened.licence,
    )
    key = conversion_key(config, opened.tensors, quantization)
    with resumed(out, key, force=force) as folder, tempfile.TemporaryDirectory() as temporary:
        _write_models(job, folder, scheduler)
        manifest, parity = _finish(job, folder, Path(temporary), packages)
        taken = (folder / MANIFEST).stat().st_size + sum(one.bytes for one in manifest.files)
    return _conversion(out, manifest, parity, taken)


def _refuse_odd_blocks(config: ModelConfig, quantization: str) -> None:
    if quantization != "int4":
        return
    sizes = [("hidden_size", config.units)]
    for layer in config.layers:
        sizes += [("width of an expert", layer.inner), ("width of a shared expert", layer.shared)]
    different = dict.fromkeys(sizes)
    odd = [f"{name} {size}" for name, size in different if size % blocks.BLOCK]
    if odd:
        raise UsageError(
            f"--quantization int4 needs sizes that are multiples of {blocks.BLOCK}, and this "
            f"checkpoint has {' and '.join(odd)}; choose int8"
        )


def _packages(quantization: str) -> list[str]:
    """Return the installed interpreters that compute such files correctly."""
    fit = (LITERT, RUNTIME) if quantization == "float32" else (LITERT,)
    found = [name for name in fit if interpreter.installed(name)]
    if not found:
        raise UsageError(
            f"--quantization {quantization}: its files are for ai-edge-litert, which is not "
            "installed here to prove them: pip install ai-edge-litert"
        )
    return found


def _write_models(job: CheckpointJob, folder: Path, scheduler: str | None) -> None:
    plan, recipe, beside = job.plan, job.recipe, folder / _TEMPLATES
    missing = [path for path in plan.files if not (folder / path).exists()]
    beside.mkdir(exist_ok=True)
    templates = make_templates(beside, (plan.files[path].network for path in missing), recipe)
    with Progress("Writing files", len(missing) + 1) as progress:
        for path in write_files(job.source, plan, templates, folder, missing, scheduler):
            progress.step(path)
        kind = embedding_kind(recipe)
        with (folder / EMBEDDING).open("wb") as target:
            for first, end in plan.embedding.chunks():
                target.write(packed_rows(plan.embedding.read(first, end), kind))
        progress.step(EMBEDDING)
    shutil.rmtree(beside)


def _finish(
    job: CheckpointJob, folder: Path, temporary: Path, packages: Sequence[str]
) -> tuple[Manifest, CheckpointParity]:
    """Prove the files, and write all others."""
    (temporary / "bundle").symlink_to(folder)
    manifest = draft(job, folder, packages)
    bundle_files.write_manifest(folder, manifest)
    rows = inputs_of(job.plan, compared_files(job.plan))
    wanted = expected_outputs(job.plan, rows)
    measured = {IN_FILE + path: array for path, array in rows.items()}
    none = np.zeros(0, int)
    prompts = cut_prompts(job.features, _PROMPTS, len(_PROMPTS))
    splits = {
        "validation": Split(prompts, np.zeros(len(prompts), int)),
        "test": Split([], none),
    }
    off = 0.0
    first, *others = packages
    for package in (*others, first):
        deployed = prove(temporary, job.features, splits, manifest, package, measured)
        made = {path: deployed.measured[IN_FILE + path] for path in rows}
        off = max(off, refuse_wrong_files(wanted, made, job.recipe, package))
    parity = CheckpointParity(len(job.plan.files), len(rows), float(f"{off:.3g}"))
    manifest = replace(
        bundle_files.with_costs(manifest, deployed.costs, {}),
        verified_on=deployed.verified_on,
        golden=golden(job, folder, deployed, prompts),
        provenance=provenance(job, folder, parity),
    )
    text = card(manifest, job.config, parity, job.licence).encode()
    manifest = replace(manifest, model_card=bundle_files.write(folder, MODEL_CARD, text))
    bundle_files.write_manifest(folder, manifest)
    return manifest, parity


def _conversion(out: Path, manifest: Manifest, parity: CheckpointParity, taken: int) -> Conversion:
    compared = "all of them" if parity.compared == parity.files else f"{parity.compared} of them"
    words = (
        f"{manifest.provenance['base_model']}, {len(manifest.experts)} experts {manifest.asking}",
        f"{parity.files} files ran on the interpreter; {compared} were compared with the "
        f"checkpoint's weights and differ by at most {parity.file_off:g} of their output's size",
    )
    return Conversion(
        out,
        manifest,
        parity,
        math.nan,
        0,
        math.nan,
        Unsure(None, None, None),
        bytes=taken,
        packed_bytes=0,  # weights hardly compress, and packing gigabytes takes minutes
        words=words,
        figures={
            "base_model": manifest.provenance["base_model"],
            "family": manifest.provenance["family"],
            "parity": parity.to_json(),
        },
        next_command="'your text'",
    )
