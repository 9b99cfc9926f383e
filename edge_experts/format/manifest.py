"""The bundle format: what manifest.json says, which limits hold, and how it is checked.

A bundle is a folder; `manifest.json` lists every other file with its size and digests and carries
a digest of itself, so that an accidental change anywhere is noticed. This module needs the
standard library only and touches no file but the manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import FormatVersionError, ManifestError
from .bounded_read import read_at_most
from .drift_reference import Reference, read_reference
from .expert_names import Generation, check_names, read_generation
from .limits import LIMITS as LIMITS
from .strict_json import AGAIN, Reader, odd_label, strict_json

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"  # of the manifest's bytes, beside it where someone signed the bundle
ROUTER = "router.tflite"
FEATURES = "features.npz"
GOLDEN = "golden.npz"
MODEL_CARD = "MODEL_CARD.md"
# 1.x holds bundles of classification and translation. All optional; 1.1: second_below and
# abstain_below; 1.2: arena_bytes, provenance's structures; 1.3: reference; 1.4: generation, and
# experts without a router that are asked for by name; 1.5: several of these for one language, of
# which a router picks
FORMAT_VERSION = "1.5"
# 2.x holds those of other tasks, which readers of 1.x must refuse: task_spec, and layers.
TASKS_VERSION = "2.0"
_MAJOR_VERSIONS = {FORMAT_VERSION.split(".")[0], TASKS_VERSION.split(".")[0]}
TRUNK = "trunk"  # the experts' input that is the router's second output, where it has one
COMBINE = ("top", "sum")


def expert_path(index: int) -> str:
    return f"experts/{index:03d}.tflite"


Buffer = bytes  # FileEntry has a field of that name, as the format does


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle, pinned.

    Attributes:
        resident_bytes: what loading it costs in memory.
        arena_bytes: what it needs in TensorFlow Lite Micro, where it was made for that.
    """

    path: str
    bytes: int
    sha256: str
    crc32: str
    resident_bytes: int = 0
    arena_bytes: int | None = None

    @classmethod
    def of(cls, path: str, content: Buffer, resident_bytes: int = 0) -> FileEntry:
        return cls(path, len(content), sha256(content), crc32(content), resident_bytes)


@dataclass(frozen=True)
class FeatureSpec:
    """How an input becomes arrays: the kind of features, its settings, and a file of arrays."""

    kind: str
    config: Mapping[str, Any]
    file: FileEntry | None = None


@dataclass(frozen=True)
class TaskSpec:
    """How outputs of experts become an answer: the type of task, and its settings."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """A router, and how many of the experts it picks from; the next layer's follow them."""

    router: FileEntry
    experts: int


@dataclass(frozen=True)
class Manifest:
    """What a bundle is, and how it answers.

    Attributes:
        generation: where experts write a text.
        task_spec: None for classification and translation, which formats 1.x tell apart by
            `generation`.
        layers: where an input is routed more than once, in place of `router`.
        second_below: with `top_k` 1: where the router's probability of its first choice is under
            this, the second one is asked too, and the two are combined as with `top_k` 2.
        abstain_below: where an answer's calibrated score is under this, the model abstains.
        reference: what answers looked like on validation data.
    """

    name: str
    bundle_version: int
    task: str
    features: FeatureSpec
    labels: tuple[str, ...]
    combine: str
    top_k: int
    temperature: float  # expert outputs are divided by it before softmax (Guo et al., 2017)
    router: FileEntry | None  # None where nothing is to be routed: one expert, or combine = sum
    experts: tuple[FileEntry, ...]
    golden: FileEntry
    model_card: FileEntry
    verified_on: Mapping[str, Any]
    provenance: Mapping[str, Any]
    second_below: float | None = None
    abstain_below: float | None = None
    reference: Reference | None = None
    generation: Generation | None = None
    task_spec: TaskSpec | None = None
    layers: tuple[Layer, ...] = ()
    format_version: str = FORMAT_VERSION
    digest: str = field(default="", compare=False)

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Every file that the manifest pins, each once."""
        features = () if self.features.file is None else (self.features.file,)
        return (*self.routers, *features, *self.experts, self.golden, self.model_card)

    @property
    def routers(self) -> tuple[FileEntry, ...]:
        """The router of each layer; none where nothing is to be routed."""
        if self.router is not None:
            return (self.router,)
        return tuple(layer.router for layer in self.layers)

    @property
    def task_type(self) -> str:
        """The name of the bundle's task in the registries of tasks."""
        if self.task_spec is not None:
            return self.task_spec.type
        return "classification" if self.generation is None else "translation"

    @property
    def asks_one(self) -> bool:
        """Whether it is always one expert that answers."""
        by_gate = self.combine == "top" and self.top_k == 1 and self.second_below is None
        return by_gate or len(self.experts) == 1

    @property
    def by_name(self) -> bool:
        """Whether an example names who may answer, by the labels at the experts' places."""
        return self.generation is not None and len(self.experts) > 1

    @property
    def asking(self) -> str:
        """Which experts answer, in words."""
        if self.combine == "sum":
            return "all of them asked and summed"
        if self.by_name:
            which = "the one" if self.router is None else "the best of those"
            return f"{which} asked that an example names"
        if self.second_below is None:
            return f"the best {self.top_k} of them asked"
        sure = f"{self.second_below:.1%}"
        return f"the best one asked, and the second where the router is under {sure} sure"

    def to_json(self) -> str:
        """The text of manifest.json, its digest computed anew."""
        content = asdict(self, dict_factory=_without_arenas_not_measured)
        if self.task_spec is None:
            del content["task_spec"], content["layers"]
        else:
            content["format_version"] = TASKS_VERSION
        content["digest"] = canonical_digest(content)
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _without_arenas_not_measured(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key != "arena_bytes" or value is not None}


