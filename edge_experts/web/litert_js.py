"""LiteRT.js for a site: two npm packages, pinned by their digests."""

from __future__ import annotations

import tarfile

from ..datasets import fetch

VERSION = "2.5.3"
CORE = (
    f"@litertjs/core@{VERSION}",
    f"litertjs-core-{VERSION}.tgz",
    "a97660833e9e7e1063c95e12016718881240b14f7438728a2f62785e912d30fd",
)
UTILITIES = (
    f"@litertjs/wasm-utils@{VERSION}",
    f"litertjs-wasm-utils-{VERSION}.tgz",
    "ce2a1f8379c067be49e59752e5a7f40db6be09f6e497f0f11e59f17b515366a7",
)
# Without relaxed SIMD: every engine has it, and int8 networks are no slower on it.
_WASM = ("litert_wasm_compat_internal.js", "litert_wasm_compat_internal.wasm")
_SOURCE_MAP = b"//# sourceMappingURL=index.js.map"
_CHANGES = (
    # A browser resolves no bare names.
    (b'from "@litertjs/wasm-utils"', b'from "./wasm-utils.js"'),
    # The experts run on the processor: a graphics device would be requested for nothing.
    (b"await Environment.create()", b"await Environment.create({webGpuDevice: null})"),
)


def litert_files() -> dict[str, bytes]:
    """Return the files of LiteRT.js by their names; the packages are downloaded if not cached.

    Raises:
        NetworkError: a download failed, or a package has another digest.
    """
    core = _members(CORE, ["dist/index.js", *(f"wasm/{name}" for name in _WASM)])
    utilities = _members(UTILITIES, ["dist/index.js"])
    index = core.pop("index.js")
    for old, new in _CHANGES:
        assert index.count(old) == 1, "the package's own digest was checked"
        index = index.replace(old, new)
    made = {**core, "index.js": index, "wasm-utils.js": utilities["index.js"]}
    return {name: content.replace(_SOURCE_MAP, b"") for name, content in made.items()}


def _members(package: tuple[str, str, str], names: list[str]) -> dict[str, bytes]:
    """Read files of a package, by their names without the folder."""
    found = {}
    with tarfile.open(fetch.npm_package(*package)) as archive:
        for name in names:
            member = archive.extractfile(f"package/{name}")
            assert member is not None, "the package's own digest was checked"
            found[name.rpartition("/")[2]] = member.read()
    return found
