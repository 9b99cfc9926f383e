"""Child process that runs converted files, without importing TensorFlow.

Call: `python -m benchmarks.converting.generated.answer_process FOLDER INTERPRETER`. FOLDER contains
`asked.json`, a list of [file, test.npy file]. For each the process writes FILE.INTERPRETER.npy, the
outputs (examples, outputs), or FILE.INTERPRETER.refused, the reason. Existing results are not
computed again, so that a crash only costs the file that caused it: the last line on stdout names
it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

INTERPRETERS = {"tflite-runtime": "tflite_runtime", "ai-edge-litert": "ai_edge_litert"}


def main(folder: Path, name: str) -> None:
    for other in set(INTERPRETERS.values()) - {INTERPRETERS[name]}:
        sys.modules[other] = None  # type: ignore[assignment]  # as if it were not installed
    from edge_experts.errors import ModelError
    from edge_experts.runtime.interpreter import Model

    for file, test in json.loads((folder / "asked.json").read_text()):
        made, refused = (Path(f"{file}.{name}.{end}") for end in ("npy", "refused"))
        if made.exists() or refused.exists():
            continue
        print(file, flush=True)
        try:
            model = Model(Path(file).read_bytes(), file)
            np.save(made, [model({"x": row[None]}).copy() for row in np.load(test)])
        except ModelError as error:
            refused.write_text(str(error))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
