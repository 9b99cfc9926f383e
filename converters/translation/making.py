"""Translators' files: made in one child process, or taken from the cache, and proven in another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_experts.errors import ConversionError, ModelError, UnsuitableError
from edge_experts.format.manifest import ROUTER, expert_path, sha256
from edge_experts.progress import Progress

from ..options import target_asked
from ..process import cache
from ..process.child_process import run_module
from ..process.error_messages import name_of
from ..targets import Target
from ..targets.microcontroller import MICROCONTROLLER
from . import routed

_GIVEN = ("calibration.npz", "proven.npz", routed.ASKED)  # what the worker reads, beside the model
_KERAS = "keras.npz"


def place_asked(target: str | None, quantization: str) -> Target | None:
    """Where the bundle is to run.

    Raises:
        UsageError: there is no such target.
        UnsuitableError: it cannot run translators, or takes no files made so.
    """
    if target is None:
        return None
    if target == MICROCONTROLLER.name:
        raise UnsuitableError(
            "--target microcontroller: a translator's file has two functions, which a search in "
            "Python asks by turns, and TensorFlow Lite Micro runs files of one; name another target"
        )
    return target_asked(target, quantization)


def make(job: Path, model: Path, asked: Mapping[str, Any], experts: int, kept: cache.Cache) -> None:
    """Leave the networks' files in JOB/made, and what Keras writes; see worker.py.

    Args:
        job: a folder that holds what the worker reads.
        model: the run's model.keras.
        asked: recipe and beams.
        kept: what was converted before; the same networks, for the same sentences, are taken from
            it together.

    Raises:
        ConversionError: the converter refuses a network, or dies of it.
    """
    (job / "job.json").write_text(json.dumps({"model": str(model.resolve()), **asked}))
    given = [job / name for name in _GIVEN if (job / name).exists()]
    key = cache.key(
        "translators", dict(asked), [sha256(path.read_bytes()) for path in (model, *given)]
    )
    router = [ROUTER] if (job / routed.ASKED).exists() else []
    files = [*map(expert_path, range(experts)), *router]
    with Progress("Converting", len(files) + 1) as progress:
        content = kept.get(key)
        if content is not None:
            cache.unpack(content, job)
            for path in files:
                progress.step(f"{name_of(path)}, as before")
            progress.step("Keras's own translations, as before")
            return
        run_module("edge_experts.converters.translation.worker", job, progress.step, _unmade)
    kept.put(key, cache.packed(job, [*(f"made/{path}" for path in files), _KERAS]))
    kept.trim()


def check(job: Path, place: Target) -> None:
    """Raises UnsuitableError where a file has an operator that the target lacks."""
    made = job / "made"
    for file in sorted(made.rglob("*.tflite")):
        place.check(file.read_bytes(), name_of(str(file.relative_to(made))))


def prove(job: Path, experts: int, place: Target | None) -> None:
    """Have the bundle answer on its interpreter, the target's where it is installed; see proof.py.

    Raises:
        ModelError: the interpreter refuses a file, or dies of it.
    """
    package = place.package if place is not None and place.installed else None
    files = experts + (job / routed.ASKED).exists()  # the first is opened twice
    with Progress("Proving on the interpreter", files + 2) as progress:
        run_module(
            "edge_experts.converters.verify.proof_process",
            job,
            progress.step,
            _unproven,
            interpreter=package,
        )


def _unmade(last: str, reason: str) -> ConversionError:
    return ConversionError(f"{last}: TensorFlow's converter cannot make it: {reason}")


def _unproven(last: str, reason: str) -> ModelError:
    return ModelError(f"{last} does not run on the interpreter: {reason}")
