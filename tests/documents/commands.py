"""Commands that documents show, each with where it stands and, where it is not run, why."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from tests.documents.pages import DOCUMENTS, ROOT

_PROGRAMS = (
    *("edge-experts", "edge/bin/edge-experts", ".venv/bin/edge-experts", "python", "python3"),
    *(".venv/bin/python", "edge/bin/python", "pip", ".venv/bin/pip", "edge/bin/pip", "curl", "scp"),
    *("ssh", "sudo", "openssl", "tensorboard", "bash", "pytest", ".", ".venv/bin/ruff", "git"),
    *("mkdocs", ".venv/bin/mkdocs", "rpicam-vid", "./read_sensor", "arecord", "apt"),
)
PLACEHOLDERS = {"...": None, "[--write]": None}

# What is not run here, and why. The first that is found in a command counts.
NOT_RUN = {
    "python3 check_setup.py": "a whole installation; .ci/run runs both from nothing",
    ". .venv/bin/activate": "a shell's own",
    "pip install": "installs from the network; .ci/run and tests/end_to_end/test_packaging.py do",
    "pip download": "named, not shown to be run",
    "./read_sensor ": "needs a sensor; tests/end_to_end/test_sensors.py feeds rows",
    "rpicam-vid ": "needs a camera; tests/end_to_end/test_photos.py feeds frames",
    "arecord ": "needs a microphone; tests/end_to_end/test_sounds.py feeds streams",
    "scp ": "goes to a board",
    "sudo ": "changes the machine",
    "edge/bin/": "on a board; tests/emulated runs these on emulated ones",
    "python3 -m venv edge": "on a board; tests/emulated runs these on emulated ones",
    "--scheduler tcp": "needs a cluster; tests/host/test_cluster.py has one",
    "edge-experts fleet": "goes to boards by ssh; tests/deploying runs it on stand-ins",
    "ssh pi@": "goes to a board; tests/deploying/test_fleet_page.py does",
    "edge-experts deploy": "goes to boards by ssh; tests/deploying runs it on stand-ins",
    "curl ": "asks the server that `serve` runs; tests/device/serving asks it",
    "openssl ": "another program's; tests/device/updates checks signatures by it",
    "tensorboard ": "another program's, and it does not end",
    "edge-experts install random.bundle": "the bundle of a measuring program",
    "edge-experts install random4.bundle": "the bundle of a measuring program",
    "edge-experts install random24.bundle": "the bundle of a measuring program",
    "python -m benchmarks": "measures for minutes; tests/benchmarks runs each program shortly",
    "python -m device_tests.photo_frames": "tests/device/features/test_resizing.py has its digest",
    "python -m device_tests.sound_spectra": "tests/device/features/test_log_mel.py has its digest",
    "python -m device_tests.sensor_windows": "test_sensor_windows.py has its digest",
    "python -m device_tests.boards": "emulated boards; tests/emulated runs them",
    "python -m edge_experts.benchmarking.expected": "tests/device/benchmarking runs it",
    "python -m edge_experts.converters.targets": "tests/host/converters/test_targets.py runs it",
    "python -m edge_experts.keras3_process": "a child process, named and not shown to be run",
    "python -m tests.": "a long run of tests",
    "python -m pytest": "runs tests",
    "pytest ": "runs tests",
    "ruff ": "checks the source; .ci/run runs it",
    "bash .ci/": "runs tests",
    "python3 -m http.server": "a web server, which does not end; tests/web has its own",
    "mkdocs ": "another program's; tests/documents/test_site.py builds the site",
}


@dataclass(frozen=True)
class Command:
    """A command of a document.

    Attributes:
        words: as a shell splits them; placeholders such as `...` are left out.
        target: the file that its output goes to, where it has one.
        shown: whether it stands in a block, to be run, rather than in a sentence.
    """

    document: str
    line: int
    text: str
    words: tuple[str, ...]
    target: str | None
    shown: bool

    def __str__(self) -> str:
        return f"{self.document}:{self.line} {self.text[:90]}"

    @property
    def reason(self) -> str | None:
        """Why it is not run here; None where it is."""
        return next((why for part, why in NOT_RUN.items() if part in self.text), None)

    @property
    def options(self) -> tuple[str, ...]:
        """Words of an edge-experts command behind its program."""
        return self.words[1:]

    @property
    def is_ours(self) -> bool:
        return self.words[0].endswith("edge-experts") and len(self.words) > 1


def commands() -> Iterator[Command]:
    """Every command of every document, in the order of `pages.DOCUMENTS`."""
    for path in DOCUMENTS:
        text, name = path.read_text("utf-8"), path.relative_to(ROOT).as_posix()
        found = [(match, True) for match in re.finditer(r"(?m)^    (\S.*(?:\\\n.*)*)$", text)]
        found += [(match, False) for match in re.finditer(r"`([^`]+)`", text)]
        for match, shown in sorted(found, key=lambda one: one[0].start()):
            command = _command(match[1], shown)
            if command is not None:
                line = text.count("\n", 0, match.start()) + 1
                yield Command(name, line, *command, shown)


def _command(text: str, shown: bool) -> tuple[str, tuple[str, ...], str | None] | None:
    """Text, words and the output's file; None where it is no command."""
    text = re.sub(r"\\\n\s*", "", text) if shown else " ".join(text.split())
    if text.split(maxsplit=1)[0] not in _PROGRAMS:
        return None
    try:
        words = shlex.split(text, comments=True)
    except ValueError:  # its quotes go on in the next line
        words = text.split()
    target = None
    if ">" in words:
        place = words.index(">")
        target, words = words[place + 1], words[:place]
    return text, tuple(word for word in words if word not in PLACEHOLDERS), target
