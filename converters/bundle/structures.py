"""Structures of a bundle's model files, which its manifest stores for `inspect`.

A board reads them there without TensorFlow's schema. Files of equal structure are described once: a
thousand experts of one shape differ only in their weights.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..targets.tflite_reader import Port, Structure, read

_DETAILED = 64  # structures whose weights are listed; a manifest's size is limited
_ROWS = 32  # of weights, the largest; the rest is summed up


def summarize(files: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """Describe each structure once, with the paths of its files.

    It is {"files": [path, ...], "operators": {name: version}, "uses": {name: count}, "tensors":
    number, "inputs" and "outputs": [{"name", "type", "shape"}], "metadata_bytes": number,
    "weights_bytes": {type: bytes}, "weights": [{"layer", "operator", "type", "bytes"}, ...]}; and
    "functions": [{"name", "inputs", "outputs"}, ...] of files with several.

    The rest of a file is its graph. Its size is not included, because it differs by some bytes
    between files of equal structure.
    """
    found: dict[str, dict[str, Any]] = {}
    for path, content in files.items():
        summary = _summary(read(content))
        same = found.setdefault(json.dumps(summary, sort_keys=True), {"files": [], **summary})
        same["files"].append(path)
    structures = list(found.values())
    for structure in structures[_DETAILED:]:
        del structure["weights"]
    return structures


def _summary(structure: Structure) -> dict[str, Any]:
    by_type: dict[str, int] = {}
    by_layer: dict[tuple[str, str, str], int] = {}
    for weight in structure.weights:
        by_type[weight.type] = by_type.get(weight.type, 0) + weight.bytes
        where = weight.layer, weight.operator, weight.type
        by_layer[where] = by_layer.get(where, 0) + weight.bytes
    rows = sorted(by_layer.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(size for _, size in rows[_ROWS:])
    kept = rows[:_ROWS] + ([(("the rest", "", ""), rest)] if rest else [])
    functions = [
        {
            "name": one.name,
            "inputs": [_port(port) for port in one.inputs],
            "outputs": [_port(port) for port in one.outputs],
        }
        for one in structure.functions
    ]
    operators: dict[str, int] = {}
    uses: dict[str, int] = {}
    for one in structure.operators:
        operators[one.name] = max(one.version, operators.get(one.name, 0))
        uses[one.name] = one.count + uses.get(one.name, 0)
    return {
        "operators": operators,
        "uses": uses,
        "tensors": structure.tensors,
        "inputs": [_port(port) for port in structure.inputs],
        "outputs": [_port(port) for port in structure.outputs],
        **({"functions": functions} if functions else {}),
        "metadata_bytes": structure.metadata_bytes,
        "weights_bytes": by_type,
        "weights": [
            {"layer": layer, "operator": operator, "type": kind, "bytes": size}
            for (layer, operator, kind), size in kept
        ],
    }


def _port(port: Port) -> dict[str, Any]:
    return {"name": port.name, "type": port.type, "shape": list(port.shape)}
