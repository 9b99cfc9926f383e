"""Real photos of a package: photographs of animals, food, plants and things, cut out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.features import cutouts
from tests.conftest import Cli

pytest.importorskip("PIL")

_MOST_FREQUENT = 0.46  # share of the label "animal"


def test_real_photos_go_to_a_benchmark(cli: Cli, tmp_path: Path) -> None:
    """The four commands, in the shortest training: one network, small photos."""
    assert cutouts.write(tmp_path / "photos") == 278
    labels = {path.name: len(list(path.iterdir())) for path in (tmp_path / "photos").iterdir()}
    assert labels == {"animal": 128, "food": 50, "plant": 39, "thing": 61}
    photo = "photos/animal/amphibians-frog.png"
    small = ("--dense", "active", "--image-size", "48")
    for command in (
        ("train", "--data", "photos/", "--out", "a.run", *small),
        ("convert", "a.run", "--out", "a.bundle"),
        ("run", "a.bundle", photo),
        ("benchmark", "a.bundle", "--data", "photos/", "--rounds", "1"),
    ):
        done = cli(*command, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    done = cli("evaluate", "a.bundle", "--data", "photos/", "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert found["examples"] == 56
    # Two standard errors above that of always the same label.
    error = (_MOST_FREQUENT * (1 - _MOST_FREQUENT) / found["examples"]) ** 0.5
    assert found["accuracy"] > _MOST_FREQUENT + 2 * error
