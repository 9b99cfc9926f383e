"""Export of a bundle to C source: its files as arrays, and a dispatch to the routed expert."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_experts import run_folder
from edge_experts.errors import UnsuitableError, UsageError
from edge_experts.features import read_features
from edge_experts.format.atomic import refuse_existing, staged
from edge_experts.format.checked_files import read_checked
from edge_experts.format.manifest import TRUNK, Manifest
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.interpreter import Model

from ..targets.microcontroller import measure
from ..tasks import CONVERSIONS
from ..tasks import c_literals as literals
from ..tasks.c_answers import CAnswer
from ..tasks.conversion_task import RowTask
from . import c_networks, readme
from .c_features import CFeatures, c_features, refuse_kind
from .c_networks import Network

# The same for every bundle of a task; the others are generated.
_STATIC = ("edge_experts.h", "edge_experts.c", "edge_experts_tflm.hpp")


@dataclass(frozen=True)
class CSource:
    """Result of an export.

    Attributes:
        arenas: bytes of the arena that each file needs, by its path in the bundle.
        flash: bytes of each file, likewise.
        operators: the methods of MicroMutableOpResolver that are called.
    """

    folder: Path
    arenas: Mapping[str, int]
    flash: Mapping[str, int]
    operators: tuple[str, ...]

    @property
    def arena_bytes(self) -> int:
        """Bytes of the one arena in which router and experts run in turn."""
        return max(self.arenas.values())


def refuse_features(kind: str, *, asks_one: bool) -> None:
    """Raise UnsuitableError for features that C lacks, or for several experts an input."""
    refuse_kind(kind)
    if not asks_one:
        raise UnsuitableError(
            "C source supports models that run one expert for each input; convert with --top-k 1 "
            "and without --second-share, and train with --combine top"
        )


def refuse_run(run: Path, *, top_k: int | None = None, second_share: float | None = None) -> None:
    """Raise UnsuitableError if a training cannot become C source with these options."""
    found = run_folder.read_run(run)
    by_gate = found.combine == "top" and (top_k or found.top_k) == 1 and second_share is None
    refuse_features(found.feature_kind, asks_one=by_gate or found.experts == 1)


def c_source(bundle: str | Path, out: str | Path, *, force: bool = False) -> CSource:
    """Write the C source of a bundle whose features exist in C, for one expert at a time.

    The arenas are those of the manifest, or, if it has none, measured now: the smallest in which
    TensorFlow Lite Micro answers the golden examples. The folder appears complete or not at all.

    Args:
        bundle: the bundle's folder; every byte of it that is used is checked.
        out: the folder to write; `force` replaces one that exists.

    Raises:
        BundleError: a file is missing, damaged, or not of this format.
        UnsuitableError: its features cannot be computed in C, it runs several experts an input, or
            TensorFlow Lite Micro cannot run one of its files.
        UsageError: `out` cannot be written.
        MissingExtraError: TensorFlow Lite Micro is needed to measure, and not installed.
    """
    bundle, out = Path(bundle), Path(out)
    refuse_existing(out, force=force)
    if out.resolve() == bundle.resolve() or bundle.resolve() in out.resolve().parents:
        raise UsageError(f"{out}: is in the bundle; name a folder outside it")
    manifest = read_manifest(bundle)
    if "c_source" not in CONVERSIONS.get(manifest.task_type).options:
        raise UnsuitableError(
            f"{bundle}: C source is not supported for {manifest.task_type}; use the Python runtime"
        )
    refuse_features(manifest.features.kind, asks_one=manifest.asks_one)
    features = c_features(read_features(bundle, manifest.features))
    entries = manifest.models
    files = [Network.of(entry.path, read_checked(bundle, entry)) for entry in entries]
    known = {entry.path: entry.arena_bytes for entry in entries if entry.arena_bytes is not None}
    arenas = known if len(known) == len(entries) else _measured(bundle, files)
    made = CSource(
        out,
        arenas,
        {file.path: len(file.content) for file in files},
        c_networks.add_operators(files),
    )
    with staged(out, force=force) as folder:
        for name in (*_STATIC, *features.files):
            template = (Path(__file__).parent / name).read_text(encoding="utf-8")
            text = _answer(manifest).put_into(template)
            (folder / name).write_text(text, encoding="utf-8")
        for name, text in _written(manifest, features, files, made).items():
            (folder / name).write_text(text, encoding="utf-8")
    return made


def _measured(bundle: Path, files: Sequence[Network]) -> dict[str, int]:
    """Measure the arenas that files need, by path."""
    examples = dict(golden.read(bundle).arrays)
    if files[0].trunk:
        router = Model(files[0].content, str(bundle / files[0].path))
        router({name: array[:1] for name, array in examples.items()})
        examples = {name: array[:1] for name, array in examples.items()} | {TRUNK: router.trunk()}
    with tempfile.TemporaryDirectory() as job:
        paths = {file.path: file.name for file in files}
        found = measure(bundle, paths, examples, Path(job))
    return {path: one.arena_bytes for path, one in found.files.items()}


def _written(
    manifest: Manifest, features: CFeatures, files: Sequence[Network], made: CSource
) -> dict[str, str]:
    """Write the files that differ from bundle to bundle."""
    about = f"{literals.comment(manifest.name)}, version {manifest.bundle_version}"
    digest = literals.comment(manifest.digest)

    def header(what: str) -> str:
        return f"/* {what} of {about}, {digest}.\n * Written by edge-experts. */\n"

    return {
        **{f"{file.stem}.c": file.source(header(file.name)) for file in files},
        "edge_experts_models.h": header("Files") + _guarded("MODELS", _models(files)),
        "edge_experts_config.h": header("Sizes")
        + _guarded("CONFIG", _config(manifest, features, files, made)),
        "edge_experts_tables.c": header("Tables") + _tables(manifest, features, files, made),
        "edge_experts_operators.hpp": header("Operators")
        + _guarded("OPERATORS_HPP", _operators(made.operators)),
        "README.md": readme.text(
            manifest,
            features,
            flash=made.flash,
            arenas=made.arenas,
            arena_bytes=made.arena_bytes,
            operators=made.operators,
            shown=_answer(manifest).shown,
        ),
    }


def _answer(manifest: Manifest) -> CAnswer:
    """Return the task's part of C source."""
    task: RowTask = CONVERSIONS.get(manifest.task_type)
    return task.c_answer(manifest)