def sha256(content: Buffer) -> str:
    return hashlib.sha256(content).hexdigest()


def crc32(content: Buffer) -> str:
    return f"{zlib.crc32(content):08x}"


def canonical_digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of the manifest in its canonical form: sorted keys, no spaces, without `digest`."""
    pinned = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(
        pinned, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return "sha256:" + sha256(text.encode("ascii"))


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a bundle; no other file is opened.

    Raises:
        ManifestError: there is none, it is damaged, or it breaks a rule.
        FormatVersionError: it was written in a newer format.
        MachineError: the machine does not let us read it.
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such bundle folder")
    raw = read_at_most(path, LIMITS.manifest_bytes)
    if raw is None:
        raise ManifestError(
            f"{folder}: not a bundle, it has no {MANIFEST}; `edge-experts convert` makes bundles"
        )
    return parse_manifest(raw, str(path))


def parse_manifest(raw: bytes, where: str = MANIFEST) -> Manifest:
    """Check the bytes of a manifest; `where` names them in errors."""
    if len(raw) > LIMITS.manifest_bytes:
        raise ManifestError(f"{where}: larger than {LIMITS.manifest_bytes} bytes")
    try:
        content = strict_json(raw)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not a manifest: {error}; {AGAIN}") from None
    reader = Reader(content, where)
    # The version comes first: a newer format may compute even its digest in another way.
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
    experts = tuple(map(_file, reader.objects("experts", 1, LIMITS.experts)))
    combine, top_k = reader.text("combine"), reader.whole("top_k", 1)
    if combine not in COMBINE:
        raise reader.error("combine", f"must be one of {COMBINE}, got {combine!r:.40}")
    if top_k > len(experts):
        raise reader.error("top_k", f"must be at most {len(experts)} (the experts), got {top_k}")
    router = _optional_file(reader, "router")
    generation, labels = read_generation(reader), _labels(reader)
    task_spec, layers = _task_spec(reader, version), _layers(reader, version, len(experts))
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
        format_version=version,
        digest=reader.text("digest"),
    )
    # In small letters: storage cards are often formatted so that A and a are one name.
    paths = [entry.path.lower() for entry in manifest.files]
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    if len(set(paths)) != len(paths) or not folders.isdisjoint(paths):
        raise ManifestError(f"{reader.where}: lists a file twice, or as a folder too")
    return manifest


def _task_spec(reader: Reader, version: str) -> TaskSpec | None:
    if version.split(".")[0] == FORMAT_VERSION.split(".")[0]:
        return None
    found = reader.object("task_spec")
    return TaskSpec(found.text("type"), found.object("config").content)


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
        raise reader.error("sha256", "or crc32 has the wrong length, or other characters")
    size = reader.whole("bytes", 0, LIMITS.file_bytes)
    arena = None if reader.content.get("arena_bytes") is None else reader.whole("arena_bytes", 1)
    return FileEntry(path, size, digest, crc, reader.whole("resident_bytes"), arena)


def _optional_file(reader: Reader, key: str) -> FileEntry | None:
    return None if reader.content.get(key) is None else _file(reader.object(key))


def _stays_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return (
        0 < len(path) <= LIMITS.path_characters
        # Of other characters file systems may make each what they like.
        and path.isascii()
        and path.isprintable()
        and not pure.is_absolute()
        and str(pure) == path
        and ".." not in pure.parts
        and not any(character in path for character in "\\:")
        and path.lower() not in (".", MANIFEST, SIGNATURE)
    )
