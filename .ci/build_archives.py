"""Build the source archive and the wheel of a commit, the same bytes each time.

    python .ci/build_archives.py OUT [--commit REV]

The files are those of the commit. Their times, and those inside the archives, are the commit's
(SOURCE_DATE_EPOCH). setuptools writes a wheel by it, but a source archive with the times of the
machine, in the order of its folders: that one is written again.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build(out: Path, commit: str = "HEAD") -> list[Path]:
    """Write both archives into a folder, which is made; returns their paths."""
    out.mkdir(parents=True, exist_ok=True)
    epoch = _git("log", "-1", "--format=%ct", commit).decode().strip()
    with tempfile.TemporaryDirectory() as temporary:
        source, built = Path(temporary, "source"), Path(temporary, "built")
        with tarfile.open(fileobj=io.BytesIO(_git("archive", commit))) as archive:
            archive.extractall(source, filter="data")
        # The wheel is built from the source archive, as pip builds it from one.
        subprocess.run(
            [sys.executable, "-m", "build", "--outdir", str(built), str(source)],
            env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
            stdout=subprocess.DEVNULL,
            umask=0o022,  # a wheel has the rights that new files get here
            check=True,
        )
        (sdist,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
        results = [out / sdist.name, out / wheel.name]
        results[0].write_bytes(normalized(sdist.read_bytes(), int(epoch)))
        results[1].write_bytes(wheel.read_bytes())
    return results


def normalized(content: bytes, epoch: int) -> bytes:
    """Rewrite a .tar.gz: its members sorted, with one time, and without an owner."""
    tar = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(content)) as given,
        tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as made,
    ):
        for member in sorted(given.getmembers(), key=lambda one: one.name):
            same = copy.copy(member)
            same.mtime, same.uid, same.gid, same.uname, same.gname = epoch, 0, 0, "", ""
            same.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            same.pax_headers = {}
            made.addfile(same, given.extractfile(member) if member.isfile() else None)
    return gzip.compress(tar.getvalue(), mtime=epoch)


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder for the archives")
    parser.add_argument("--commit", default="HEAD", help="commit to build, HEAD by default")
    arguments = parser.parse_args()
    for path in build(arguments.out, arguments.commit):
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
