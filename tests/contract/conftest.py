"""Conversions of the recorded run folders by the code under test, each made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Shared, run_cli

from .data import OPTIONS, RUNS

Convert = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def converted(shared: Shared) -> Convert:
    """Return a function that converts a run in a recipe, and returns the bundle's folder.

    Beside the folder NAME.bundle lies NAME.bundle.json, what `convert --json` printed.
    """

    def convert(run: str, recipe: str) -> Path:
        name = f"contract_{run}_{recipe}.bundle"

        def make(out: Path) -> None:
            options = ("--quantization", recipe, "--no-cache", *OPTIONS.get(run, ()))
            # The folder of the cache is another one too: no file may come from an earlier version.
            env = {"EDGE_EXPERTS_CACHE": f"{out}.cache"}
            arguments = (RUNS / f"{run}.run", "--out", out, *options, "--json")
            done = run_cli("convert", *arguments, env=env)
            assert done.returncode == 0, done.stderr
            out.with_name(f"{name}.json").write_text(done.stdout)

        return shared(name, make)

    return convert
