"""Weights by which a token's number decides its experts, in every engine that computes them.

The last `WIDTH` numbers of an embedding row are a token's code. No layer changes them (the rows of
the matrices that would are nearly zero), and routers read nothing else. So the tokens of a trace
take the experts of the trace, whatever else the random weights compute, up to near ties.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from . import recorded_routes

BYTES = 288  # first tokens of a vocabulary, which are in no trace
TOKENS = 512  # of a trace, each of which occurs in it once
TRACES = ("uniform", "zipf", "recorded")
_DRAWN = 64  # numbers of a code that are drawn; the others are recorded choices
WIDTH = _DRAWN + recorded_routes.LAYERS * recorded_routes.EXPERTS  # numbers of a code
FADED = 1e-3  # factor of the rows that would change codes; zeros have no scale as int4
# Popularity of experts by Zipf's law with this exponent, blurred by normal numbers of the spread
# of Gumbel's, which draw without replacement. With the correlation of one token's numbers with the
# next token's, tokens share 0.48 of their experts with the token before (0.26 if uniform).
_EXPONENT, _SPREAD, _CORRELATION = 0.9, 1.28, 0.25


def codes(random: np.random.Generator) -> np.ndarray:
    """Draw the codes of the tokens of all traces, (traces * tokens, width) float32."""
    made = np.zeros((len(TRACES), TOKENS, WIDTH), np.float32)
    for number, trace in enumerate(TRACES):
        if trace == "recorded":
            made[number, :, _DRAWN:] = recorded_routes.choices()[:TOKENS].reshape(TOKENS, -1)
            continue
        is_zipf = trace == "zipf"
        kept = _CORRELATION if is_zipf else 0.0
        drawn = random.standard_normal((TOKENS, _DRAWN - 1))
        for token in range(1, TOKENS):
            drawn[token] = kept * drawn[token - 1] + np.sqrt(1 - kept**2) * drawn[token]
        made[number, :, 0], made[number, :, 1:_DRAWN] = is_zipf, drawn
    found: np.ndarray = made.reshape(-1, WIDTH)
    return found


def router(random: np.random.Generator, layer: int, experts: int) -> np.ndarray:
    """Draw the columns of a layer's router that read codes, (experts, width) float32."""
    drawn = random.standard_normal((experts, _DRAWN)) * _SPREAD / np.sqrt(_DRAWN - 1)
    drawn[:, 0] = random.permutation(-_EXPONENT * np.log(np.arange(1, experts + 1)))
    made = np.hstack([drawn, recorded_routes.router(layer, experts)])
    found: np.ndarray = made.astype(np.float32)
    return found


def tokens(pieces: int) -> Mapping[str, range]:
    """Return the numbers of the tokens of each trace that a vocabulary of `pieces` has."""
    first = {trace: BYTES + number * TOKENS for number, trace in enumerate(TRACES)}
    return {trace: range(at, at + TOKENS) for trace, at in first.items() if at + TOKENS <= pieces}
