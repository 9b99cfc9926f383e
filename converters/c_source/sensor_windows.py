"""Windows of rows of sensors in C source: how they are cut, and the names of the channels."""

from __future__ import annotations

from typing import Any

from edge_experts.features import ArrayFeatures

from ..tasks import c_literals as literals

FILES = ("edge_experts_windows.h", "edge_experts_windows.c")
EXPLAINED = """
Rows as they come from a sensor are cut into windows by `edge_experts_windows.c`, with the same
numbers as `edge-experts run --stream`; a window comes out encoded:

    #include "edge_experts_windows.h"

    static edge_experts_windows windows;
    edge_experts_push(&windows, row, seconds);  // as edge_experts_channels are
    while (edge_experts_next(&windows, x))
        if (runner.ask(x, &answer) == 0) ...

"""


def defines(features: ArrayFeatures) -> dict[str, Any]:
    """Return the numbers of edge_experts_config.h."""
    stream = features.stream
    assert stream is not None
    rows, channels = features.settings["shape"]
    return {
        "WINDOW_ROWS": rows,
        "CHANNELS": channels,
        "STRIDE": stream.stride,
        "INTERVAL": literals.double(stream.interval or 0.0),
    }


def definitions(features: ArrayFeatures) -> str:
    """Write the arrays of edge_experts_tables.c."""
    assert features.stream is not None
    names = literals.listing(map(literals.text, features.stream.channels))
    return f"const char *const edge_experts_channels[] = {{\n{names}\n}};\n\n"
