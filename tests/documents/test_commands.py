"""Every command that a document shows, and every "Next:" line, runs: on small data, in order."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import run_cli
from tests.documents import small_data
from tests.documents.commands import NOT_RUN, Command, commands

COMMANDS = list(commands())
# A command that several pages show is run where it stands first.
_FIRST: dict[object, Command] = {}
for _shown in (one for one in COMMANDS if one.shown):
    _FIRST.setdefault((_shown.words, _shown.target), _shown)
RUN = [one for one in _FIRST.values() if one.reason is None]
# What TensorFlow, LiteRT and their libraries print, and no user can act on.
CHATTER = re.compile(
    r"XNNPACK|oneDNN|cuda|TF-TRT|AVX|absl|WARNING:tensorflow|computation_placer|[IWE]\d{4} \d\d:"
    r"|DeprecationWarning|UserWarning|FutureWarning|retracing",
    re.IGNORECASE,
)
LITERT = {"EDGE_EXPERTS_INTERPRETER": "ai_edge_litert"}
CHECKPOINT_BUNDLES = {"granite.bundle", "installed-granite"}
# Data that sentences suppose, made before the command that needs it.
BEFORE = {
    "edge-experts adopt mine": ["python adopt.py"],
    "edge-experts sign more.bundle": [
        "edge-experts extend sentiment.run --data tweets.csv --out more.run --epochs 1",
        "edge-experts convert more.run --out more.bundle --base sentiment.bundle",
    ],
    "edge-experts convert fashion.run": [
        "edge-experts train --data fashion-mnist --experts 8 --model mlp:build --out fashion.run"
    ],
}
_LONG = ("train", "convert", "evaluate", "benchmark")
# Commands that name a next one, and no document shows in a block.
AFTER = {
    "edge-experts pack small.bundle": "edge-experts unpack small.zip --out unpacked.bundle",
    "edge-experts convert mlp.run": "edge-experts export-c mlp.bundle --out exported_c",
}


class Session:
    """A folder with small data, where commands are run."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.executed: set[tuple[str, ...]] = set()
        self._done: dict[tuple[object, ...], Path | None] = {}
        self.compared_by = {"--rows", "sparse"}  # options that `shortened` adds
        small_data.write(folder)

    def has_done(self, words: list[str]) -> bool:
        """True if the same was done under other names; its output gets this name too.

        Several names of data are links to one folder, and so are then the runs and bundles of it.
        """
        out = words.index("--out") + 1 if "--out" in words else None
        places = [self.folder / word for word in words]
        same = tuple(
            place.resolve() if place.exists() else word
            for number, (word, place) in enumerate(zip(words, places, strict=True))
            if number != out
        )
        made = None if out is None else self.folder / words[out]
        if same not in self._done:
            self._done[same] = made
            return False
        first = self._done[same]
        if made is None or made.exists() or first is None:
            return made is None
        made.symlink_to(first)
        return True

    def run(self, words: list[str], target: str | None = None) -> str:
        """Runs a command of a document, shortened; its stderr.

        Asserts that it succeeds and prints no chatter; then runs what it names as next.
        """
        self.executed.add(tuple(words))
        # Its files are for LiteRT alone, which the page says.
        env = LITERT if CHECKPOINT_BUNDLES & set(words) else {}
        done = run_cli(*shortened(words, self.folder), cwd=self.folder, env=env)
        assert done.returncode == 0, f"{shlex.join(words)}: {done.stderr[-2000:]}"
        chatter = [line for line in done.stderr.splitlines() if CHATTER.search(line)]
        assert not chatter, f"{shlex.join(words)}: {chatter}"
        if target is not None:
            (self.folder / target).write_text(done.stdout)
        return done.stderr


def shortened(words: list[str], folder: Path) -> list[str]:
    """The command on small data and in short: of options given twice, the last holds."""
    name, *rest = words
    if "--data" in rest:
        place = rest.index("--data") + 1
        rest[place] = small_data.FILES.get(rest[place], rest[place])
    added: list[str] = []
    of_translations = bool({"translations.csv", "domains.csv"} & set(rest))
    if name in ("train", "compare") and "--config" not in rest:
        added += ["--config", "translators.toml" if of_translations else "quick.toml"]
        added[-1] = "language.toml" if "language-model" in rest else added[-1]
    if name == "train":
        added += ["--no-pictures"]
        # Otherwise several numbers are tried, which tests/host/training does.
        chosen = of_translations or "--experts" in rest or "language-model" in rest
        added += [] if chosen else ["--experts", "2"]
    if name == "compare":
        added += ["--seeds", "1"] + ([] if "--rows" in rest else ["--rows", "sparse"])
    if name == "benchmark" and "--compare" not in rest:
        added += ["--rounds", "2", "--seconds", "0"]
    if name == "extend":
        added += ["--epochs", "2"]
    is_checkpoint = (folder / rest[0] / "config.json").exists() or rest[0].endswith(".gguf")
    if name == "convert" and not is_checkpoint:
        # Each process that converts imports TensorFlow, which takes longer than the conversion.
        added += ["--max-accuracy-drop", "100", "--processes", "1"]
        added += ["--compress-epochs", "1"] if "--compress" in rest else []
    out = rest[rest.index("--out") + 1] if "--out" in rest else None
    if out is not None and (folder / out).exists() and name != "pack":
        added += ["--force"]  # the same name as in another section
    return [name, *rest, *added]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    return Session(tmp_path_factory.mktemp("documents"))


