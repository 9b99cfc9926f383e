"""A case through `adopt`: saved in a format, read, converted, and compared with Keras."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import tf_keras
from edge_experts.converters.trial import TrialProcesses, TriedConversion

from edge_experts import run_folder
from edge_experts.features import encode_all
from edge_experts.format.manifest import expert_path
from edge_experts.training import adopt
from edge_experts.training.model_files import load_model

from .cases import Case
from .keras3_files import file_of
from .matrix_data import LABELS, dataset
from .outcome import Outcome, attempt, inputs_of

ADOPTIONS = (".keras", ".h5", "SavedModel", "weights only", "Keras 3 .keras", "Keras 3 .h5")
_ASKED = 12  # examples
_IN_INT8 = (".keras", "Keras 3 .keras")  # the other formats give the same networks


def adopted(
    case: Case, way: str, folder: Path, keras_3: Path, processes: TrialProcesses
) -> Outcome:
    """Save a case's network, adopt the file and convert the result.

    Args:
        keras_3: folder of the files that `keras3_files` wrote.
    """
    return attempt(case.name, way, partial(_adopted, case, way, folder, keras_3, processes))


def _adopted(
    case: Case, way: str, folder: Path, keras_3: Path, processes: TrialProcesses
) -> Outcome:
    if way.startswith("Keras 3"):
        path = file_of(keras_3, case, way.rpartition(" ")[2])
    else:
        path = folder / (
            "network" + {"SavedModel": "", "weights only": ".weights.h5"}.get(way, way)
        )
        _save(case, way, path)
    run = folder / "adopted.run"
    adopt(path, dataset(case.data, ids=case.data == "ids"), run)
    described = run_folder.read_run(run)
    features = run_folder.read_features(run, described)
    examples = run_folder.read_examples(run, features)["train"].inputs[:_ASKED]
    model = load_model(run / run_folder.MODEL)
    converted = folder / "converted"
    converted.mkdir()
    options = {expert_path(0): way}
    tried = TriedConversion(converted, model, encode_all(features, examples), options, processes)
    failed = tried.failures(("float32",))
    if failed:
        # `convert` refuses it; nothing was trained here that would be lost.
        return Outcome(case.name, way, "refused", next(iter(failed.values())))
    if way not in _IN_INT8:
        return Outcome(case.name, way, "works")
    failed = tried.failures(("int8",))
    return Outcome(case.name, way, "works", int8=next(iter(failed.values()), "works"))


def _save(case: Case, way: str, path: Path) -> None:
    inputs = inputs_of(case, ids=case.data == "ids")
    network = case.network(tf_keras, inputs, LABELS)
    if way == "weights only":
        network.save_weights(path)
    elif way == "SavedModel":
        network.save(path, save_format="tf")
    else:
        network.save(path)
