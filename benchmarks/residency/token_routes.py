"""Weights by which a token's number decides its experts, in every engine that computes them.

The last `WIDTH` numbers of an embedding row are a token's code. No layer changes them (the rows of
the matrices that would are nearly zero), and routers read nothing else. So the tokens of a trace
take the experts of the trace, whatever else the random weights compute, up to near ties.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

WIDTH = 64  # numbers of a code
TOKENS = 512  # of a trace, each of which occurs in it once
TRACES = ("uniform", "zipf")
FADED = 1e-3  # factor of the rows that would change codes; zeros have no scale as int4
# Popularity of experts by Zipf's law with this exponent, blurred by normal numbers of the spread
# of Gumbel's, which draw without replacement. With the correlation of one token's numbers with the
# next token's, tokens share 0.48 of their experts with the token before (0.26 if uniform).
_EXPONENT, _SPREAD, _CORRELATION = 0.9, 1.28, 0.25


def codes(random: np.random.Generator) -> np.ndarray:
    """Draw the codes of the tokens of all traces, (traces * tokens, width) float32."""
    made = np.empty((len(TRACES), TOKENS, WIDTH), np.float32)
    for number, trace in enumerate(TRACES):
        is_zipf = trace == "zipf"
        kept = _CORRELATION if is_zipf else 0.0
        drawn = random.standard_normal((TOKENS, WIDTH - 1))
        for token in range(1, TOKENS):
            drawn[token] = kept * drawn[token - 1] + np.sqrt(1 - kept**2) * drawn[token]
        made[number, :, 0], made[number, :, 1:] = is_zipf, drawn
    found: np.ndarray = made.reshape(-1, WIDTH)
    return found


def router(random: np.random.Generator, experts: int) -> np.ndarray:
    """Draw the columns of a layer's router that read codes, (experts, width) float32."""
    made = random.standard_normal((experts, WIDTH)) * _SPREAD / np.sqrt(WIDTH - 1)
    made[:, 0] = random.permutation(-_EXPONENT * np.log(np.arange(1, experts + 1)))
    found: np.ndarray = made.astype(np.float32)
    return found


def tokens(pieces: int) -> Mapping[str, range]:
    """Return the numbers of each trace's tokens in a vocabulary of `pieces`."""
    first = pieces - len(TRACES) * TOKENS
    return {
        trace: range(first + number * TOKENS, first + (number + 1) * TOKENS)
        for number, trace in enumerate(TRACES)
    }
