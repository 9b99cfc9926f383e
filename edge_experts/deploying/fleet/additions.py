"""Experts of single sites: trained for their data, beside the unchanged files of the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from ... import datasets
from ...errors import EdgeExpertsError
from ...format.atomic import write_whole
from ...format.manifest import MANIFEST
from ...format.manifest_parser import read_manifest
from ...run_folder import RUN, read_features, read_run
from .site_result import Addition
from .sites import Site

_KEY = 16  # characters of a digest
Told = Callable[[str], None]


def make_additions(sites: Sequence[Site], folder: Path, told: Told) -> dict[str, Addition]:
    """Train and convert the experts that sites need; finished ones are kept in `folder`.

    Sites with the same data share an expert.

    Returns:
        Additions by host, of sites with data.

    Raises:
        EdgeExpertsError: an expert cannot be made; the message begins with the site.
    """
    made = {}
    for site in sites:
        if site.run is not None and site.data is not None:
            try:
                made[site.host] = _addition(site, site.run, site.data, folder, told)
            except EdgeExpertsError as error:
                error.args = (f"{site.host}: {site.data}: {error}",)
                raise
    return made


def _addition(site: Site, run: Path, data: str, folder: Path, told: Told) -> Addition:
    place = folder / _key(site, run, data)
    extended, bundle, result = (place.with_suffix(end) for end in (".run", ".bundle", ".json"))
    if not result.exists():
        folder.mkdir(parents=True, exist_ok=True)
        told(f"{site.host}: an expert for {data}")
        gain = _extended(run, data, extended)
        if gain["low"] > 0:
            _converted(extended, site.bundle, bundle)
        write_whole(result, json.dumps(gain) + "\n")
    gain = json.loads(result.read_text(encoding="utf-8"))
    return Addition(bundle if gain["low"] > 0 else None, gain)


def _extended(run: Path, data: str, out: Path) -> dict[str, float]:
    """Extend the run by one expert; returns its gain on the new test examples."""
    from ...training import extend

    earlier = read_run(run)
    columns = datasets.Columns.from_json(earlier.columns)
    features = read_features(run, earlier)
    # With another seed, test examples of one command would be training examples of the other.
    seed = earlier.config.get("seed") or 0
    new = datasets.load(data, seed, earlier.task_type, columns, features)
    made = extend(run, new, out, force=True)
    assert made.extends is not None
    gain = made.extends["gain"]["new"]
    return {name: float(gain[name]) for name in ("points", "low", "high")}


def _converted(run: Path, base: Path, out: Path) -> None:
    """Convert the extended run as its base was converted."""
    from ...converters import convert

    manifest = read_manifest(base)
    quantization = str(manifest.provenance.get("quantization", "int8"))
    convert(run, out, base=base, quantization=quantization, force=True)


def _key(site: Site, run: Path, data: str) -> str:
    """Digest of what an addition is made from."""
    digest = hashlib.sha256()
    for file in (site.bundle / MANIFEST, run / RUN):
        digest.update(file.read_bytes() if file.exists() else b"")
    digest.update(data.encode())
    path = Path(data)
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file():
            known = file.stat()
            digest.update(f"{file}\0{known.st_size}\0{known.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:_KEY]
