"""The child process that proves a bundle on the interpreter which it will meet.

`python -m edge_experts.converters.proof JOB` opens JOB/bundle with the device runtime and nothing
else: TensorFlow in the same process could lend the interpreter its own kernels. It leaves

    costs.json       what each model takes in memory, bytes, by path
    deployed.npz     for JOB/inputs.npz's examples, in their order: scores, the first expert, and
                     how many were asked
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edge_experts import features
from edge_experts.runtime import ExpertRuntime, costs


def main(job: Path) -> None:
    folder = job / "bundle"
    with ExpertRuntime(folder, strict=True) as runtime:
        examples = runtime.features.unpack(np.load(job / "inputs.npz")["inputs"])
        print("memory", flush=True)
        arrays = features.encode_all(runtime.features, examples[:1])
        found = costs.measure(folder, runtime.manifest, arrays)
        (job / "costs.json").write_text(json.dumps(found))
        answers = []
        for number, answer in enumerate(runtime.predict_many(examples)):
            if number % 200 == 0:
                print(f"answer {number}", flush=True)
            answers.append(answer)
    np.savez(
        job / "deployed.npz",
        scores=np.array([answer.scores for answer in answers]),
        experts=np.array([answer.expert for answer in answers]),
        asked=np.array([len(answer.experts) for answer in answers]),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
