"""Parser of manifests: checks every rule of manifest.json, for any bytes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import FormatVersionError, ManifestError
from .bounded_read import read_at_most
from .drift_reference import read_reference
from .expert_names import check_names, read_generation
from .limits import LIMITS
from .manifest import (
    COMBINE,
    CONTRACT,
    CONTRACT_VERSION,
    FORMAT_VERSION,
    MANIFEST,
    SIGNATURE,
    FeatureSpec,
    FileEntry,
    Layer,
    Manifest,
    TaskSpec,
    canonical_digest,
)
from .strict_json import AGAIN, Reader, odd_label, strict_json

_MAJOR_VERSIONS = {FORMAT_VERSION.split(".")[0], CONTRACT_VERSION.split(".")[0]}


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a bundle; no other file is opened.

    Raises:
        ManifestError: it is missing, damaged, or breaks a rule.
        FormatVersionError: it has a newer format.
        MachineError: the operating system does not permit the read.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ManifestError(
            f"{folder}: no such bundle folder; `edge-experts convert` makes bundles"
        )
    raw = read_at_most(path, LIMITS.manifest_bytes)
    if raw is None:
        raise ManifestError(
            f"{folder}: not a bundle, it has no {MANIFEST}; `edge-experts convert` makes bundles"
        )
    return parse_manifest(raw, str(path))


def parse_manifest(raw: bytes, where: str = MANIFEST) -> Manifest:
    """Check the bytes of a manifest; `where` is its name in errors."""
    if len(raw) > LIMITS.manifest_bytes:
        raise ManifestError(f"{where}: larger than {LIMITS.manifest_bytes} bytes")
    try:
        content = strict_json(raw)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not a manifest: {error}; {AGAIN}") from None
    reader = Reader(content, where)
    # The version comes first: a newer format may even compute its digest differently.
    version = reader.text("format_version")
    if version.split(".")[0] not in _MAJOR_VERSIONS:
        known = " or ".join(f"{major}.x" for major in sorted(_MAJOR_VERSIONS))
        raise FormatVersionError(
            f"{where}: format {version!r} is not {known}, which this version reads; install a "
            "newer edge-experts"
        )
    if reader.text("digest") != canonical_digest(content):
        raise ManifestError(
            f"{where}: changed since it was published (its digest differs); {AGAIN}"
        )
    return _manifest(reader, version)


def _manifest(reader: Reader, version: str) -> Manifest:
    features = reader.object("features")
    if version.split(".")[0] == FORMAT_VERSION.split(".")[0] and CONTRACT in _config(reader):
        raise reader.error("features", f"of format {version} have no {CONTRACT}")
    experts = tuple(map(_file, reader.objects("experts", 1, LIMITS.experts)))
    combine, top_k = reader.text("combine"), reader.whole("top_k", 1)
    if combine not in COMBINE:
        raise reader.error("combine", f"must be one of {COMBINE}, got {combine!r:.40}")
    if top_k > len(experts):
        raise reader.error("top_k", f"must be at most {len(experts)} (the experts), got {top_k}")
    router = _optional_file(reader, "router")
    generation, labels = read_generation(reader), _labels(reader)
    task_spec, layers = _task_spec(reader, version), _layers(reader, version, len(experts))
    # A layer of one expert always uses it: a dense layer among routed ones.
    if any(1 < layer.experts < top_k for layer in layers):
        raise reader.error("top_k", f"must be at most the experts of each layer, got {top_k}")
    if layers and (router is not None or combine != "top" or generation is not None):
        raise reader.error("layers", "need combine top, and neither router nor generation")
    if task_spec is not None and generation is not None:
        raise reader.error("generation", "must be null where there is a task_spec")
    routed = router is not None or bool(layers)
    if not routed and combine == "top" and len(experts) > 1 and generation is None:
        raise reader.error("router", "is missing, and there is more than one expert to pick from")
    if router is not None and combine == "sum":
        raise reader.error("router", "must be null where combine is sum")
    second_below = reader.optional_share("second_below")
    if second_below is not None and (router is None or len(experts) < 2 or top_k != 1):
        raise reader.error("second_below", "needs a router, two experts or more, and top_k 1")
    if generation is not None:
        if combine != "top" or top_k != 1 or second_below is not None:
            raise reader.error("generation", "needs combine top, top_k 1, and no second_below")
        check_names(reader, labels, len(experts), routed=router is not None)
    told = reader.content.get("reference") is not None
    manifest = Manifest(
        name=reader.text("name"),
        bundle_version=reader.whole("bundle_version", 1),
        task=reader.text("task"),
        features=FeatureSpec(
            features.text("kind"),
            features.object("config").content,
            _optional_file(features, "file"),
        ),
        labels=labels,
        combine=combine,
        top_k=top_k,
        temperature=reader.number(
            "temperature", LIMITS.least_temperature, LIMITS.largest_temperature
        ),
        router=router,
        experts=experts,
        golden=_file(reader.object("golden")),
        model_card=_file(reader.object("model_card")),
        verified_on=reader.object("verified_on").content,
        provenance=reader.object("provenance").content,
        second_below=second_below,
        abstain_below=reader.optional_share("abstain_below"),
        reference=read_reference(reader.object("reference"), len(experts)) if told else None,
        generation=generation,
        task_spec=task_spec,
        layers=layers,
        dense=_dense(reader, task_spec),
        trained_rows=_trained_rows(reader, version),
        format_version=version,
        digest=reader.text("digest"),
    )
    # Lower case: storage cards are often formatted with a case-insensitive file system.
    paths = [entry.path.lower() for entry in manifest.files]
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    if len(set(paths)) != len(paths) or not folders.isdisjoint(paths):
        raise ManifestError(f"{reader.where}: lists a file twice, or as a folder too")
    return manifest


def _task_spec(reader: Reader, version: str) -> TaskSpec | None:
    if version.split(".")[0] == FORMAT_VERSION.split(".")[0]:
        return None
    if reader.content.get("task_spec") is None and CONTRACT in _config(reader):
        return None  # classification or translation, as in 1.x
    found = reader.object("task_spec")
    return TaskSpec(found.text("type"), found.object("config").content)


def _trained_rows(reader: Reader, version: str) -> tuple[FileEntry, ...]:
    old = version.split(".")[0] == FORMAT_VERSION.split(".")[0]
    if old or reader.content.get("trained_rows") is None:
        return ()
    return tuple(map(_file, reader.objects("trained_rows", 0, LIMITS.trainings)))


def _dense(reader: Reader, task_spec: TaskSpec | None) -> tuple[FileEntry, ...]:
    if task_spec is None or reader.content.get("dense") is None:
        return ()
    return tuple(map(_file, reader.objects("dense", 0, LIMITS.dense_parts)))


def _config(reader: Reader) -> Mapping[str, Any]:
    """Read the settings of the features."""
    config: Mapping[str, Any] = reader.object("features").object("config").content
    return config


def _layers(reader: Reader, version: str, experts: int) -> tuple[Layer, ...]:
    if version.split(".")[0] == FORMAT_VERSION.split(".")[0]:
        return ()
    layers = tuple(
        Layer(_file(layer.object("router")), layer.whole("experts", 1))
        for layer in reader.objects("layers", 0, experts)
    )
    if layers and sum(layer.experts for layer in layers) != experts:
        raise reader.error("layers", f"must share {experts} experts among them")
    return layers


def _labels(reader: Reader) -> tuple[str, ...]:
    labels = reader.items("labels", 1, LIMITS.labels)
    if not all(isinstance(label, str) for label in labels):
        raise reader.error("labels", "must be texts")
    problem = odd_label(labels)
    if problem is not None:
        raise reader.error("labels", problem)
    return tuple(labels)


def _file(reader: Reader) -> FileEntry:
    path = reader.content.get("path")
    if not isinstance(path, str) or not _stays_inside(path):
        raise reader.error("path", f"must stay inside the bundle, got {path!r:.80}")
    digest, crc = reader.text("sha256"), reader.text("crc32")
    if not re.fullmatch("[0-9a-f]{64}", digest) or not re.fullmatch("[0-9a-f]{8}", crc):
        raise reader.error("sha256", "or crc32 must be 64 or 8 digits, 0-9 and a-f")
    size = reader.whole("bytes", 0, LIMITS.file_bytes)
    arena = None if reader.content.get("arena_bytes") is None else reader.whole("arena_bytes", 1)
    return FileEntry(path, size, digest, crc, reader.whole("resident_bytes"), arena)


def _optional_file(reader: Reader, key: str) -> FileEntry | None:
    return None if reader.content.get(key) is None else _file(reader.object(key))


def _stays_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return (
        0 < len(path) <= LIMITS.path_characters
        # File systems may treat other characters differently.
        and path.isascii()
        and path.isprintable()
        and not pure.is_absolute()
        and str(pure) == path
        and ".." not in pure.parts
        and not any(character in path for character in "\\:")
        and path.lower() not in (".", MANIFEST, SIGNATURE)
    )
