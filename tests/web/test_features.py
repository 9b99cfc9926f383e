"""Features of generated inputs in the browser: Python's to the bit, and so are refusals."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.features import Features
from edge_experts.features.text import TextFeatures
from tests.sensor_rows import SHAPES, odd_rows, stream_features, windows_of

from . import features as inputs
from .conftest import Visiting
from .visit import Visit

COUNTS = {"some": (400, 300, 60), "all": (10_000, 2000, 500)}
_BATCH = 250


def _compare(visited: Visit, features: Features, examples: Iterable[Any]) -> tuple[int, int]:
    """Compare all examples; returns the numbers of encoded and of refused ones."""
    examples, refused = list(examples), 0
    stored = inputs.files(features)
    for start in range(0, len(examples), _BATCH):
        some = examples[start : start + _BATCH]
        given = {"files": stored, "examples": list(map(inputs.given, some))}
        found = visited.run(inputs.BY_BROWSER, given)
        for example, one in zip(some, found, strict=True):
            expected = inputs.by_python(features, example)
            assert one == expected, repr(example)
            refused += expected == "refused"
    return len(examples) - refused, refused


@pytest.mark.parametrize("size", COUNTS)
def test_texts(tiny_site: Path, visit: Visiting, size: str) -> None:
    visited = visit(tiny_site)
    visited.open()
    examples = inputs.texts(COUNTS[size][0], seed=len(size))
    for features in inputs.text_features(examples[:400]):
        assert _compare(visited, features, examples) == (len(examples), 0)


@pytest.mark.parametrize("size", COUNTS)
def test_rows(tiny_site: Path, visit: Visiting, size: str) -> None:
    visited = visit(tiny_site)
    visited.open()
    for features in inputs.table_features():
        names = [field["name"] for field in features.inputs]
        encoded, refused = _compare(
            visited, features, inputs.rows(COUNTS[size][1], len(size), names)
        )
        assert min(encoded, refused) > COUNTS[size][1] / 6


@pytest.mark.parametrize("size", COUNTS)
def test_arrays(tiny_site: Path, visit: Visiting, size: str) -> None:
    visited = visit(tiny_site)
    visited.open()
    totals = [0, 0]
    for seed, features in enumerate(inputs.array_features()):
        ((shape, _),) = features.shapes.values()
        found = _compare(visited, features, inputs.arrays(COUNTS[size][2], seed, shape[1:]))
        totals = [total + count for total, count in zip(totals, found, strict=True)]
    assert min(totals) > COUNTS[size][2]


@pytest.mark.parametrize("size", COUNTS)
def test_sounds(tiny_site: Path, visit: Visiting, size: str) -> None:
    visited = visit(tiny_site)
    visited.open()
    for seed, features in enumerate(inputs.sound_features()):
        examples = inputs.sounds(COUNTS[size][2] // 2 if size == "some" else COUNTS[size][2], seed)
        encoded, refused = _compare(visited, features, examples)
        assert encoded > refused > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_windows_of_rows(
    tiny_site: Path, visit: Visiting, shape: tuple[int, int, int, float]
) -> None:
    """Rows of sensors with odd times: the bits of `run --stream`'s windows."""
    features = stream_features(*shape)
    rows = odd_rows(features, 60, np.random.default_rng(1))
    visited = visit(tiny_site)
    visited.open()
    found = visited.run(
        """const stream = await load("edge-experts/features/sensor_stream.js");
        const settings = new stream.SensorStream(given.stream, given.shape);
        const cutter = new stream.WindowCutter(settings, given.shape[0]);
        const push = (row, time) => {
            try {
                return cutter.push(row, time);
            } catch (error) {
                if (error.name !== "UsageError") throw error;
                return [];
            }
        };
        const windows = given.rows.flatMap(([row, time]) => push(row, time));
        return windows.map(({ data }) => Array.from(data, (one) => (isNaN(one) ? null : one)));""",
        {
            "stream": features.settings["stream"],
            "shape": features.settings["shape"],
            "rows": [
                [[None if np.isnan(one) else one for one in values.tolist()], time]
                for values, time in rows
            ],
        },
    )
    wanted = list(windows_of(features, rows))
    assert len(wanted) > 20
    for one, window in zip(found, wanted, strict=True):
        assert np.array(one, np.float32).tobytes() == window.ravel().tobytes()


def test_features_without_a_contract_are_refused(tiny_site: Path, visit: Visiting) -> None:
    features = next(inputs.text_features(["a", "b", "c"]))
    assert isinstance(features, TextFeatures)
    stored = inputs.files(features)
    del stored["config"]["contract"]
    visited = visit(tiny_site)
    visited.open()
    name, message = visited.refused(inputs.BY_BROWSER, {"files": stored, "examples": []})
    assert name == "BundleError"
    assert "need a contract" in message
