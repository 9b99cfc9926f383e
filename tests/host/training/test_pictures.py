"""Pictures of a training: they open, say what they leave out, and take odd names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

RANDOM = np.random.default_rng(0)


def _drawn(
    folder: Path, kind: str, examples: Any, experts: int, labels: list[str], columns: Any = ()
) -> dict[str, np.ndarray]:
    """All pictures of a made-up training, as arrays."""
    from matplotlib.image import imread

    from edge_experts.training.report.insight import measure
    from edge_experts.training.report.ownership import Owned
    from edge_experts.training.report.pictures import draw

    count = len(examples)
    targets = RANDOM.integers(0, len(labels), count)
    gate = RANDOM.dirichlet(np.full(experts, 0.3), count)
    answers = RANDOM.integers(0, len(labels), (experts, count))
    found = measure(gate, answers, targets, len(labels))
    owned = Owned(
        kind=kind,
        examples=examples,
        columns=columns,
        labels=labels,
        targets=targets,
        owner=gate.argmax(axis=1),
        surety=gate.max(axis=1),
        experts=experts,
    )
    paths = draw(folder / "pictures", labels, found.confusion, found, owned)
    return {path.name: imread(path) for path in paths}


def check(pictures: dict[str, np.ndarray]) -> None:
    assert set(pictures) == {"experts.png", "confusion.png", "owned.png"}
    for picture in pictures.values():
        assert picture.std() > 0.01, "something is drawn"
        assert all(100 < side < 2500 for side in picture.shape[:2])


@pytest.mark.parametrize(
    ("kind", "examples"),
    [
        ("image", RANDOM.integers(0, 255, (60, 12, 9)).astype(np.uint8)),
        ("image", RANDOM.normal(size=(60, 90, 120, 3))),
        ("image", np.full((60, 8, 8, 2), np.nan)),
        ("window", RANDOM.normal(size=(60, 40, 5))),
        ("window", np.full((60, 40, 1), np.inf)),
        ("table", np.zeros((60, 1))),
        ("text", ["", "$5 {\\frac_", "日本語 😀\0\n\ttab", "a plain text of words"] * 15),
    ],
    ids=["grey", "colour", "nan", "window", "inf", "constant", "text"],
)
def test_every_kind_of_data_is_drawn(tmp_path: Path, kind: str, examples: Any) -> None:
    names = ["$x_{", "größer & schöner", "日本"]
    check(_drawn(tmp_path, kind, examples, 3, names, columns=["$"]))


def test_one_example_of_one_expert(tmp_path: Path) -> None:
    check(_drawn(tmp_path, "text", ["hello"], 2, ["a", "b"]))


def test_many_experts_and_labels_stay_quick_and_of_a_size_to_look_at(tmp_path: Path) -> None:
    def seconds(name: str, rows: int, width: int, experts: int, classes: int) -> float:
        columns = [f"column {place}" for place in range(width)]
        labels = [f"a label of a long name {place}" for place in range(classes)]
        examples = RANDOM.normal(size=(rows, width))
        (tmp_path / name).mkdir()
        start = time.process_time()
        check(_drawn(tmp_path / name, "table", examples, experts, labels, columns))
        return time.process_time() - start

    few = min(seconds(f"few {turn}", 1500, 100, 32, 40) for turn in range(2))
    # Twice the experts, five times the columns, seven times the labels: most are left out.
    assert seconds("many", 3000, 500, 64, 300) < 4 * few


def test_what_is_left_out_is_said() -> None:
    from edge_experts.training.report.pictures.canvas import left_out, short

    parts = [(32, 64, "experts", "the most used"), (3, 3, "labels", "the most frequent")]
    assert left_out(parts) == "32 of 64 experts: the most used"
    assert short("a\nlong name that ends in 1", 12) == "a long…s in 1"
