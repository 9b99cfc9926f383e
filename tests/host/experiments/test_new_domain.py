"""A domain that arrives after deployment: models, boards and figures of the scenario."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import Dataset, Split
from edge_experts.errors import UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.run_folder import read_run

WORDS = {"old": (("good", "fine"), ("bad", "dull")), "new": (("lol", "wow"), ("meh", "ugh"))}
QUICK = {"warm_epochs": 2, "epochs": 3, "choice_epochs": 1, "tune_epochs": 1, "router_epochs": 2}


def _data(name: str, domains: tuple[str, ...]) -> Dataset:
    draw = random.Random(0)

    def split(count: int) -> Split:
        rows = [(draw.choice(domains), draw.randrange(2)) for _ in range(count)]
        texts = [" ".join(draw.choices(WORDS[domain][label], k=4)) for domain, label in rows]
        return Split(texts, np.array([label for _, label in rows]))

    return Dataset(
        name=name,
        kind="text",
        task="sentiment",
        labels=("positive", "negative"),
        train=split(240),
        validation=split(60),
        test=split(60),
        origin="made by a test",
    )


@pytest.fixture(scope="module")
def arrival(keras: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    from edge_experts.experiments.new_domain import Domains, arrive

    folder = tmp_path_factory.mktemp("new domain")
    domains = Domains(_data("old", ("old",)), _data("new", ("new",)), _data("all", ("old", "new")))
    headings: list[str] = []
    done = arrive(domains, folder, told=headings.append, **QUICK)
    assert len(headings) == 5
    return folder, done


def test_only_the_experts_update_leaves_most_of_a_board_as_it_was(
    arrival: tuple[Path, Any],
) -> None:
    _, done = arrival
    grown, tuned, anew = done.after
    for dense in (tuned, anew):
        assert dense.shipped_bytes > 0.9 * done.before[1].shipped_bytes
        assert grown.shipped_bytes < dense.shipped_bytes / 2


def test_the_new_domain_is_learned_and_changes_are_against_what_was_deployed(
    arrival: tuple[Path, Any],
) -> None:
    _, done = arrival
    for before, after in ((done.before[0], done.after[0]), (done.before[1], done.after[2])):
        assert after.new > before.new + 0.2
        points = 100 * (after.old - before.old)
        assert after.old_change.points == pytest.approx(points)
        assert after.old_change.low <= points <= after.old_change.high


def test_boards_run_what_was_shipped_last(arrival: tuple[Path, Any]) -> None:
    folder, _ = arrival
    for board, name in (("sparse", "grown"), ("dense", "fine-tuned"), ("retrained", "retrained")):
        installed = read_manifest(folder / f"{board}-board" / "current")
        assert installed == read_manifest(folder / f"{name}.bundle")


def test_the_table_has_a_line_for_every_model(arrival: tuple[Path, Any]) -> None:
    from edge_experts.experiments.new_domain import as_text

    lines = as_text(arrival[1]).splitlines()
    assert len(lines) == 1 + 2 + 1 + 3 + 2
    assert max(map(len, lines[:7])) <= 80
    assert "kB" in lines[-1]


@pytest.mark.parametrize("name", ["two.svg", "two.png"])
def test_it_can_be_drawn_of_several_seeds(
    arrival: tuple[Path, Any], tmp_path: Path, name: str
) -> None:
    from edge_experts.experiments.new_domain.update_picture import draw

    draw([arrival[1]] * 2, tmp_path / name)
    assert (tmp_path / name).stat().st_size > 5000


def test_fine_tuning_is_of_one_network(arrival: tuple[Path, Any], tmp_path: Path) -> None:
    from edge_experts.training.extension.fine_tuning import fine_tune

    folder, _ = arrival
    with pytest.raises(UsageError, match="this one has 5 experts; add an expert with `extend`"):
        fine_tune(folder / "sparse.run", _data("new", ("new",)), tmp_path / "out.run")
    assert "fine-tuned on made by a test" in read_run(folder / "fine-tuned.run").origin
    assert arrival[1].after[1].new > arrival[1].before[1].new + 0.2
