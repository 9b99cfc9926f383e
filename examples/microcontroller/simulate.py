"""Run monitor.c on this machine, its models by TensorFlow Lite Micro: simulate.py LIBRARY < CSV."""

import csv
import ctypes
import sys
from pathlib import Path

import numpy as np

try:
    from tflite_micro import runtime
except ImportError:
    sys.exit("error: needs tflite-micro: pip install -e '.[train]' (x86-64 Linux only)")

TYPES = {1: np.float32, 2: np.int8}  # edge_experts_type; 0: there is no such tensor


class Tensor(ctypes.Structure):  # edge_experts_tensor
    _fields_ = (
        ("type", ctypes.c_int),
        ("place", ctypes.c_int),
        ("numbers", ctypes.c_int),
        ("scale", ctypes.c_float),
        ("zero_point", ctypes.c_int),
    )


class Model(ctypes.Structure):  # edge_experts_model
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("bytes", ctypes.c_size_t),
        ("arena_bytes", ctypes.c_size_t),
        ("x", Tensor),
        ("trunk", Tensor),
        ("output", Tensor),
        ("trunk_output", Tensor),
    )


def main(path: str) -> int:
    library = ctypes.CDLL(str(Path(path).resolve()))  # a bare name is looked for in system folders

    # edge_experts_run: what edge_experts_tflm.hpp does on a board. Python keeps no interpreter
    # between two answers either: router and experts share one arena there.
    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(Model), *[ctypes.c_void_p] * 3)
    def run(context: object, model: object, x: int, trunk: int, output: int) -> int:
        model = model.contents
        interpreter = runtime.Interpreter.from_bytes(
            ctypes.string_at(model.data, model.bytes), arena_size=model.arena_bytes
        )
        for tensor, values in ((model.x, x), (model.trunk, trunk)):
            if tensor.type:
                shape = interpreter.get_input_details(tensor.place)["shape"]
                array = np.empty(shape, TYPES[tensor.type])
                library.edge_experts_write(
                    ctypes.byref(tensor), ctypes.c_void_p(values), array.ctypes.data_as(POINTER)
                )
                interpreter.set_input(array, tensor.place)
        interpreter.invoke()
        for tensor, values in ((model.output, output), (model.trunk_output, trunk)):
            if tensor.type:
                array = np.ascontiguousarray(interpreter.get_output(tensor.place))
                library.edge_experts_read(
                    ctypes.byref(tensor), array.ctypes.data_as(POINTER), ctypes.c_void_p(values)
                )
        return 0

    alarms = 0
    for row in csv.DictReader(sys.stdin):
        reading = [ctypes.c_double(float(row[name])) for name in NAMES]
        alarm = library.monitor_step(*reading, run, None)
        if alarm < 0:
            sys.exit("error: the interpreter failed")
        alarms += alarm
    return alarms


NAMES = ("speed", "vibration", "temperature")
POINTER = ctypes.c_void_p

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        main(sys.argv[1])
    except OSError as error:
        sys.exit(f"error: {error}; compile it first, as README.md shows")
    except (KeyError, ValueError) as error:
        sys.exit(f"error: the rows on stdin need the columns {', '.join(NAMES)}: {error}")
