"""Process that tries cases of the matrix, one after the other; started by `matrix`.

`python -m benchmarks.layers.matrix_process JOB` runs tasks as the conversion's processes do:

    {"do": "convert", "case": name, "out": .json file for the outcomes,
     "ways": one of `matrix.WAYS`, or some of `matrix.TRAINED` or of `matrix.ADOPTED`,
     "keras_3": folder of the files that Keras 3 saved}
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

# The processes share the cores, and small networks gain nothing from threads.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

from edge_experts.converters.process.pool import Workers  # isort: skip
from edge_experts.converters.process.serving import serve  # isort: skip
from edge_experts.converters.trial import TrialProcesses, answer_workers  # isort: skip

import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported

from .adopted import adopted  # isort: skip
from .as_backbone import on_backbone  # isort: skip
from .join_cases import join_cases  # isort: skip
from .layer_cases import layer_cases  # isort: skip
from .matrix import ADOPTED, BACKBONE, PLAIN  # isort: skip
from .outcome import attempt, plainly_converted  # isort: skip
from .trained import trained  # isort: skip

import tf_keras  # isort: skip


class MatrixProcess:
    """Cases by name, and the processes that all of them use."""

    def __init__(self, processes: TrialProcesses):
        self._cases = {case.name: case for case in (*layer_cases(), *join_cases())}
        self._processes = processes

    def do(self, task: dict[str, Any]) -> None:
        """Try a case in one way; write its outcomes."""
        tf_keras.backend.clear_session()
        tf_keras.mixed_precision.set_global_policy("float32")
        case, ways = self._cases[task["case"]], task["ways"]
        way = ways[0]
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            if way == PLAIN:
                found = [attempt(case.name, way, lambda: plainly_converted(case))]
            elif way in ADOPTED:
                found = adopted(case, ways, place, Path(task["keras_3"]), self._processes)
            elif way == BACKBONE:
                found = [on_backbone(case, place, self._processes)]
            else:
                found = trained(case, ways, place, self._processes)
        Path(task["out"]).write_text(
            json.dumps([each.to_json() for each in found]), encoding="utf-8"
        )


def main(job: Path) -> None:
    with Workers(job, 1) as converters, answer_workers(job) as interpreters:
        serve(MatrixProcess(TrialProcesses(converters, interpreters)).do)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
