"""Bundle format: the contents of manifest.json, and its writer.

A bundle is a folder; `manifest.json` lists every other file with its size and digests and contains
a digest of itself, so that any accidental change is detected. `manifest_parser.py` reads it. Both
need only the standard library, and access no file but the manifest.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from typing import Any

from .drift_reference import DriftReference
from .expert_names import Generation
from .limits import LIMITS as LIMITS

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"  # signature of the manifest's bytes, in signed bundles
ROUTER = "router.tflite"
ROUTERS = "routers"  # folder of the layers' routers
MODEL_SUFFIX = ".tflite"  # of a model's path; a dense part may be another file
DENSE = "dense"  # folder of the dense parts
FEATURES = "features.npz"
GOLDEN = "golden.npz"
MODEL_CARD = "MODEL_CARD.md"
# 1.x: bundles of classification and translation. All optional; 1.1: second_below and
# abstain_below; 1.2: arena_bytes, provenance's structures; 1.3: reference; 1.4: generation, and
# experts without a router that examples name; 1.5: several of these for one language, among which
# a router picks
FORMAT_VERSION = "1.5"
# 2.x: what readers of 1.x must refuse: other tasks (task_spec), layers, and features whose
# settings have a contract for inputs, which a reader must not ignore.
CONTRACT = "contract"
CONTRACT_VERSION = "2.0"
TRUNK = "trunk"  # input of the experts that is the router's second output, if it has one
COMBINE = ("top", "sum")


def expert_path(index: int) -> str:
    return f"experts/{index:03d}.tflite"


def layer_expert_path(layer: int, number: int) -> str:
    """Return the path of an expert of one of several layers."""
    return f"experts/{layer:03d}/{number:03d}.tflite"


def expert_paths(experts: int, layers: Sequence[int]) -> tuple[str, ...]:
    """Return the paths of all experts.

    Args:
        layers: experts of each layer; empty for a bundle without layers.
    """
    if not layers:
        return tuple(map(expert_path, range(experts)))
    return tuple(
        layer_expert_path(layer, number)
        for layer, count in enumerate(layers)
        for number in range(count)
    )


def router_path(layer: int) -> str:
    """Return the path of a layer's router; a bundle with one router has it at ROUTER."""
    return f"{ROUTERS}/{layer:03d}.tflite"


Buffer = bytes | memoryview  # FileEntry has a field named `bytes`, as the format does


@dataclass(frozen=True)
class FileEntry:
    """A file of the bundle, with its size and digests.

    Attributes:
        resident_bytes: memory cost of loading it.
        arena_bytes: its arena in TensorFlow Lite Micro; None for other targets.
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
    """Conversion of inputs to arrays: the kind of features, its settings, and a file of arrays."""

    kind: str
    config: Mapping[str, Any]
    file: FileEntry | None = None


@dataclass(frozen=True)
class TaskSpec:
    """Conversion of experts' outputs to an answer: the type of task, and its settings."""

    type: str
    config: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Layer:
    """A router and its number of experts; the experts of the next layer follow them."""

    router: FileEntry
    experts: int


