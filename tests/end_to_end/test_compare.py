"""`edge-experts compare` as a user calls it."""

from __future__ import annotations

import json
import random
from pathlib import Path

from tests.conftest import Cli

SETTINGS = "epochs = 1\nchoice_epochs = 1\ndense_epochs = 2\nteacher_epochs = 1\n"


def test_a_comparison_goes_on_where_it_was_ended(cli: Cli, tmp_path: Path) -> None:
    chance = random.Random(0)
    rows = [[chance.gauss(0, 1) for _ in range(4)] for _ in range(300)]
    lines = [",".join([*(f"{x:.3f}" for x in row), "ab"[row[0] * row[1] > 0]]) for row in rows]
    (tmp_path / "products.csv").write_text("\n".join(["p,q,r,s,label", *lines]))
    (tmp_path / "quick.toml").write_text(SETTINGS)
    command = ["compare", "--data", "products.csv", "--config", "quick.toml", "--out", "compared"]

    first = cli(*command, "--rows", "sparse", "--json", "--picture", "p.svg", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert [row["name"] for row in found["rows"]] == ["sparse", "dense-active", "dense-all"]
    assert found["verdict"]["sparse_pays"] in (True, False)
    assert json.loads((tmp_path / "compared/comparison.json").read_text()) == found
    assert (tmp_path / "p.svg").exists()
    assert (tmp_path / "compared/comparison.png").exists()

    second = cli(*command, "--rows", "sparse,sparse-top-2", cwd=tmp_path)
    assert second.returncode == 0, second.stderr
    assert "3 of 4 rows are finished already" in second.stderr
    assert "sparse-top-2" in second.stdout
    assert "One seed: there is no interval" in second.stdout

    other = cli(*command, "--rows", "sparse", "--experts", 3, cwd=tmp_path)
    assert other.returncode == 2
    assert "sparse.json: was made with config.experts 4, not 3" in other.stderr
    wrong = cli(*command, "--rows", "dense", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "rows must be of sparse, sparse-top-2" in wrong.stderr
    assert cli(*command, "--picture", "p.jpg", cwd=tmp_path).returncode == 2
