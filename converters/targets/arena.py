"""Child process that runs files in TensorFlow Lite Micro, and finds the arena that each needs.

`python -m edge_experts.converters.targets.arena JOB` reads

    micro.json    {"files": {name: {"path": of the .tflite file, "inputs": names in its order}}}
    micro.npz     arrays of example inputs by name, (examples, ...), as the file takes them

and writes

    arenas.json   {"files": {name: {"failed": null or the reason, "arena_bytes": number}},
                   "version": tflite-micro's}
    answers.npz   by name: TensorFlow Lite Micro's answers (examples, outputs); where it answered
    here.npz      the same from this machine's interpreter

Each attempt is a fork of its own: in an arena that is too small, TensorFlow Lite Micro does not
always report an error, but uses a null pointer, and crashes.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from edge_experts.runtime.interpreter import interpreter_class

_LARGE = 2**24  # bytes; a file that needs more is not suitable for a microcontroller
_PATIENCE = 120  # seconds for one attempt, after which it counts as crashed
_STEP = 16  # alignment of buffers in TensorFlow Lite Micro


def main(job: Path) -> None:
    import tflite_micro

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # crashes are expected
    order, arrays = json.loads((job / "micro.json").read_text()), dict(np.load(job / "micro.npz"))
    found: dict[str, dict[str, object]] = {}
    answers, here = {}, {}
    for name, file in order["files"].items():
        print(name, flush=True)
        content = Path(file["path"]).read_bytes()
        inputs = [arrays[one] for one in file["inputs"]]
        answer, reason = _attempt(content, inputs, _LARGE)
        found[name] = {"failed": reason}
        if answer is not None:
            answers[name] = answer
            found[name]["arena_bytes"] = _smallest(content, inputs, answer)
            here[name] = _here(content, inputs)
    np.savez(job / "answers.npz", **answers)
    np.savez(job / "here.npz", **here)
    (job / "arenas.json").write_text(
        json.dumps({"files": found, "version": tflite_micro.__version__})
    )


def _smallest(content: bytes, inputs: Sequence[np.ndarray], answer: np.ndarray) -> int:
    """Find the smallest arena in which the file still gives this answer, bytes."""
    too_small, enough = 0, _LARGE // _STEP
    while enough - too_small > 1:
        middle = (too_small + enough) // 2
        found, _ = _attempt(content, [array[:1] for array in inputs], middle * _STEP)
        if found is not None and np.array_equal(found, answer[:1]):
            enough = middle
        else:
            too_small = middle
    return enough * _STEP


def _here(content: bytes, inputs: Sequence[np.ndarray]) -> np.ndarray:
    """Compute answers of this machine's interpreter, proven to run the file: (examples, ...)."""
    interpreter = interpreter_class()(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    places = [one["index"] for one in interpreter.get_input_details()]
    output = interpreter.get_output_details()[0]["index"]
    answers = []
    for row in range(len(inputs[0])):
        for place, array in zip(places, inputs, strict=True):
            interpreter.set_tensor(place, array[row : row + 1])
        interpreter.invoke()
        answers.append(interpreter.get_tensor(output)[0])
        interpreter.reset_all_variables()
    return np.array(answers)


def _attempt(
    content: bytes, inputs: Sequence[np.ndarray], arena: int
) -> tuple[np.ndarray | None, str | None]:
    """Run the file in an arena of this size: answers (examples, outputs), or the error."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            _answer_and_exit(content, inputs, arena, out, log)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            out.seek(0)
            answer: np.ndarray = np.load(out)
            return answer, None
        log.seek(0)
        lines = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        said = lines[-1] if lines else "it says nothing"
        return None, said if code > 0 else f"it dies of signal {-code} ({said})"


def _answer_and_exit(
    content: bytes, inputs: Sequence[np.ndarray], arena: int, out: IO[bytes], log: IO[bytes]
) -> None:
    """Run in the fork; never returns."""
    from tflite_micro import runtime

    signal.alarm(_PATIENCE)
    os.dup2(log.fileno(), 2)
    try:
        interpreter = runtime.Interpreter.from_bytes(content, arena_size=arena)
        answers = []
        for row in range(len(inputs[0])):
            for place, array in enumerate(inputs):
                interpreter.set_input(array[row : row + 1], place)
            interpreter.invoke()
            answers.append(interpreter.get_output(0)[0])
            interpreter.reset()  # a recurrent network must not keep the state of the last input
        np.save(out, np.array(answers))
        out.flush()
        code = 0
    except Exception:  # TensorFlow Lite Micro has printed the cause before
        code = 1
    os._exit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
