"""Package lists of a Debian or Ubuntu machine's own distribution, by apt's client.

The lists change with every release, so no checksum is pinned; apt checks their signatures itself.
After the download they stay unchanged in the user's cache.
"""

from __future__ import annotations

import datetime
import gzip
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..errors import NetworkError
from ..format.atomic import cache_folder, staged, write_whole

PACKAGES = "Packages"
_RELEASE = "release.txt"
_ORIGINS = ("Debian", "Ubuntu", "Raspbian")  # archives of distributions, not added ones
_HELPER = "/usr/lib/apt/apt-helper"

# All files are in a separate folder, so that no root is needed and the lists of the machine stay
# unchanged. Its choice of languages, and its commands after updates, are not used.
_SETTINGS = """\
Dir::State::Lists "{folder}/lists";
Dir::Cache "{folder}/cache";
#clear Acquire::Languages;
Acquire::Languages {{ {languages} }};
Acquire::Retries "1";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"""


def lists(languages: Sequence[str]) -> tuple[Path, str]:
    """Return a folder with the lists, Packages.gz and Translation-XX.gz, and their release.

    Raises:
        NetworkError: the lists of a language could not be downloaded.
    """
    kept = cache_folder() / f"apt-lists-{'-'.join(languages)}"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        print("Fetching the distribution's package lists ...", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder, staged(kept) as new:
            _fetch(Path(folder), languages, new)
    return kept, (kept / _RELEASE).read_text(encoding="utf-8").strip()


def stanzas(path: Path, *fields: str) -> Iterator[dict[str, str]]:
    """Yield these fields of every stanza of a list. Multi-line values keep their line breaks."""
    starts = tuple(f"{field}:" for field in fields)
    with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
        stanza: dict[str, str] = {}
        name = ""
        for line in file:
            if line == "\n":
                yield stanza
                stanza = {}
            elif line[0] == " ":
                if name:
                    stanza[name] += line
            elif line.startswith(starts):
                name, _, value = line.partition(":")
                stanza[name] = value.strip() + "\n"
            else:
                name = ""
        if stanza:
            yield stanza


def source(stanza: Mapping[str, str]) -> str:
    """The source package of a stanza of Packages, of its fields Package and Source."""
    return stanza.get("Source", stanza["Package"]).split()[0]  # a version may follow


def _fetch(folder: Path, languages: Sequence[str], new: Path) -> None:
    """Download the lists to `new`; `folder` is for apt's own files."""
    for name in ("lists", "cache"):
        (folder / name).mkdir()
    settings = folder / "apt.conf"
    quoted = " ".join(f'"{language}";' for language in languages)
    settings.write_text(_SETTINGS.format(folder=folder, languages=quoted), encoding="utf-8")
    # For apt, a failed download is a warning and not an error.
    _, complaint = _run("apt-get", "-c", str(settings), "-q", "update")
    names = [PACKAGES, *(f"Translation-{language}" for language in languages)]
    releases = set()
    for name in names:
        found = _targets(settings, name)
        if not found:
            raise _failed(f"{name} is missing. {complaint}")
        with gzip.open(new / f"{name}.gz", "wb", compresslevel=6) as file:
            for path, release in found:
                releases.add(release)
                with subprocess.Popen([_HELPER, "cat-file", path], stdout=subprocess.PIPE) as one:
                    assert one.stdout is not None
                    shutil.copyfileobj(one.stdout, file)
                if one.returncode:
                    raise _failed(f"{_HELPER} cannot read {path}")
    today = datetime.date.today().isoformat()
    write_whole(new / _RELEASE, f"{', '.join(sorted(releases))}, as of {today}\n")


def _targets(settings: Path, name: str) -> list[tuple[str, str]]:
    """Files of the lists of one name, with their release; lists of updates repeat them."""
    form = "$(SHORTDESC)\t$(ORIGIN)\t$(SUITE)\t$(FILENAME)\t$(ORIGIN) $(CODENAME) $(VERSION)"
    rows, _ = _run("apt-get", "-c", str(settings), "indextargets", "--format", form)
    found = [row.split("\t") for row in rows.splitlines()]
    return [
        (path, release)
        for short, origin, suite, path, release in found
        if short == name and origin in _ORIGINS and "-" not in suite
    ]


def _run(*command: str) -> tuple[str, str]:
    """Run a command; returns its output and its first complaint, which states the cause."""
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
    except FileNotFoundError:
        raise _failed(f"{command[0]} is not installed") from None
    # As root, apt first warns that its sandbox user cannot access our folder, as intended.
    complaints = [line for line in done.stderr.splitlines() if "unsandboxed" not in line]
    complaint = complaints[0] if complaints else ""
    if done.returncode:
        raise _failed(complaint or f"{command[0]} gave no reason")
    return done.stdout, complaint


def _failed(why: str) -> NetworkError:
    return NetworkError(
        f"cannot download the distribution's package lists: {why}\n"
        "Check the network and the machine's apt sources (Debian or Ubuntu), or copy the folder "
        f"{cache_folder()}/apt-lists-* from another machine."
    )
