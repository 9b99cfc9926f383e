"""Sine, logarithm and product that are the same bits on every machine.

Libraries of C and numpy compute these with errors that differ between processors. Here they are
polynomials of additions, multiplications and divisions in float64, each its own numpy call. IEEE
754 defines the result of each of these to the last bit. Products are for whole numbers whose sums
stay below 2**53, exact in any order.
"""

from __future__ import annotations

import math

import numpy as np

# Taylor series about 0; on an eighth of a circle the next term is below 1e-16.
_SINE = [(-1) ** n / math.factorial(2 * n + 1) for n in range(9)]
_COSINE = [(-1) ** n / math.factorial(2 * n) for n in range(9)]
_PI = 3.141592653589793
_LN2 = 0.6931471805599453
_ROOT = 0.7071067811865476  # of 1/2
# Multiplications up to which OpenBLAS uses one thread.
_ONE_THREAD = 2**18
_ATANH = [1 / (2 * n + 1) for n in range(11)]


def sines(steps: np.ndarray, circle: int) -> np.ndarray:
    """sin(2 pi steps / circle) of whole numbers, float64, to 1e-15.

    Args:
        steps: int64, of any shape and sign.
        circle: number of steps of a whole circle, positive.
    """
    # In 8 * circle steps of a circle, so that an eighth of it is `circle` steps.
    place = (steps % circle) * 8
    octant, rest = place // circle, place % circle
    odd = octant % 2 == 1
    angle = np.where(odd, circle - rest, rest) * (_PI / 4) / circle
    square = angle * angle
    sine = angle * _polynomial(_SINE, square)
    cosine = _polynomial(_COSINE, square)
    found = np.where((octant % 4 == 1) | (octant % 4 == 2), cosine, sine)
    signed: np.ndarray = np.where(octant >= 4, -found, found)
    return signed


def cosines(steps: np.ndarray, circle: int) -> np.ndarray:
    """cos(2 pi steps / circle); see `sines`."""
    return sines(4 * steps + circle, 4 * circle)


def logarithms(values: np.ndarray) -> np.ndarray:
    """Natural logarithm of positive normal float64, to 1e-15 of its size or of 1."""
    mantissa, exponent = np.frexp(values)
    low = mantissa < _ROOT
    mantissa = np.where(low, mantissa * 2, mantissa)
    exponent = np.where(low, exponent - 1, exponent)
    ratio = (mantissa - 1) / (mantissa + 1)
    series = 2 * ratio * _polynomial(_ATANH, ratio * ratio)
    found: np.ndarray = series + exponent * _LN2
    return found


def product(left: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """left @ matrix of float64, in parts that libraries compute on one thread.

    A few milliseconds of work are not worth threads: on a busy machine these wait for each other a
    hundred times as long.
    """
    step = max(1, _ONE_THREAD // max(1, left.size))
    parts = [left @ matrix[:, at : at + step] for at in range(0, matrix.shape[1], step)]
    return np.concatenate(parts, axis=1)


def _polynomial(coefficients: list[float], at: np.ndarray) -> np.ndarray:
    """Horner's rule."""
    found = np.full(at.shape, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        found = found * at
        found = found + coefficient
    return found
