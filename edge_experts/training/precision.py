"""Type that a training computes in; weights are float32 in any case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tf_keras

_PROCESSORS = Path("/proc/cpuinfo")


def fast_precision() -> str:
    """Type for computations: bfloat16 if the processor multiplies tiles of it, otherwise float32.

    With AMX bfloat16 is faster. With AVX512-BF16 alone it is slower: the conversions around the
    small networks' products take longer than their products save (`python -m benchmarks
    precision-speed`).
    """
    try:
        flags = _PROCESSORS.read_text(encoding="utf-8")
    except OSError:  # not Linux
        return "float32"
    return "bfloat16" if "amx_bf16" in flags else "float32"


@contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Make the Keras layers that are created in the block compute in this type."""
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy(
        "float32" if precision == "float32" else f"mixed_{precision}"
    )
    try:
        yield
    finally:
        tf_keras.mixed_precision.set_global_policy(before)