@pytest.mark.parametrize("command", RUN, ids=str)
def test_a_shown_command_runs_and_so_does_what_it_names_next(
    command: Command, session: Session
) -> None:
    words = list(command.options)
    if words[0] == "compare":
        options = {word for word in words if word.startswith("--")}
        if "--rows" in words:
            options |= set(words[words.index("--rows") + 1].split(","))
        if "--out" in words:  # later commands take what lies there
            options.add(words[words.index("--out") + 1])
        if options <= session.compared_by:
            pytest.skip("comparisons by these options and rows were run")
        session.compared_by |= options
    for start, preparations in BEFORE.items():
        if command.text.startswith(start):
            for preparation in preparations:
                program, *rest = shlex.split(preparation)
                if program == "python":
                    there = [sys.executable, *rest]
                    subprocess.run(there, cwd=session.folder, check=True, timeout=300)
                else:
                    session.run(rest)
    if "translation-dense.bundle" in words:
        small_data.translators(session.folder)
    if "granite.bundle" in words and not (session.folder / "granite.bundle").exists():
        small_data.granite(session.folder)
    if words[0] == "serve":
        _serve(words, session.folder)
        return
    if command.target is None and words[0] in _LONG and session.has_done(words):
        pytest.skip("the same command was run on the same data")
    told = session.run(words, command.target)
    for start, another in AFTER.items():
        if command.text.startswith(start):
            told += session.run(shlex.split(another)[1:])
    for line in told.splitlines():
        if line.startswith("Next: edge-experts "):
            _follow(line.removeprefix("Next: "), session)
        elif line.startswith("Next: read "):
            assert (session.folder / line.removeprefix("Next: read ")).is_file()
        else:
            assert not line.startswith("Next:"), line


def _follow(text: str, session: Session) -> None:
    """Runs a command that another named as next, unless a document shows the same."""
    program, *words = shlex.split(text)
    assert program == "edge-experts"
    if "--out" in words:
        out = session.folder / words[words.index("--out") + 1]
        assert not out.exists(), f"{text}: {out.name} exists already"
    shown_too = {one.options for one in RUN}
    if tuple(words) in session.executed or tuple(words) in shown_too:
        return
    again = session.run(words)
    assert again.count("Next: edge-experts ") <= 1


def _serve(words: list[str], folder: Path) -> None:
    """The server says where it listens, and ends at a signal in order, then by that signal."""
    child = subprocess.Popen(
        [sys.executable, "-m", "edge_experts", *words, "--port", "0"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    said = []
    for line in child.stderr:
        said.append(line)
        if "http://" in line:
            break
    child.send_signal(signal.SIGTERM)
    said += child.stderr.readlines()
    assert child.wait(60) == -signal.SIGTERM, said
    assert not [line for line in said if CHATTER.search(line)]


def _context(command: Command, *, whole: bool) -> Any:
    import typer

    from edge_experts.cli.app import app

    group: Any = typer.main.get_command(app)
    name, *rest = command.options
    assert name in group.commands, f"{command}: no such command"
    parent = group.make_context("edge-experts", [], resilient_parsing=True)
    # Where the rest of it is left out, only what is there is read.
    return group.commands[name].make_context(name, rest, parent=parent, resilient_parsing=not whole)


OURS = [one for one in COMMANDS if one.is_ours and one.options[0] != "COMMAND"]


@pytest.mark.parametrize("command", OURS, ids=str)
def test_every_commands_options_exist(command: Command) -> None:
    is_whole = command.shown and not command.text.endswith("...")
    _context(command, whole=is_whole)


MODULES = [one for one in COMMANDS if "-m" in one.words[:2] and "python" in one.words[0]]


@pytest.mark.parametrize("command", MODULES, ids=str)
def test_every_module_that_a_command_names_exists(command: Command) -> None:
    import importlib.util

    name = command.words[2]
    assert importlib.util.find_spec(name) is not None, command
    if name == "benchmarks" and len(command.words) > 3 and command.words[3] != "NAME":
        import typer

        from benchmarks.__main__ import app

        group: Any = typer.main.get_command(app)
        if not command.words[3].startswith("-"):
            program = group.commands[command.words[3]]
            known = {option for one in program.params for option in one.opts} | {"--help"}
            asked = {word for word in command.words[4:] if word.startswith("--")}
            assert asked <= known, command


def test_every_command_that_names_a_next_one_is_run() -> None:
    import edge_experts.cli

    naming = {
        path.stem
        for path in Path(edge_experts.cli.__path__[0]).glob("*/*.py")
        if re.search(r"print_(next|convert|run)\(|Next:", path.read_text("utf-8"))
    }
    run = {one.options[0].replace("-", "_") for one in RUN}
    run |= {shlex.split(text)[1].replace("-", "_") for text in AFTER.values()}
    by_module = {"unpack": "bundle", "pack": "bundle"}
    # The README's first command runs it, and CI that.
    assert naming - {by_module.get(name, name) for name in run} == {"quickstart"}


def test_every_reason_not_to_run_something_is_needed() -> None:
    used = {part for one in COMMANDS for part in NOT_RUN if part in one.text}
    assert used == set(NOT_RUN)


def test_a_named_set_of_a_document_is_one_of_ours() -> None:
    from edge_experts.datasets import NAMED

    assert set(small_data.FILES) <= set(NAMED)


def test_most_shown_commands_are_run() -> None:
    shown = [one for one in COMMANDS if one.shown and one.is_ours]
    assert len(RUN) > 50
    assert len(RUN) > 0.85 * len(shown)
