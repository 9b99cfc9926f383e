from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared_options import Bundle, Json, print_json
from .bundle import in_words

if TYPE_CHECKING:
    from ...format.manifest import Manifest
    from ...runtime.tasks import Task


_CHECKPOINT, _GGUF = "config.json", ".gguf"  # files of checkpoints
_SHOWN = 40  # number of inputs shown; a table has one for each column


def inspect(bundle: Bundle, json: Json = False) -> None:
    """Show a bundle's labels, accuracy, operators and sizes.

    Of a checkpoint, config.json with or without its weights or a GGUF file: the sizes that its
    bundle would have.

    Example: edge-experts inspect sentiment.bundle
    """
    from dataclasses import asdict

    from ...errors import BundleError
    from ...features import read_features
    from ...format.inspection import anatomy
    from ...format.manifest import MANIFEST
    from ...format.manifest_parser import read_manifest
    from ...format.strict_json import harmless
    from ...runtime.tasks import task_class

    if not (bundle / MANIFEST).exists() and _is_checkpoint(bundle):
        from .checkpoint import inspect_checkpoint

        inspect_checkpoint(bundle, json=json)
        return
    manifest = read_manifest(bundle)
    found = anatomy(manifest)
    try:
        inputs, problem = read_features(bundle, manifest.features).inputs, ""
    except BundleError as error:  # the rest of the bundle can still be shown
        inputs, problem = [], str(error)
    if json:
        told = {**asdict(manifest), "inputs": inputs, "anatomy": found}
        print_json({"schema_version": "1.1", **told})
        return
    task = task_class(manifest)
    for part in (
        _head(manifest, task),
        _inputs(inputs, problem),
        _parity(manifest, task),
        _files(found),
        _structures(found),
    ):
        for line in part:
            print(harmless(line).rstrip())  # the text is untrusted


def _is_checkpoint(path: Path) -> bool:
    if path.suffix == _GGUF or (path / _CHECKPOINT).is_file():
        return True
    return path.is_dir() and any(path.glob(f"*{_GGUF}"))


def _head(manifest: Manifest, task: type[Task]) -> Iterator[str]:
    provenance, on = manifest.provenance, manifest.verified_on
    yield f"{manifest.name} (bundle version {manifest.bundle_version})"
    yield f"  task         {manifest.task}"
    yield f"  {task.labels_are:<12} {', '.join(manifest.labels)}"
    yield f"  experts      {len(manifest.experts)}, {manifest.asking}"
    if manifest.abstain_below is not None:
        yield f"  abstains     if the score is below {manifest.abstain_below:g}"
    yield f"  quantization {provenance.get('quantization')}"
    yield f"  {task.deployed_score(manifest)}"
    yield f"  verified on  {on.get('interpreter')} {on.get('version')}, {on.get('machine')}"
    if "target" in on:
        how = "its interpreter ran it" if on.get("run_on_target") else "by its table of operators"
        yield f"  made for     {on['target']}, {how}"
    yield f"  data         {provenance.get('data')}"
    changes = provenance.get("changes")
    if isinstance(changes, dict):
        yield f"  changes      since version {changes.get('base_version')}: {in_words(changes)}"


def _inputs(inputs: Sequence[Mapping[str, Any]], problem: str) -> Iterator[str]:
    """One line for each input and its constraints."""
    from ...features.fields import in_words

    yield "  inputs       " + (f"cannot be read: {problem}" if problem else "")
    for field in inputs[:_SHOWN]:
        yield f"    {in_words(field)}"
    if len(inputs) > _SHOWN:
        yield f"    and {len(inputs) - _SHOWN} more; --json has all"


def _parity(manifest: Manifest, task: type[Task]) -> Iterator[str]:
    """Differences from Keras, end to end and for each expert."""
    found = manifest.provenance.get("parity")
    if not isinstance(found, dict):
        return
    yield "  beside Keras   examples   " + " ".join(column.title for column in task.parity)
    experts = found.get("experts")
    told = [one for one in experts if isinstance(one, dict)] if isinstance(experts, list) else []
    for one in (found, *told):
        who = f"expert {one['expert']}" if "expert" in one else "end to end"
        yield (
            f"    {who:<12}{_number(one, 'examples', ',.0f'):>9}"
            + "".join(f"{_number(one, key, form):>{width}}" for _, key, form, width in task.parity)
        )


def _number(one: Mapping[str, Any], key: str, form: str) -> str:
    value = one.get(key)
    return format(value, form) if isinstance(value, int | float) else "?"


def _files(found: Mapping[str, Any]) -> Iterator[str]:
    columns = {"bytes": "bytes", "resident_bytes": "in memory"}
    if found["structures"]:
        columns |= {"weights_bytes": "weights", "graph_bytes": "graph", "metadata_bytes": "meta"}
    if found["totals"]["arena_bytes"] is not None:
        columns["arena_bytes"] = "arena"
    yield "  files               " + "".join(f"{name:>12}" for name in columns.values())
    totals = found["totals"]
    for row in (*found["files"], {"path": "all", **totals}):
        yield f"    {row['path']:<18}" + "".join(_cell(row.get(key)) for key in columns)
    needed = totals["resident_bytes_of_one_answer"]
    yield f"  in memory for one answer: {needed:,} bytes, routers, dense parts, largest experts"


def _cell(value: int | None) -> str:
    return f"{value:>12,}" if value else f"{'':>12}"


def _structures(found: Mapping[str, Any]) -> Iterator[str]:
    """Content of the files by structure, with the sizes of the first file of each structure."""
    files = {row["path"]: row for row in found["files"]}
    for one in found["structures"]:
        first, more = one["files"][0], len(one["files"]) - 1
        yield ""
        yield f"  {first}" + (f" and {more} like it" if more else "")
        yield f"    operators  {', '.join(_uses(one))}"
        functions = one.get("functions", [])
        yield f"    tensors    {one['tensors']}" + ("" if functions else f"; {_ends(one)}")
        for function in functions:
            yield f"    function   {function['name']}: {_ends(function)}"
        kinds = (f"{kind} {count:,}" for kind, count in one["weights_bytes"].items())
        yield f"    weights    {', '.join(kinds) or 'none'} bytes"
        row = files.get(first)
        if row is None:
            continue
        rows = [
            (f"{w['layer']:<24}{w['operator']:<30}{w['type']:<8}", w["bytes"])
            for w in one.get("weights", [])
        ]
        rows += [("operators, tensors and their scales", row["graph_bytes"])]
        rows += [("metadata", row["metadata_bytes"])]
        for what, size in rows:
            yield f"      {what:<62}{size:>10,}{size / max(1, row['bytes']):>8.1%}"


def _uses(one: Mapping[str, Any]) -> Iterator[str]:
    for name, version in sorted(one["operators"].items()):
        count = one["uses"].get(name, 1)
        yield f"{name} v{version}" + (f" x{count}" if count > 1 else "")


def _ends(one: Mapping[str, Any]) -> str:
    return f"{_ports(one, 'inputs')} to {_ports(one, 'outputs')}"


def _ports(one: Mapping[str, Any], which: str) -> str:
    return ", ".join(f"{port['name']} {port['type']} {port['shape']}" for port in one[which])
