"""Installation of extras in fresh environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.installing.install_sizes import Install, as_table, check, environment, extras_of
from edge_experts.cli.device.doctor import PACKAGES
from edge_experts.errors import MachineError, ThresholdError, UsageError

ROOT = Path(__file__).parents[2]


def _run(*arguments: object, rc: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "install-sizes", *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        check=False,
    )
    assert done.returncode == rc, done.stderr
    return done.stderr if rc else done.stdout


def test_every_extra_has_packages_to_import() -> None:
    assert set(extras_of(ROOT)) == set(PACKAGES)


def test_a_table_has_a_row_for_each_extra_and_a_column_for_each_python() -> None:
    installs = [
        Install("3.11", "", 70_000_000, 2, 10.0, 6.0, ""),
        Install("3.11", "cli", 100_000_000, 9, 20.4, 12.0, ""),
        Install("3.13", "", 80_000_000, 2, 11.0, 7.0, ""),
        Install("3.13", "cli", 0, 0, 0.0, 0.0, "pip install: no such package"),
    ]
    assert as_table(installs) == [
        ("extra", "Python 3.11", "Python 3.13"),
        ("(none)", "70 MB, 2 packages, 10 s (6 s CPU)", "80 MB, 2 packages, 11 s (7 s CPU)"),
        ("cli", "100 MB, 9 packages, 20 s (12 s CPU)", "failed"),
    ]
    with pytest.raises(ThresholdError, match="not installed: cli"):
        check(installs)
    check(installs[:2])


def test_wrong_names_are_refused_before_anything_is_built(tmp_path: Path) -> None:
    assert "'nothing' is no extra of pyproject.toml" in _run("--extra", "nothing", rc=2)
    with pytest.raises(UsageError, match="no checkout of edge-experts"):
        extras_of(tmp_path)
    with pytest.raises(MachineError, match="--python python9: no such program"):
        environment("python9", tmp_path / "none")


@pytest.mark.long
def test_an_extra_is_installed_and_imported() -> None:
    content = json.loads(_run("--extra", "metrics", "--json"))
    (one,) = content["installs"]
    assert one["error"] == ""
    assert one["packages"] >= 3, "numpy, edge-experts, prometheus-client"
    assert one["bytes"] > 10_000_000
    assert one["cpu_seconds"] > 0
