"""Spectra of sound in C source: the tables of the transform, the bands, and the hop of a stream."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from edge_experts.errors import UnsuitableError
from edge_experts.features import SoundFeatures
from edge_experts.features.log_mel import LogMel, Transform

from ..tasks import c_literals as literals

FILES = ("edge_experts_sound.h", "edge_experts_sound.c")
_EXPLAINED = """
`edge_experts_sound.c` computes the spectra of samples as they come from a microphone, with the same
numbers as the runtime in Python, and detects labels as `edge-experts run --listen` does:

    static edge_experts_listener listener;
    float score;
    edge_experts_listen(&listener);  // once
    for (each sample, EDGE_EXPERTS_RATE a second)
        if (edge_experts_hear(&listener, sample, x) && runner.ask(x, &answer) == 0) {
            int label = edge_experts_detect(&listener, answer.scores, &score);
            if (label >= 0) puts(edge_experts_labels[label]);
        }

"""
_HOPS = 8  # answers of a stream in a window, as `run --listen` has them
_NUMBERS_A_LINE = 8


def defines(log_mel: LogMel) -> dict[str, int]:
    """Return the numbers of edge_experts_config.h.

    Raises:
        UnsuitableError: frames whose bins cannot share their products.
    """
    if log_mel.frame % 8:
        raise UnsuitableError(
            f"C source supports spectra of frames that are a multiple of 8 samples, got "
            f"{log_mel.frame}; train on sounds of 8,000 or 16,000 samples a second"
        )
    frames, bands = log_mel.shape
    spectra = max(1, round(log_mel.samples / _HOPS / log_mel.hop))
    return {
        "RATE": log_mel.rate,
        "SAMPLES": log_mel.samples,
        "FRAME": log_mel.frame,
        "FRAME_HOP": log_mel.hop,
        "FRAMES": frames,
        "BANDS": bands,
        "USUAL_HOP": spectra * log_mel.hop,
        "LAST_PART": _last_part(log_mel.frame),
        "QUARTERS": sum(map(len, _quarters(log_mel.transform))),
        "WEIGHTS": sum(map(len, _weights(log_mel.transform))),
    }


def explained(log_mel: LogMel) -> str:
    """Write the section of README.md."""
    found = defines(log_mel)
    flash = 4 * found["QUARTERS"] + 8 * found["WEIGHTS"] + 4 * log_mel.bands
    listener = 2 * (log_mel.frame + math.prod(log_mel.shape)) + 28
    work = 16 * (log_mel.frame // 2 + 1) + 16 * (log_mel.frame // 4 + 1)
    return (
        f"{_EXPLAINED}"
        f"Its tables take {flash:,} bytes of flash; a listener and the work on a spectrum take\n"
        f"{listener + work:,} bytes of RAM, and 12 for each label. There are "
        f"{log_mel.rate / log_mel.hop:g} spectra a second, each computed\n"
        "in the call of one sample.\n\n"
    )


def definitions(features: SoundFeatures) -> str:
    """Write the arrays of edge_experts_tables.c."""
    transform = features.log_mel.transform
    starts, weights = transform.starts, list(_weights(transform))
    ends = [start + len(found) for start, found in zip(starts, weights, strict=True)]
    return (
        _array("int32_t", "quarters", _integers(np.concatenate(list(_quarters(transform)))))
        + _array("int16_t", "band_starts", _integers(starts))
        + _array("int16_t", "band_ends", _integers(ends))
        + _array("double", "band_weights", map(literals.double, np.concatenate(weights)))
    )


def _quarters(transform: Transform) -> Iterator[np.ndarray]:
    """Yield a quarter circle of the transform's whole numbers for each sample, as C reads them.

    For the sample at place n, which `part` divides: rint(2**26 window[n] cos(2 pi q part / frame))
    for q up to a quarter of frame / part. See edge_experts_sound.c for the order.
    """
    half = len(transform.cosine)
    last = part = _last_part(2 * half)
    while part:
        for place in range(part, half + 1, part if part == last else 2 * part):
            yield _quarter(transform, place, part)
        part //= 2


def _quarter(transform: Transform, place: int, part: int) -> np.ndarray:
    """Find a sample's quarter circle in its row, where other bins have the same numbers."""
    half = len(transform.cosine)
    circle = 2 * half // part
    turns = place // part * np.arange(half + 1) % circle
    turns = np.minimum(turns, circle - turns)
    upper = turns > circle // 4
    at = np.where(upper, circle // 2 - turns, turns)
    cosine = np.where(upper, -1, 1) * transform.cosine[place - 1]
    # In the middle of the frame C multiplies the sine by 0.
    sine = abs(transform.sine[place - 1]) if place < half else cosine[:0]
    found = np.zeros(circle // 4 + 1, np.int64)
    found[circle // 4 - at[: len(sine)]] = sine
    found[at] = cosine
    symmetric = (found[at] == cosine).all() and (found[circle // 4 - at[: len(sine)]] == sine).all()
    if not symmetric:
        raise UnsuitableError(f"C source: a frame of {2 * half} samples has no symmetric transform")
    return found


def _last_part(frame: int) -> int:
    """Largest power of 2 that divides a quarter of the frame."""
    quarter = frame // 4
    return quarter & -quarter


def _weights(transform: Transform) -> Iterator[np.ndarray]:
    """Yield the weights of each band without the zeros that fill it up to the widest one."""
    for weights in transform.weights:
        yield weights[: int(np.flatnonzero(weights).max(initial=-1)) + 1]


def _integers(numbers: np.ndarray | list[int]) -> Iterator[str]:
    return (str(int(number)) for number in numbers)


def _array(kind: str, name: str, items: Iterator[str]) -> str:
    numbers = list(items)
    lines = [
        ", ".join(numbers[at : at + _NUMBERS_A_LINE])
        for at in range(0, len(numbers), _NUMBERS_A_LINE)
    ]
    return f"const {kind} edge_experts_{name}[] = {{\n{literals.listing(lines)}\n}};\n\n"
