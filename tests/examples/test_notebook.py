"""The notebook's cells run in their order, and the committed outputs are of the same kinds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .notebook import code_cells, kinds, read
from .programs import EXAMPLES

NOTEBOOK = EXAMPLES / "first_model.ipynb"


def test_the_committed_notebook_was_run_as_a_whole_and_its_links_hold() -> None:
    notebook = read(NOTEBOOK)
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [cell["outputs"] != [] for cell in cells] == [True] * len(cells)
    text = "".join("".join(cell["source"]) for cell in notebook["cells"])
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert len(links) >= 4
    assert not [link for link in links if not (EXAMPLES / link).exists()]


@pytest.mark.long
def test_it_runs_with_outputs_of_the_same_kinds() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.examples.notebook", str(NOTEBOOK)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    now = [cell["outputs"] for cell in code_cells(json.loads(done.stdout))]
    committed = [cell["outputs"] for cell in code_cells(read(NOTEBOOK))]
    assert kinds(now) == kinds(committed)
    for outputs in (now, committed):
        accuracy = re.search(r"deployed: ([\d.]+) on 600", "".join(outputs[2][0]["text"]))
        assert accuracy is not None
        assert float(accuracy[1]) > 0.7
