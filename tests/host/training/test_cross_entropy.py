"""The loss of translators: of all pieces what it should be, and near it of some of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

PIECES, UNITS, ROWS = 50, 6, 20
Numbers = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def numbers() -> Numbers:
    """hidden, table and what is wanted."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=(ROWS, UNITS)).astype(np.float32)
    table = random.normal(0, 0.3, (PIECES, UNITS)).astype(np.float32)
    return hidden, table, random.integers(0, 12, ROWS)


def _ours(
    hidden: np.ndarray, table: np.ndarray, wanted: np.ndarray, drawn: int, seed: int = 0
) -> list[np.ndarray]:
    """Losses, and the gradients for hidden and table of their weighted sum."""
    from edge_experts.training.translation.cross_entropy import candidates, cross_entropy

    import tensorflow as tf  # isort: skip

    among = candidates(wanted, PIECES, drawn, np.random.default_rng(seed))
    with tf.GradientTape() as tape:
        both = tf.constant(hidden), tf.constant(table)
        tape.watch(both)
        losses = cross_entropy(*both, among)
        total = tf.reduce_sum(losses * np.linspace(0, 1, ROWS, dtype=np.float32))
    return [losses.numpy(), *(one.numpy() for one in tape.gradient(total, both))]


def _keras(hidden: np.ndarray, table: np.ndarray, wanted: np.ndarray) -> list[np.ndarray]:
    """The same by TensorFlow, of all pieces; the losses without smoothing."""
    import tensorflow as tf

    with tf.GradientTape() as tape:
        both = tf.constant(hidden), tf.constant(table)
        tape.watch(both)
        logits = tf.matmul(*both, transpose_b=True)
        labels = 0.9 * tf.one_hot(wanted, PIECES) + 0.1 / PIECES
        smooth = tf.nn.softmax_cross_entropy_with_logits(labels, logits)
        total = tf.reduce_sum(smooth * np.linspace(0, 1, ROWS, dtype=np.float32))
    plain = tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)
    return [plain.numpy(), *(one.numpy() for one in tape.gradient(total, both))]


def test_of_all_pieces_it_is_tensorflows(numbers: Numbers) -> None:
    for ours, theirs in zip(_ours(*numbers, drawn=PIECES), _keras(*numbers), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


def test_of_some_it_comes_to_the_same_in_the_mean(numbers: Numbers) -> None:
    drawn = [_ours(*numbers, drawn=20, seed=seed) for seed in range(200)]
    for ours, theirs in zip(zip(*drawn, strict=True), _keras(*numbers), strict=True):
        mean, spread = np.mean(ours, axis=0), np.std(ours, axis=0)
        # Near it: a logarithm of what is right in the mean is a little less.
        assert np.abs(mean - theirs).max() < 0.05 * np.abs(theirs).max()
        assert spread.max() > 1e-3


@given(
    wanted=st.lists(st.integers(0, PIECES - 1), min_size=1, max_size=200),
    drawn=st.integers(0, 2 * PIECES),
)
@settings(deadline=None)
def test_candidates_stand_for_the_whole_vocabulary(wanted: list[int], drawn: int) -> None:
    from edge_experts.training.translation.cross_entropy import candidates

    among = candidates(np.array(wanted), PIECES, drawn, np.random.default_rng(0))
    assert among.pieces[among.wanted].tolist() == wanted
    assert len(np.unique(among.pieces)) == len(among.pieces) == len(among.weights)
    own = len(set(wanted))
    assert len(among.pieces) == own + min(drawn, PIECES - own)
    if drawn:
        np.testing.assert_allclose(among.weights.sum(), PIECES, rtol=1e-5)