@dataclass(frozen=True)
class Manifest:
    """Description of a bundle: its files, and how it answers.

    Attributes:
        generation: settings of text generation; None if experts choose labels.
        task_spec: None for classification and translation, which formats 1.x distinguish by
            `generation`.
        layers: layers of a bundle that routes an input more than once, instead of `router`.
        dense: dense parts: files beside the routers that every input needs, as the task reads them.
        second_below: with `top_k` 1: threshold for the router's probability of its first choice,
            below which the second choice runs too, and both are combined as with `top_k` 2.
        abstain_below: confidence threshold: the model abstains below this calibrated score.
        reference: distributions of answers on validation data.
        trained_rows: hashes of the training rows, which answers do not need: a file for the first
            training, and one for each extension; only with a contract.
    """

    name: str
    bundle_version: int
    task: str
    features: FeatureSpec
    labels: tuple[str, ...]
    combine: str
    top_k: int
    temperature: float  # expert outputs are divided by it before softmax (Guo et al., 2017)
    router: FileEntry | None  # None without routing: one expert, or combine = sum
    experts: tuple[FileEntry, ...]
    golden: FileEntry
    model_card: FileEntry
    verified_on: Mapping[str, Any]
    provenance: Mapping[str, Any]
    second_below: float | None = None
    abstain_below: float | None = None
    reference: DriftReference | None = None
    generation: Generation | None = None
    task_spec: TaskSpec | None = None
    layers: tuple[Layer, ...] = ()
    dense: tuple[FileEntry, ...] = ()
    trained_rows: tuple[FileEntry, ...] = ()
    format_version: str = FORMAT_VERSION
    digest: str = field(default="", compare=False)

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """All files in the manifest, each once."""
        features = () if self.features.file is None else (self.features.file,)
        beside = (self.golden, self.model_card, *self.trained_rows)
        return (*self.routers, *self.dense, *features, *self.experts, *beside)

    @property
    def routers(self) -> tuple[FileEntry, ...]:
        """Router of each layer; empty without routing."""
        if self.router is not None:
            return (self.router,)
        return tuple(layer.router for layer in self.layers)

    @property
    def models(self) -> tuple[FileEntry, ...]:
        """Routers, then experts, then dense parts."""
        return (*self.routers, *self.experts, *self.dense)

    @property
    def routed(self) -> tuple[tuple[FileEntry | None, range], ...]:
        """Each router with the experts that it routes to: their indices in `experts`."""
        if not self.layers:
            return ((self.router, range(len(self.experts))),)
        ends = list(accumulate(layer.experts for layer in self.layers))
        places = map(range, [0, *ends[:-1]], ends)
        return tuple(zip(self.routers, places, strict=True))

    @property
    def task_type(self) -> str:
        """Name of the bundle's task in the registries of tasks."""
        if self.task_spec is not None:
            return self.task_spec.type
        return "classification" if self.generation is None else "translation"

    @property
    def asks_one(self) -> bool:
        """True if exactly one expert answers every input."""
        if self.layers:
            return False
        by_gate = self.combine == "top" and self.top_k == 1 and self.second_below is None
        return by_gate or len(self.experts) == 1

    @property
    def by_name(self) -> bool:
        """True if an example names the experts that may answer, by their labels."""
        return self.generation is not None and len(self.experts) > 1

    @property
    def asking(self) -> str:
        """Experts that answer, in words."""
        if self.combine == "sum":
            return "all of them run and summed"
        if self.by_name:
            which = "the one" if self.router is None else "the best of those"
            return f"{which} that an example names"
        if self.layers:
            counts = [layer.experts for layer in self.layers]
            alike = len(counts) > 2 and len(set(counts)) == 1
            shares = f"{counts[0]} each" if alike else ", ".join(map(str, counts))
            return f"in {len(self.layers)} layers of {shares}, top-{self.top_k} routing in each"
        if self.second_below is None:
            return f"top-{self.top_k} routing"
        sure = f"{self.second_below:.1%}"
        return f"top-1 routing, and top-2 where the router's confidence is below {sure}"

    def to_json(self) -> str:
        """Format the text of manifest.json, with a new digest."""
        content = asdict(self, dict_factory=_without_arenas_not_measured)
        if self.task_spec is None and CONTRACT not in self.features.config:
            del content["task_spec"], content["layers"]
            if content["format_version"].split(".")[0] != FORMAT_VERSION.split(".")[0]:
                content["format_version"] = FORMAT_VERSION
        else:
            content["format_version"] = CONTRACT_VERSION
        for optional in ("dense", "trained_rows"):
            if not content[optional]:
                del content[optional]
        content["digest"] = canonical_digest(content)
        return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _without_arenas_not_measured(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: value for key, value in pairs if key != "arena_bytes" or value is not None}


def sha256(content: Buffer) -> str:
    return hashlib.sha256(content).hexdigest()


def crc32(content: Buffer) -> str:
    return f"{zlib.crc32(content):08x}"


def canonical_digest(content: Mapping[str, Any]) -> str:
    """Compute SHA-256 of the canonical manifest: sorted keys, no spaces, without `digest`."""
    pinned = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(
        pinned, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return "sha256:" + sha256(text.encode("ascii"))
