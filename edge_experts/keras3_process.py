"""Child process that opens Keras 3 files: `python -m edge_experts.keras3_process`.

Keras 3 and tf_keras in one process build models without weights, and raise no error. Keras 3
therefore runs in a separate process, which never imports tf_keras. It takes a line of JSON for each
file on stdin, {"file": path, "out": folder}, and answers each with a line, {"failed": error or
null}. It ends with stdin, or after some seconds without a file. It writes what the parent process
needs to rebuild the network:

    OUT/network.json   its configuration, and the path of every layer that has weights
    OUT/weights.npz    "LAYER.NUMBER": weights of the layer at that index, in their order
    OUT/asked.npz      random inputs by their index ("0", "1" ...)
    OUT/answers.npz    outputs of the network for these inputs, by index
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_EXAMPLES = 16
_IDLE = 30.0  # seconds
UNUSED = 75  # exit code after these seconds without a file
_FREE = 32  # size of an axis that may have any


def main() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # TensorFlow may print to stdout, which must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    import keras

    idle = _watch()
    for line in sys.stdin:
        idle.cancel()
        task = json.loads(line)
        failed = None
        try:
            _write(Path(task["file"]), Path(task["out"]))
        except Exception as error:  # Keras raises many classes
            failed = "".join(traceback.format_exception_only(error)).strip()
        keras.backend.clear_session()
        print(json.dumps({"failed": failed}), file=answers, flush=True)
        idle = _watch()
    idle.cancel()


def _watch() -> threading.Timer:
    """Timer that ends this process, which takes half a gigabyte."""
    timer = threading.Timer(_IDLE, os._exit, (UNUSED,))
    timer.daemon = True
    timer.start()
    return timer


def _write(file: Path, out: Path) -> None:
    import keras

    model = keras.models.load_model(file, compile=False)
    if not isinstance(model, (keras.Sequential, keras.Model)) or not _has_graph(model):
        raise TypeError(f"{type(model).__name__} is a subclassed model, whose layers have no graph")
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    asked = _inputs(model)
    answers = model(asked if len(asked) > 1 else asked[0], training=False)
    weights: dict[str, np.ndarray] = {}
    paths: list[list[str]] = []
    for path, layer in _layers(model):
        # In the order of tf_keras; Keras 3 has them in that of their creation.
        ordered = sorted(layer.weights, key=lambda weight: not weight.trainable)
        for number, weight in enumerate(ordered):
            weights[f"{len(paths)}.{number}"] = np.asarray(weight)
        paths.append(path)
    content = {"keras": keras.__version__, "config": model.get_config(), "paths": paths}
    (out / "network.json").write_text(json.dumps(content, default=str), encoding="utf-8")
    np.savez(out / "weights.npz", **weights)
    np.savez(out / "asked.npz", **{str(place): array for place, array in enumerate(asked)})
    flat = keras.tree.flatten(answers)
    np.savez(out / "answers.npz", **{str(n): np.asarray(one) for n, one in enumerate(flat)})


def _has_graph(model: Any) -> bool:
    # A subclassed model may have a graph, and still call its layers in another way.
    import keras

    return type(model) is keras.Sequential or type(model).__module__.startswith("keras.src.models")


def _layers(model: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[list[str], Any]]:
    """Yield the path and the layer of each layer with weights; nested models are expanded."""
    import keras

    for layer in model.layers:
        own = (*path, layer.name)
        if isinstance(layer, keras.Model):
            yield from _layers(layer, own)
        elif layer.weights:
            yield list(own), layer


def _inputs(model: Any) -> list[np.ndarray]:
    """Random inputs: small whole numbers for embedding lookups, else normally distributed."""
    import keras

    random = np.random.default_rng(0)
    rows = [
        layer.input_dim for _, layer in _layers(model) if isinstance(layer, keras.layers.Embedding)
    ]
    made = []
    for tensor in model.inputs:
        shape = (_EXAMPLES, *(_FREE if size is None else size for size in tensor.shape[1:]))
        if rows or "int" in tensor.dtype:
            made.append(random.integers(min(rows, default=2), size=shape).astype(tensor.dtype))
        else:
            made.append(random.normal(size=shape).astype(tensor.dtype))
    return made


if __name__ == "__main__":
    main()
