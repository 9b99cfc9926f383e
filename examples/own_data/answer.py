"""Answer rows by machine.bundle, as a program on the board does."""

import sys

from edge_experts import ExpertRuntime
from edge_experts.errors import EdgeExpertsError

ROWS = [
    {"speed": 1500, "vibration": 1.0, "temperature": 45.0},
    {"speed": 2800, "vibration": 6.2, "temperature": 54.0},
    {"speed": 600, "vibration": 2.9, "temperature": 52.0},
    # A gap: the features put the training data's mean there.
    {"speed": 2800, "vibration": 6.2, "temperature": None},
]

try:
    # Opening reads the router. An expert is read when the first input needs it.
    with ExpertRuntime("machine.bundle", memory_budget="2MB") as runtime:
        for row in ROWS:
            answer = runtime.predict(row)
            print(
                f"{row}: {answer.label} ({answer.score:.2f}) by expert {answer.expert}; "
                f"{answer.timings.load_us:.0f} µs to load it, {answer.timings.invoke_us:.0f} to run"
            )
            for warning in answer.warnings:
                print(f"  {warning}")
        print(f"in memory: experts {runtime.resident}, {runtime.resident_bytes:,} bytes")
except EdgeExpertsError as error:  # no bundle, a damaged file, a column that is missing
    sys.exit(f"error: {error}")
