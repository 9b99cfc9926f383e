"""Data sets that tf_keras can download, where it is installed and the network allows it."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import socket
import sys
from collections.abc import Sequence

import numpy as np

from ..format.atomic import cache_folder, write_whole
from ..format.npz import npz

NAMES = ("x_train", "y_train", "x_test", "y_test")
_SECONDS = 5.0  # without an answer; a machine without a network must not wait for minutes


def arrays(name: str, sha256: str) -> list[np.ndarray] | None:
    """The arrays in the order of `NAMES`, from our cache or else the network.

    Args:
        name: of a module in tf_keras.datasets.
        sha256: of the arrays' bytes, one after the other.

    Returns:
        None where this is no way to get them; there are others.
    """
    kept = cache_folder() / f"{name}.npz"
    with contextlib.suppress(Exception), np.load(kept) as file:
        found = [file[key] for key in NAMES]
        if digest(found) == sha256:
            return found
    if not all(importlib.util.find_spec(package) for package in ("tensorflow", "tf_keras")):
        return None
    try:
        found = _downloaded(name)
    except Exception:  # tf_keras raises it bare when a download fails
        return None
    if digest(found) != sha256:
        return None
    # Kept by us too, so that the next command does not import TensorFlow to read it.
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, npz(**dict(zip(NAMES, found, strict=True))))
    return found


def digest(arrays: Sequence[np.ndarray]) -> str:
    """The SHA-256 of the arrays' bytes, one after the other."""
    sum_of_all = hashlib.sha256()
    for array in arrays:
        sum_of_all.update(np.ascontiguousarray(array).tobytes())
    return sum_of_all.hexdigest()


def _downloaded(name: str) -> list[np.ndarray]:
    from ..keras_setup import import_keras

    import_keras()
    import tf_keras

    print(f"Fetching {name} by tf_keras ...", file=sys.stderr)
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # its progress bar
            (x_train, y_train), (x_test, y_test) = getattr(tf_keras.datasets, name).load_data()
    finally:
        socket.setdefaulttimeout(before)
    return [x_train, y_train, x_test, y_test]
