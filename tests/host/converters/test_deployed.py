"""The reference that conversion writes: bins of like size, none of which ends at a number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from edge_experts.converters.verify.drift_counts import describe, histogram

from edge_experts.format.manifest_parser import read_manifest


@pytest.mark.parametrize("count", [1, 2, 7, 150, 5000])
def test_bins_hold_about_as_many_each(count: int) -> None:
    values = np.random.default_rng(count).random(count)
    found = histogram(values)
    assert sum(found.counts) == count
    assert len(found.counts) == len(found.edges) + 1
    assert list(found.edges) == sorted(set(found.edges))
    if count >= 150:
        assert max(found.counts) <= 1.1 * count / 10 + 2


def test_common_numbers_are_not_divided_by_their_last_bit() -> None:
    values = np.random.default_rng(0).choice([0.1, 0.25, 0.7, 0.9999], 1000)
    found = histogram(values)
    for noise in (1e-7, -1e-7):
        bins = np.searchsorted(found.edges, values + noise, side="right")
        assert tuple(np.bincount(bins, minlength=len(found.counts))) == found.counts


def test_one_number_is_one_bin() -> None:
    found = histogram(np.full(10, 0.5))
    assert found.edges == ()
    assert found.counts == (10,)


def test_what_is_not_routed_has_scores_only(sentiment_bundle: Path) -> None:
    manifest, random = read_manifest(sentiment_bundle), np.random.default_rng(0)
    scores = random.dirichlet(np.ones(3), 50)
    arrays = {"experts": np.zeros(50, int), "router": random.random((50, 2))}
    alone = describe(replace(manifest, router=None), scores, arrays)
    assert alone is not None
    assert alone.experts is None
    routed = describe(manifest, scores, arrays)
    assert routed is not None
    assert routed.experts == (50, *[0] * (len(manifest.experts) - 1))
    assert routed.entropy is not None
    assert sum(routed.entropy.counts) == 50
