"""Token ids reach a network as they are, or not at all."""

from __future__ import annotations

import numpy as np
import pytest

from edge_experts import features
from edge_experts.errors import ManifestError, UsageError
from edge_experts.features import ArrayFeatures, TableFeatures, TokenFeatures

TOKENS = TokenFeatures((3,), below=100)
WITH_CONTRACT = TokenFeatures((3,), below=100, contract=True)


@pytest.mark.parametrize("example", [[0, 99, 5], (0.0, 99.0, 5.0), np.array([0, 99, 5], np.uint8)])
@pytest.mark.parametrize("made", [TOKENS, WITH_CONTRACT])
def test_ids_are_not_changed(example: object, made: TokenFeatures) -> None:
    x = made.encode(example)["x"]
    assert x.dtype == np.int32
    assert x.tolist() == [[0, 99, 5]]


def test_the_contract_of_ids_travels() -> None:
    again = features.restore("tokens", WITH_CONTRACT.settings, {})
    assert again.settings == WITH_CONTRACT.settings
    assert again.inputs == [{"name": "x", "dtype": "int32", "shape": [3], "range": [0, 99]}]
    assert again.encode([[1, 2, 3]])["x"].tolist() == [[1, 2, 3]]
    for example in ([True, 2, 3], [1, None, 3], ["1", 2, 3], [1, 2, 2**70]):
        with pytest.raises(UsageError, match="an example must"):
            again.encode(example)
    with pytest.raises(ManifestError, match="contract"):
        features.restore("tokens", {**TOKENS.settings, "contract": {"rules": 2}}, {})


@pytest.mark.parametrize(
    "example",
    [
        *([0, 1], [[0, 1, 2]], [0, 1, 100], [0, -1, 2], [0, 1.5, 2], [0, float("nan"), 1]),
        *([0, float("inf"), 1], ["a", "b", "c"], [[1], 2, 3], None, [True, False, True]),
    ],
)
def test_what_is_no_id_in_the_table_is_refused(example: object) -> None:
    with pytest.raises(UsageError, match="an example must"):
        TOKENS.encode(example)


def test_they_travel_in_a_manifest() -> None:
    again = features.restore(TOKENS.kind, TOKENS.settings, TOKENS.arrays)
    assert again.settings == {"shape": [3], "below": 100}
    assert again.encode([1, 2, 3])["x"].tolist() == [[1, 2, 3]]
    packed = again.pack([[1, 2, 3], [4, 5, 6]])
    assert [one.tolist() for one in again.unpack(packed)] == [[1, 2, 3], [4, 5, 6]]
    for settings in ({"shape": [3]}, {"shape": [3], "below": 0}, {"shape": [], "below": 9}):
        with pytest.raises(ManifestError):
            features.restore("tokens", settings, {})


def test_numbers_may_stay_as_they_are() -> None:
    x = ArrayFeatures.scaled(np.array([[3.0, -200], [4, -199]]), (0.0, 1.0)).encode([3.5, -200])[
        "x"
    ]
    assert x.tolist() == [[3.5, -200]]
    rows = [{"height": "2", "colour": "red"}, {"height": "4", "colour": "blue"}]
    table = TableFeatures.unscaled(rows)
    assert table.encode({"height": "7.5", "colour": "blue"})["x"].tolist() == [[7.5, 1, 0]]
    assert table.encode({"height": "", "colour": "?"})["x"].tolist() == [[0, 0, 0]]
