"""The bundle format: what manifest.json says, which limits hold, and how it is checked.

A bundle is a folder; `manifest.json` lists every other file with its size and digests and carries
a digest of itself, so that an accidental change anywhere is noticed. This module needs the
standard library only and touches no file but the manifest.
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from .errors import FormatVersionError, ManifestError

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"  # of the manifest's bytes, beside it where someone signed the bundle
ROUTER = "router.tflite"
FEATURES = "features.npz"
GOLDEN = "golden.npz"
MODEL_CARD = "MODEL_CARD.md"
# All optional; 1.1: second_below and abstain_below; 1.2: arena_bytes, provenance's structures
FORMAT_VERSION = "1.2"
TRUNK = "trunk"  # the experts' input that is the router's second output, where it has one
COMBINE = ("top", "sum")


def expert_path(index: int) -> str:
    return f"experts/{index:03d}.tflite"


@dataclass(frozen=True)
class Limits:
    """What a manifest may ask of a device, whoever wrote it."""

    manifest_bytes: int = 4_000_000
    signature_bytes: int = 64  # Ed25519 has one length
    file_bytes: int = 2**31 - 1  # a FlatBuffer's own limit
    experts: int = 4096
    labels: int = 100_000
    path_characters: int = 200


LIMITS = Limits()
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
class Manifest:
    """What a bundle is, and how it answers.

    Attributes:
        second_below: with `top_k` 1: where the router's probability of its first choice is under
            this, the second one is asked too, and the two are combined as with `top_k` 2.
        abstain_below: where an answer's calibrated score is under this, the model abstains.
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
    format_version: str = FORMAT_VERSION
    digest: str = field(default="", compare=False)

    @property
    def files(self) -> tuple[FileEntry, ...]:
        """Every file that the manifest pins, each once."""
        optional = (self.router, self.features.file)
        present = tuple(entry for entry in optional if entry is not None)
        return (*present, *self.experts, self.golden, self.model_card)

    @property
    def asks_one(self) -> bool:
        """Whether it is always one expert that answers."""
        by_gate = self.combine == "top" and self.top_k == 1 and self.second_below is None
        return by_gate or len(self.experts) == 1

    @property
    def asking(self) -> str:
        """Which experts answer, in words."""
        if self.combine == "sum":
            return "all of them asked and summed"
        if self.second_below is None:
            return f"the best {self.top_k} of them asked"
        sure = f"{self.second_below:.1%}"
        return f"the best one asked, and the second where the router is under {sure} sure"

    def to_json(self) -> str:
        """The text of manifest.json, its digest computed anew."""
        content = asdict(self, dict_factory=_without_arenas_not_measured)
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
    """
    path = folder / MANIFEST
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such bundle folder")
    try:
        with path.open("rb") as file:
            raw = file.read(LIMITS.manifest_bytes + 1)
    except FileNotFoundError:
        raise ManifestError(
            f"{folder}: not a bundle, it has no {MANIFEST}; `edge-experts convert` makes bundles"
        ) from None
    return parse_manifest(raw, str(path))


def parse_manifest(raw: bytes, where: str = MANIFEST) -> Manifest:
    """Check the bytes of a manifest; `where` names them in errors."""
    if len(raw) > LIMITS.manifest_bytes:
        raise ManifestError(f"{where}: larger than {LIMITS.manifest_bytes} bytes")
    try:
        content = json.loads(
            raw, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{where}: not a manifest: {error}; {_AGAIN}") from None
    reader = _Reader(content, where)
    # The version comes first: a newer format may compute even its digest in another way.
    version = reader.text("format_version")
    if version.split(".")[0] != FORMAT_VERSION.split(".")[0]:
        raise FormatVersionError(
            f"{where}: format {version!r} is not {FORMAT_VERSION.split('.')[0]}.x, the one this "
            "version reads; install a newer edge-experts"
        )
    if reader.text("digest") != canonical_digest(content):
        raise ManifestError(
            f"{where}: changed since it was published (its digest differs); {_AGAIN}"
        )
    return _manifest(reader, version)


_AGAIN = "copy the bundle again, or convert again"


def _manifest(reader: _Reader, version: str) -> Manifest:
    features = reader.object("features")
    labels = reader.items("labels", LIMITS.labels)
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) != len(labels):
        raise reader.error("labels", "must be different texts")
    experts = tuple(entry.file() for entry in reader.objects("experts", LIMITS.experts))
    combine, top_k = reader.text("combine"), reader.whole("top_k", 1)
    if combine not in COMBINE:
        raise reader.error("combine", f"must be one of {COMBINE}, got {combine!r}")
    if top_k > max(1, len(experts)):
        raise reader.error("top_k", f"must be at most {len(experts)} (the experts), got {top_k}")
    router = reader.optional_file("router")
    if not experts:
        raise reader.error("experts", "must list at least one")
    if router is None and combine == "top" and len(experts) > 1:
        raise reader.error("router", "is missing, and there is more than one expert to pick from")
    if router is not None and combine == "sum":
        raise reader.error("router", "must be null where all experts are summed")
    second_below = reader.optional_share("second_below")
    if second_below is not None and (router is None or len(experts) < 2 or top_k != 1):
        raise reader.error("second_below", "needs a router, two experts or more, and top_k 1")
    temperature = reader.content.get("temperature")
    if type(temperature) not in (int, float) or not 0 < temperature < 1e6:
        raise reader.error("temperature", f"must be a number above 0, got {temperature!r}")
    manifest = Manifest(
        name=reader.text("name"),
        bundle_version=reader.whole("bundle_version", 1),
        task=reader.text("task"),
        features=FeatureSpec(
            features.text("kind"), features.object("config").content, features.optional_file("file")
        ),
        labels=tuple(labels),
        combine=combine,
        top_k=top_k,
        temperature=float(temperature),
        router=router,
        experts=experts,
        golden=reader.object("golden").file(),
        model_card=reader.object("model_card").file(),
        verified_on=reader.object("verified_on").content,
        provenance=reader.object("provenance").content,
        second_below=second_below,
        abstain_below=reader.optional_share("abstain_below"),
        format_version=version,
        digest=reader.text("digest"),
    )
    paths = [entry.path for entry in manifest.files]
    if len(set(paths)) != len(paths):
        raise ManifestError(f"{reader.where}: lists a file twice")
    return manifest


@dataclass(frozen=True)
class _Reader:
    """Typed access to one object of the manifest, with errors that name the field."""

    content: Any
    where: str

    def __post_init__(self) -> None:
        if not isinstance(self.content, dict):
            raise ManifestError(f"{self.where}: must be an object, got {self.content!r:.40}")

    def error(self, key: str, problem: str) -> ManifestError:
        return ManifestError(f"{self.where}: {key} {problem}")

    def text(self, key: str) -> str:
        value = self.content.get(key)
        if not isinstance(value, str):
            raise self.error(key, f"must be a text, got {value!r:.40}")
        return value

    def whole(self, key: str, least: int = 0, most: int = 2**53) -> int:
        value = self.content.get(key)
        if type(value) is not int or not least <= value <= most:
            raise self.error(
                key, f"must be a whole number from {least} to {most}, got {value!r:.40}"
            )
        return value

    def optional_share(self, key: str) -> float | None:
        value = self.content.get(key)
        if value is None:
            return None
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise self.error(key, f"must be a number from 0 to 1, got {value!r:.40}")
        return float(value)

    def items(self, key: str, most: int) -> list[Any]:
        value = self.content.get(key)
        if not isinstance(value, list) or len(value) > most:
            raise self.error(key, f"must be a list of at most {most}, got {value!r:.40}")
        return value

    def object(self, key: str) -> _Reader:
        return _Reader(self.content.get(key), f"{self.where}: {key}")

    def objects(self, key: str, most: int) -> list[_Reader]:
        return [
            _Reader(item, f"{self.where}: {key}[{index}]")
            for index, item in enumerate(self.items(key, most))
        ]

    def file(self) -> FileEntry:
        path, digest, crc = self.text("path"), self.text("sha256"), self.text("crc32")
        if not _stays_inside(path):
            raise self.error("path", f"must stay inside the bundle, got {path!r:.80}")
        if len(digest) != 64 or len(crc) != 8:
            raise self.error("sha256", "or crc32 has the wrong length")
        size = self.whole("bytes", 0, LIMITS.file_bytes)
        arena = None if self.content.get("arena_bytes") is None else self.whole("arena_bytes", 1)
        return FileEntry(path, size, digest, crc, self.whole("resident_bytes"), arena)

    def optional_file(self, key: str) -> FileEntry | None:
        return None if self.content.get(key) is None else self.object(key).file()


def _stays_inside(path: str) -> bool:
    pure = PurePosixPath(path)
    return (
        0 < len(path) <= LIMITS.path_characters
        and not pure.is_absolute()
        and str(pure) == path
        and ".." not in pure.parts
        and not any(character in path for character in "\\:\0\n")
        and path not in (".", MANIFEST, SIGNATURE)
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")