def _models(files: Sequence[Network]) -> str:
    declarations = "\n".join(file.declaration() for file in files)
    return (
        '#include "edge_experts.h"\n\n#ifdef __cplusplus\nextern "C" {\n#endif\n\n'
        f"{declarations}\n\n#ifdef __cplusplus\n}}\n#endif\n"
    )


def _config(
    manifest: Manifest, features: CFeatures, files: Sequence[Network], made: CSource
) -> str:
    defined = {
        "NAME": literals.text(manifest.name),
        "VERSION": manifest.bundle_version,
        "DIGEST": literals.text(manifest.digest),
        "COUNT": len(manifest.experts),
        "LABELS": len(manifest.labels),
        "TRUNK": files[0].trunk,
        **_answer(manifest).defines,
        **features.defines,
    }
    lines = "\n".join(f"#define EDGE_EXPERTS_{name} {value}" for name, value in defined.items())
    return (
        f"{lines}\n\n"
        "/* The least with the reference kernels on a 64-bit machine. 32-bit pointers need less,\n"
        " * CMSIS-NN's convolutions more: define it before, and let arena_used_bytes() tell. */\n"
        "#ifndef EDGE_EXPERTS_ARENA_BYTES\n"
        f"#define EDGE_EXPERTS_ARENA_BYTES {made.arena_bytes}\n"
        "#endif\n"
    )


def _tables(
    manifest: Manifest, features: CFeatures, files: Sequence[Network], made: CSource
) -> str:
    records = [file.record(made.arenas[file.path]) for file in files]
    router = c_networks.NO_RECORD if manifest.router is None else records.pop(0)
    headers = [name for name in features.files if name.endswith(".h")]
    included = ["edge_experts.h", *headers, "edge_experts_models.h"]
    return (
        "".join(f'#include "{name}"\n' for name in included) + "\n"
        f"const edge_experts_model edge_experts_router =\n    {router};\n\n"
        "const edge_experts_model edge_experts_experts[EDGE_EXPERTS_COUNT] = {\n"
        f"{literals.listing(records)}\n}};\n\n"
        "const char *const edge_experts_labels[EDGE_EXPERTS_LABELS] = {\n"
        f"{literals.listing(map(literals.text, manifest.labels))}\n}};\n\n"
        f"{_answer(manifest).definitions}"
        f"{features.definitions}"
    )


def _operators(methods: Sequence[str]) -> str:
    calls = "\n".join(f"    failed |= resolver.{method}() != 0;" for method in methods)
    return (
        f"#define EDGE_EXPERTS_OPERATORS {len(methods)}\n\n"
        "// Adds what the files need to a MicroMutableOpResolver of at least so many; 0: done.\n"
        "template <class Resolver>\nint edge_experts_add_operators(Resolver &resolver) {\n"
        f"    bool failed = false;\n{calls}\n    return failed;\n}}\n"
    )


def _guarded(name: str, content: str) -> str:
    guard = f"EDGE_EXPERTS_{name}_H"
    return f"#ifndef {guard}\n#define {guard}\n\n{content}\n#endif\n"
