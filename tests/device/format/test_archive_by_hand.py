"""A zip archive that was not made by `pack` is refused with that remedy."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from edge_experts.errors import BundleError
from edge_experts.format.archive import unpack
from tests.tiny import tiny_bundle


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("above", ["tiny.bundle/", "a/b/", ""])
def test_the_remedy_is_pack(tmp_path: Path, above: str, method: int) -> None:
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    path = tmp_path / "by_hand.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(bundle.rglob("*")):
            if file.is_file():
                archive.write(file, f"{above}{file.relative_to(bundle)}")
    if not above and method == zipfile.ZIP_STORED:
        unpack(path, tmp_path / "out")  # this is what `pack` writes, but for its compression
        return
    try:
        unpack(path, tmp_path / "out")
    except BundleError as error:
        assert "edge-experts pack" in str(error)  # noqa: PT017  some of them are read
    else:
        assert not above
