"""Data sets that tf_keras can download, if it is installed and there is a network."""

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
_SECONDS = 5.0  # timeout, since a machine without a network must not wait for minutes


def arrays(name: str, sha256: str) -> list[np.ndarray] | None:
    """Arrays in the order of `NAMES`, from the cache or else the network.

    Args:
        name: name of a module in tf_keras.datasets.
        sha256: digest of the arrays' concatenated bytes.

    Returns:
        None if they are not available here; there are other sources.
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
    except Exception:  # tf_keras raises a bare Exception if a download fails
        return None
    if digest(found) != sha256:
        return None
    # Cached here too, so that the next command need not import TensorFlow to read them.
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_whole(kept, npz(**dict(zip(NAMES, found, strict=True))))
    return found


def digest(arrays: Sequence[np.ndarray]) -> str:
    """SHA-256 of the arrays' concatenated bytes."""
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
        with contextlib.redirect_stdout(io.StringIO()):  # hides its progress bar
            (x_train, y_train), (x_test, y_test) = getattr(tf_keras.datasets, name).load_data()
    finally:
        socket.setdefaulttimeout(before)
    return [x_train, y_train, x_test, y_test]
