"""Bundles of random networks, for figures that do not depend on training.

The files are real ones: the converter makes the router and one expert, and the other experts are
that one with its weights shuffled. The labels have no meaning.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from edge_experts.converters.bundle import bundle_files as export
from edge_experts.converters.tasks.conversion_task import GOLDEN_EXAMPLES

from edge_experts import subprocesses
from edge_experts.features import ArrayFeatures, Features
from edge_experts.format.atomic import staged
from edge_experts.format.expert_names import Generation
from edge_experts.format.manifest import (
    FEATURES,
    GOLDEN,
    MODEL_CARD,
    ROUTER,
    FeatureSpec,
    Manifest,
    expert_path,
)
from edge_experts.format.npz import npz
from edge_experts.runtime import ExpertRuntime
from edge_experts.runtime.interpreter import interpreter_class
from edge_experts.runtime.memory import costs
from edge_experts.runtime.tasks import open_task

_EXAMPLES = 64


class Made(Protocol):
    """Description of a random bundle."""

    @property
    def experts(self) -> int: ...

    @property
    def quantization(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def name(self) -> str: ...

    @property
    def features(self) -> Features: ...

    @property
    def label_names(self) -> Sequence[str]: ...

    @property
    def generation(self) -> Generation | None: ...

    def golden(self) -> list[Any]:
        """Golden examples."""


@dataclass(frozen=True)
class Synthetic:
    """Networks that choose labels.

    Attributes:
        inputs: numbers in one example, which are expected to be about standard normal.
        hidden: units of each expert's hidden layers.
        quantization: of all files, as for `convert`.
    """

    experts: int
    inputs: int = 64
    hidden: Sequence[int] = (64,)
    labels: int = 10
    quantization: str = "int8"
    seed: int = 0
    generation: None = None

    @property
    def name(self) -> str:
        return f"synthetic-{self.experts}"

    @property
    def features(self) -> ArrayFeatures:
        return ArrayFeatures((self.inputs,), np.zeros(()), np.ones(()))

    @property
    def label_names(self) -> list[str]:
        return [f"label {label}" for label in range(self.labels)]

    def golden(self) -> list[np.ndarray]:
        return list(self.examples(self.seed + 1)[:GOLDEN_EXAMPLES])

    def build(self, out: Path, models: Path | None = None) -> None:
        """Write the bundle; see `build`."""
        build(self, _convert, out, models)

    def examples(self, seed: int) -> np.ndarray:
        """Draw inputs of the expected distribution, (examples, inputs) float32."""
        chance = np.random.default_rng(seed)
        return chance.normal(size=(_EXAMPLES, self.inputs)).astype(np.float32)


def build(made: Made, convert: Callable[[Any, Path], None], out: Path, models: Path | None) -> None:
    """Write a bundle; TensorFlow is imported in a child process only.

    Args:
        convert: writes the router and the first expert into a folder; a function of a module.
        models: a folder with router.tflite, if there is to be one, and expert.tflite, made before;
            by default they are converted.
    """
    with staged(out) as folder:
        (folder / "experts").mkdir()
        if models is None:
            subprocesses.call(convert, made, folder)
        else:
            shutil.copyfile(models / "expert.tflite", folder / expert_path(0))
            if (models / ROUTER).exists():
                shutil.copyfile(models / ROUTER, folder / ROUTER)
        subprocesses.call(_finish, made, folder)


def _convert(made: Synthetic, folder: Path) -> None:
    """Convert the router and the first expert; in a process with TensorFlow."""
    import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported
    import tf_keras  # isort: skip

    from edge_experts.converters.tflite.quantization import to_tflite

    tf_keras.utils.set_random_seed(made.seed)

    def write(path: str, hidden: Sequence[int], outputs: int) -> None:
        inputs = last = tf_keras.Input((made.inputs,), name="x")
        for units in hidden:
            last = tf_keras.layers.Dense(units, "relu")(last)
        network = tf_keras.Model({"x": inputs}, tf_keras.layers.Dense(outputs)(last))
        content = to_tflite(network, made.quantization, {"x": made.examples(made.seed)})
        (folder / path).write_bytes(content)

    if made.experts > 1:
        write(ROUTER, (), made.experts)
    write(expert_path(0), made.hidden, made.labels)


def _finish(made: Made, folder: Path) -> None:
    """Make the other experts, and all other files; in a process without TensorFlow."""
    first = (folder / expert_path(0)).read_bytes()
    weights = weights_in(first)
    for index in range(1, made.experts):
        content = shuffled(first, weights, made.seed + index)
        (folder / expert_path(index)).write_bytes(content)
    features, examples = made.features, made.golden()
    manifest = _draft(made, folder, features)
    export.write_manifest(folder, manifest)
    # They differ only in the values of their weights, so their costs are equal.
    alone = replace(manifest, experts=manifest.experts[:1])
    found = costs.measure(folder, alone, features.encode(examples[0]), open_task(alone, features))
    found |= {entry.path: found[expert_path(0)] for entry in manifest.experts}
    with ExpertRuntime(folder, strict=True) as runtime:
        answers = [runtime.predict(example) for example in examples]
    golden = export.write_golden(
        folder,
        features,
        examples,
        np.array([answer.scores for answer in answers]),
        np.array([answer.expert for answer in answers]),
        runtime.task.golden_arrays(answers),
    )
    export.write_manifest(folder, replace(export.with_costs(manifest, found, {}), golden=golden))


def _draft(made: Made, folder: Path, features: Features) -> Manifest:
    arrays = export.write(folder, FEATURES, npz(**features.arrays))
    return Manifest(
        name=made.name,
        bundle_version=1,
        task="none: the weights are random",
        features=FeatureSpec(features.kind, features.settings, arrays),
        labels=tuple(made.label_names),
        combine="top",
        top_k=1,
        temperature=1.0,
        router=export.pin(folder, ROUTER) if (folder / ROUTER).exists() else None,
        experts=tuple(export.pin(folder, expert_path(index)) for index in range(made.experts)),
        golden=export.write(folder, GOLDEN, b""),
        model_card=export.write(folder, MODEL_CARD, b"Random weights, for measurements.\n"),
        verified_on={},
        provenance={"quantization": made.quantization, "seed": made.seed},
        generation=made.generation,
    )


def weights_in(content: bytes) -> list[np.ndarray]:
    """Return the weights in a file: its constant tensors of two axes."""
    interpreter = interpreter_class()(model_content=content)
    interpreter.allocate_tensors()
    found = []
    for details in interpreter.get_tensor_details():
        if len(details["shape"]) == 2 and min(details["shape"]) > 1:
            try:
                weights = interpreter.get_tensor(details["index"]).copy()
            except ValueError:  # LiteRT: tensors of other signatures have no memory yet
                continue
            if content.count(weights.tobytes()) == 1:
                found.append(weights)
    return found


def shuffled(content: bytes, weights: Sequence[np.ndarray], seed: int) -> bytes:
    """Return the file with the values of each of its weights in another order."""
    chance = np.random.default_rng(seed)
    for values in weights:
        other = chance.permutation(values.ravel())
        content = content.replace(values.tobytes(), other.tobytes())
    return content
