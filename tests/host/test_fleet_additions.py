"""Experts of single sites: trained once, beside files that stay; none where nothing is gained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_experts.deploying.fleet.additions import make_additions
from edge_experts.deploying.fleet.sites import Site
from edge_experts.errors import DataError
from edge_experts.format.manifest_parser import read_manifest

ROWS = 800


def _csv(path: Path, place: float, sign: int, seed: int) -> Path:
    """Rows around a place on the second axis, where the sign of the first decides the label."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(ROWS, 2))
    lines = [f"{a:.4f},{b + place:.4f},{'up' if sign * a > 0 else 'down'}\n" for a, b in x.tolist()]
    path.write_text("a,b,label\n" + "".join(lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with old.run and old.bundle."""
    from edge_experts.converters import convert

    from edge_experts import datasets
    from edge_experts.training import config_for, train

    folder = tmp_path_factory.mktemp("fleet")
    data = datasets.load(str(_csv(folder / "old.csv", 0.0, 1, seed=0)))
    settings = {"experts": 2, "epochs": 3, "choice_epochs": 2, "tune_epochs": 1}
    config = config_for(data.kind, learning_rate=0.02, **settings)
    train(data, folder / "old.run", config, pictures=False)
    convert(folder / "old.run", folder / "old.bundle", max_accuracy_drop=100)
    return folder


def test_a_site_gets_one_more_expert_and_the_common_files(common: Path) -> None:
    other = _csv(common / "other.csv", 6.0, -1, seed=1)
    site = Site("pi@garden", common / "old.bundle", 1, None, common / "old.run", str(other))
    plain = Site("pi@kitchen", common / "old.bundle", 1)
    heard: list[str] = []
    made = make_additions([site, plain], common / "made", heard.append)
    assert set(made) == {"pi@garden"}
    assert heard == [f"pi@garden: an expert for {other}"]
    added = made["pi@garden"]
    assert added.bundle is not None
    assert added.gain["low"] > 0
    old, new = read_manifest(common / "old.bundle"), read_manifest(added.bundle)
    assert len(new.experts) == len(old.experts) + 1
    for entry in old.experts:
        before = (common / "old.bundle" / entry.path).read_bytes()
        assert (added.bundle / entry.path).read_bytes() == before
    again = make_additions([site], common / "made", heard.append)
    assert again == made
    assert len(heard) == 1


def test_where_an_expert_gains_nothing_the_common_bundle_is_sent(common: Path) -> None:
    same = _csv(common / "same.csv", 0.0, 1, seed=2)
    site = Site("pi@shed", common / "old.bundle", 1, None, common / "old.run", str(same))
    made = make_additions([site], common / "made", lambda _: None)["pi@shed"]
    assert made.bundle is None
    assert made.gain["low"] <= 0


def test_an_error_names_the_site_and_its_data(common: Path) -> None:
    wrong = common / "wrong.csv"
    wrong.write_text("a,b\n1,2\n", encoding="utf-8")
    site = Site("pi@barn", common / "old.bundle", 1, None, common / "old.run", str(wrong))
    with pytest.raises(DataError, match=r"^pi@barn: .*wrong\.csv"):
        make_additions([site], common / "made", lambda _: None)
