"""Size breakdown of a bundle, from its manifest alone, without a reader of model files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ManifestError
from .manifest import FileEntry, Manifest

_COUNTS = ("tensors", "metadata_bytes")
_TABLES = ("operators", "uses", "weights_bytes")


def anatomy(manifest: Manifest) -> dict[str, Any]:
    """Describe each file and the whole bundle in plain values.

    "files": for each, path, bytes, resident_bytes, arena_bytes (null: not made for
    microcontrollers) and, if the manifest has its structure, weights_bytes, graph_bytes (operators,
    tensors and their scales), metadata_bytes and structure, an index into "structures", which are
    those of the manifest. "totals": the bundle's bytes and their parts; the memory of all models,
    and the largest memory of one answer; and bytes of weights by type and by operator.

    Raises:
        ManifestError: the structures in the manifest are invalid.
    """
    found = structures(manifest)
    place = {path: index for index, one in enumerate(found) for path in one["files"]}
    files = [_file(entry, place.get(entry.path), found) for entry in manifest.files]
    return {"files": files, "structures": list(found), "totals": _totals(manifest, files, found)}


def structures(manifest: Manifest) -> Sequence[Mapping[str, Any]]:
    """Return the structures of its model files; empty for bundles older than format 1.2."""
    found = manifest.provenance.get("structures", [])
    if not isinstance(found, list) or not all(map(_makes_sense, found)):
        raise ManifestError("provenance: structures are invalid; convert again")
    return found


def operators(manifest: Manifest) -> dict[str, int]:
    """Return the highest version of each operator in its models."""
    highest: dict[str, int] = {}
    for one in structures(manifest):
        for name, version in one["operators"].items():
            highest[name] = max(version, highest.get(name, 0))
    return dict(sorted(highest.items()))


def arenas(manifest: Manifest) -> dict[str, int]:
    """Return the TensorFlow Lite Micro arena sizes in bytes by path; empty for other targets."""
    entries = manifest.files
    return {one.path: one.arena_bytes for one in entries if one.arena_bytes is not None}


def _file(
    entry: FileEntry, index: int | None, found: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "path": entry.path,
        "bytes": entry.bytes,
        "resident_bytes": entry.resident_bytes,
        "arena_bytes": entry.arena_bytes,
        "structure": index,
    }
    if index is not None:
        weights = sum(found[index]["weights_bytes"].values())
        metadata = found[index]["metadata_bytes"]
        row |= {
            "weights_bytes": weights,
            "graph_bytes": entry.bytes - weights - metadata,
            "metadata_bytes": metadata,
        }
    return row


def _totals(
    manifest: Manifest, files: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    models = manifest.models
    by_type: dict[str, int] = {}
    by_operator: dict[str, int] = {}
    for one in found:
        count = len(one["files"])
        for kind, size in one["weights_bytes"].items():
            by_type[kind] = by_type.get(kind, 0) + count * size
        for weight in one.get("weights", []):
            name = weight["operator"]
            by_operator[name] = by_operator.get(name, 0) + count * weight["bytes"]
    parts = ("weights_bytes", "graph_bytes", "metadata_bytes")
    total = sum(one["bytes"] for one in files)
    return {
        "bytes": total,
        **{part: sum(one.get(part, 0) for one in files) for part in parts},
        "beside_models_bytes": total - sum(one.bytes for one in models),
        "resident_bytes": sum(one.resident_bytes for one in models),
        "resident_bytes_of_one_answer": _of_one_answer(manifest),
        "arena_bytes": max(arenas(manifest).values(), default=None),
        "weights_by_type": by_type,
        "weights_by_operator": by_operator,
    }


def _of_one_answer(manifest: Manifest) -> int:
    """Compute the memory of routers, dense parts and the largest experts that may be picked."""
    picked = 2 if manifest.second_below is not None else manifest.top_k
    total = sum(part.resident_bytes for part in (*manifest.routers, *manifest.dense))
    for _, places in manifest.routed:
        costs = sorted(manifest.experts[place].resident_bytes for place in places)
        total += sum(costs if manifest.combine == "sum" else costs[-picked:])
    return total


def _makes_sense(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and _is_list(one.get("files"), lambda path: isinstance(path, str))
        and bool(one["files"])
        and all(type(one.get(key)) is int for key in _COUNTS)
        and all(_is_table(one.get(key)) for key in _TABLES)
        and _has_ports(one)
        and _is_list(one.get("functions", []), _is_function)
        and _is_list(one.get("weights", []), _is_weight)
    )


def _is_list(value: Any, of: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(map(of, value))


def _is_table(value: Any) -> bool:
    return isinstance(value, dict) and all(type(number) is int for number in value.values())


def _has_ports(value: Mapping[str, Any]) -> bool:
    return all(_is_list(value.get(key), _is_port) for key in ("inputs", "outputs"))


def _is_function(value: Any) -> bool:
    return _has_texts(value, "name") and _has_ports(value)


def _is_port(value: Any) -> bool:
    return _has_texts(value, "name", "type") and isinstance(value.get("shape"), list)


def _is_weight(value: Any) -> bool:
    return _has_texts(value, "layer", "operator", "type") and type(value.get("bytes")) is int


def _has_texts(value: Any, *keys: str) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in keys)
