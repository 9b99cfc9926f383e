"""Commands that print JSON, each run on the small data, and the shape of what it prints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conftest import run_cli

from .data import BUNDLES, DATA, RUNS, SOURCES, unpack
from .shapes import Shape, shape, union

TABLE, SENTENCES = BUNDLES / "table.bundle", BUNDLES / "translation.bundle"
_ROWS = '{"height": "1.2", "colour": "red", "age": "31"}\n{"height": "", "colour": "", "age": ""}\n'


@dataclass(frozen=True)
class Report:
    """One command line; {folder} in it stands for a temporary folder.

    Attributes:
        before: makes what the command needs in that folder.
    """

    arguments: tuple[Any, ...]
    stdin: str = ""
    before: Callable[[Path], object] | None = None

    def run(self, folder: Path) -> list[Any]:
        """Run the command and return the JSON values that it printed."""
        if self.before is not None:
            self.before(folder)
        arguments = [str(one).replace("{folder}", str(folder)) for one in self.arguments]
        cache = {"EDGE_EXPERTS_CACHE": str(folder / "cache")}
        done = run_cli(*arguments, "--json", stdin=self.stdin, env=cache)
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return values(done.stdout)

    def shape(self, folder: Path) -> Shape:
        return union(map(shape, self.run(folder)))


def values(text: str) -> list[Any]:
    """JSON values one after the other, on one line each or on several."""
    decoder, found, place = json.JSONDecoder(), [], 0
    while text[place:].strip():
        place += len(text[place:]) - len(text[place:].lstrip())
        value, place = decoder.raw_decode(text, place)
        found.append(value)
    return found


def _settings(folder: Path) -> None:
    stages = ("warm_epochs", "router_epochs", "epochs", "choice_epochs", "tune_epochs")
    text = "".join(f"{stage} = 1\n" for stage in stages) + "teacher_epochs = 0\n"
    (folder / "tiny.toml").write_text(text)


def _adopted(folder: Path) -> None:
    data = SOURCES / "vector.npz"
    network = DATA / "networks/expert_0.keras"
    done = run_cli("adopt", network, "--data", data, "--out", folder / "one.run")
    assert done.returncode == 0, done.stderr


def _results(folder: Path) -> None:
    for name in ("before", "after"):
        shutil.copy(DATA / "benchmark.json", folder / f"{name}.json")


def _root(folder: Path) -> None:
    unpack("installed", folder)


REPORTS: dict[str, Report] = {
    "doctor": Report(("doctor",)),
    "inspect": Report(("inspect", TABLE)),
    "inspect of a translator": Report(("inspect", SENTENCES)),
    "evaluate": Report(("evaluate", TABLE, "--data", SOURCES / "table.csv")),
    "evaluate of a translator": Report(
        ("evaluate", SENTENCES, "--data", SOURCES / "translation.csv", "--most", 6, "--show", 1)
    ),
    "run": Report(("run", TABLE), stdin=_ROWS),
    "run of a translator": Report(("run", SENTENCES, "--to", "de", "open the file", "print page")),
    "monitor": Report(("monitor", TABLE, "--input", SOURCES / "table.csv")),
    "benchmark": Report(
        ("benchmark", TABLE, "--against", BUNDLES / "table_two.bundle", "--rounds", 1)
    ),
    "benchmark of a translator": Report(("benchmark", SENTENCES, "--rounds", 1)),
    "benchmark --compare": Report(
        ("benchmark", "--compare", "{folder}/before.json", "{folder}/after.json"), before=_results
    ),
    "install": Report(("install", BUNDLES / "text.bundle", "{folder}/root")),
    "rollback": Report(("rollback", "{folder}/installed"), before=_root),
    "convert --quantization auto": Report(
        (
            *("convert", RUNS / "table.run", "--out", "{folder}/auto.bundle", "--no-cache"),
            *("--quantization", "auto", "--size-budget", "40KB"),
        )
    ),
    "convert --c-source": Report(
        (
            *("convert", RUNS / "table.run", "--out", "{folder}/c.bundle", "--no-cache"),
            *("--target", "microcontroller", "--c-source", "{folder}/c"),
        )
    ),
    "extend": Report(
        (
            *("extend", RUNS / "table.run", "--data", SOURCES / "table.csv"),
            *("--out", "{folder}/more.run", "--epochs", 1),
        )
    ),
    "adopt": Report(
        ("adopt", DATA / "networks", "--data", SOURCES / "vector.npz", "--out", "{folder}/all.run")
    ),
    "export-c": Report(
        ("export-c", BUNDLES / "microcontroller.bundle", "--out", "{folder}/c"),
    ),
    "export-onnx": Report(
        ("export-onnx", "{folder}/one.run", "--out", "{folder}/one.onnx"), before=_adopted
    ),
    "compare": Report(
        (
            *("compare", "--data", SOURCES / "table.csv", "--quick", "--experts", 2),
            *("--config", "{folder}/tiny.toml", "--rows", "sparse", "--out", "{folder}/compared"),
        ),
        before=_settings,
    ),
    # The longest by far: it trains four candidates, whose epochs are fixed.
    "advise": Report(("advise", "--data", SOURCES / "table.csv")),
}
