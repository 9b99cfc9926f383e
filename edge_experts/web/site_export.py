"""Export of a bundle as a static site that answers in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ..errors import UnsuitableError
from ..format import disk
from ..format.atomic import refuse_existing, staged
from ..format.checked_files import read_checked, read_signature
from ..format.manifest import CONTRACT, MANIFEST, SIGNATURE, Manifest, sha256
from ..format.manifest_parser import read_manifest
from ..runtime import golden
from ..runtime.engine import ExpertRuntime
from ..runtime.interpreter import Model, open_interpreter, remembers
from .litert_js import litert_files

BUNDLE = "bundle"  # folder of the bundle in a site
_WORKER = "sw.js"
_PAGE = "index.html"
_NO_FILES = b"const FILES = {};"
_NO_PRELOADS = b"<!-- preloads -->"
# Nothing that the page needs without a network.
_BESIDE = (_WORKER, "LICENSE", "edge-experts.d.ts")
_TYPES = ("float32", "int32")  # of tensors that LiteRT.js passes, quantized integers excepted


@dataclass(frozen=True)
class WebSite:
    """A written site.

    Attributes:
        site_bytes: bytes of the page, the JavaScript runtime and LiteRT.js, by path.
        bundle_bytes: bytes of the bundle's files, by path.
        golden_examples: number that the Python runtime answered as published.
    """

    folder: Path
    site_bytes: Mapping[str, int]
    bundle_bytes: Mapping[str, int]
    golden_examples: int


def export_site(bundle: Path, out: Path, *, force: bool = False) -> WebSite:
    """Write a static site for a bundle, whose files are checked and whose golden examples answered.

    Args:
        out: folder to write.
        force: replace it if it exists.

    Raises:
        UnsuitableError: the JavaScript runtime does not support the bundle; names what and why.
        BundleError: a file is damaged, or the golden answers differ on this machine.
        NetworkError: LiteRT.js cannot be downloaded.
    """
    refuse_existing(out, force=force)
    manifest = read_manifest(bundle)
    _refuse_unsupported(bundle, manifest)
    files = dict(_bundle_files(bundle, manifest))
    for entry in manifest.models:
        _refuse_model(files[entry.path], f"{bundle / entry.path}")
    with ExpertRuntime(bundle, strict=True) as runtime:
        answered = golden.check(runtime)
    site = {**_assets(), **{f"litert/{name}": raw for name, raw in litert_files().items()}}
    site["manifest.webmanifest"] = _web_manifest(manifest)
    site[_PAGE] = _with_preloads(site)
    site[_WORKER] = _with_files(site)
    with staged(out, force=force) as folder:
        for path, content in site.items():
            _write(folder / path, content)
        for path, content in files.items():
            _write(folder / BUNDLE / path, content)
    return WebSite(
        out,
        {path: len(content) for path, content in site.items()},
        {path: len(content) for path, content in files.items()},
        answered,
    )


def _refuse_unsupported(bundle: Path, manifest: Manifest) -> None:
    kind, task = manifest.features.kind, manifest.task_type
    for given, known, what in (
        (task, _supported("tasks", "type"), "task"),
        (kind, _supported("features", "kind"), "kind of features"),
    ):
        if given not in known:
            raise UnsuitableError(
                f"{bundle}: the {what} {given!r} is not supported in a browser, which has "
                f"{', '.join(known)}; use the Python runtime"
            )
    if manifest.layers or manifest.dense:
        raise UnsuitableError(
            f"{bundle}: bundles that route an input more than once are not supported in a browser"
        )
    if kind in _supported("features", "needsContract") and CONTRACT not in manifest.features.config:
        raise UnsuitableError(
            f"{bundle}: its features have no contract, as edge-experts 0.1.0 wrote them, and would "
            "depend on the browser; train and convert again"
        )


def _supported(folder: str, declared: str) -> list[str]:
    """List the names that classes of the JavaScript runtime declare: `static kind = "text"`."""
    found: list[str] = []
    for path, content in _assets().items():
        if path.startswith(f"edge-experts/{folder}/"):
            found += re.findall(rf'^  static {declared} = "(.+)";$', content.decode(), re.MULTILINE)
    return sorted(found)


def _refuse_model(content: bytes, name: str) -> None:
    """Raise UnsuitableError for a model that LiteRT.js does not run as the Python runtime does."""
    model = Model(content, name)
    ports = [*model.inputs, ("its output", *model.output)]
    if model.second_output is not None:
        ports.append(("its second output", *model.second_output))
    for port, _, kind, is_quantized in ports:
        if is_quantized or kind.name not in _TYPES:
            raise UnsuitableError(
                f"{name}: {port} is a tensor of {kind.name}, which LiteRT.js cannot pass; convert "
                "without --io integer"
            )
    if remembers(open_interpreter(content, name, 1, "xnnpack")):
        raise UnsuitableError(
            f"{name}: a recurrent operator keeps its state between inputs, which LiteRT.js cannot "
            "reset; use a network without it"
        )


def _bundle_files(bundle: Path, manifest: Manifest) -> Iterator[tuple[str, bytes]]:
    """Yield path and content of each file of the bundle, each checked."""
    yield MANIFEST, (bundle / MANIFEST).read_bytes()
    signature = read_signature(bundle)
    if signature is not None:
        yield SIGNATURE, signature
    for entry in manifest.files:
        yield entry.path, read_checked(bundle, entry)


def _assets() -> dict[str, bytes]:
    """Return the files of the page and of the JavaScript runtime, by path."""
    root = resources.files(__package__) / "site"

    def inside(folder: resources.abc.Traversable, path: str) -> Iterator[tuple[str, bytes]]:
        for one in sorted(folder.iterdir(), key=lambda one: one.name):
            if one.is_dir():
                yield from inside(one, f"{path}{one.name}/")
            else:
                yield path + one.name, one.read_bytes()

    return dict(inside(root, ""))


def _web_manifest(manifest: Manifest) -> bytes:
    """Write the manifest by which phones install a page."""
    content = {
        "name": manifest.name,
        "short_name": manifest.name[:12],
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#fbfbfa",
        "theme_color": "#0b57a4",
        "icons": [
            {"src": "icon.svg", "sizes": "any", "type": "image/svg+xml"},
            {"src": "icon.png", "sizes": "192x192", "type": "image/png"},
        ],
    }
    return (json.dumps(content, indent=2) + "\n").encode()


def _with_preloads(site: Mapping[str, bytes]) -> bytes:
    """Write links to the modules into the page, which a browser would find one after the other."""
    modules = [path for path in sorted(site) if path.startswith("edge-experts/")]
    modules += ["edge-experts.js", "page_inputs.js", "litert/index.js", "litert/wasm-utils.js"]
    links = [f'<link rel="modulepreload" href="{path}">' for path in modules]
    programs = [path for path in sorted(site) if path.endswith(".wasm")]
    links += [f'<link rel="preload" href="{path}" as="fetch" crossorigin>' for path in programs]
    page = site[_PAGE]
    assert page.count(_NO_PRELOADS) == 1
    return page.replace(_NO_PRELOADS, "\n".join(links).encode())


def _with_files(site: Mapping[str, bytes]) -> bytes:
    """Write the paths and digests of a site's files into its service worker."""
    digests = {path: sha256(raw) for path, raw in sorted(site.items()) if path not in _BESIDE}
    worker = site[_WORKER]
    assert worker.count(_NO_FILES) == 1
    return worker.replace(_NO_FILES, f"const FILES = {json.dumps(digests, indent=2)};".encode())


def _write(path: Path, content: bytes) -> None:
    for parent in reversed(path.parents):
        if not parent.is_dir():
            disk.mkdir(parent)
    disk.write(path, content)
