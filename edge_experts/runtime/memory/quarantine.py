"""Quarantine: experts that cannot be used for now, and the reasons.

A read error of an SD card may be transient, and a file may be repaired while the process runs. So
an expert is tried again after a while: not never, and not each time, at the cost of a read.
"""

from __future__ import annotations

import math
import threading
from time import monotonic

from ...errors import BundleError, MachineError, MemoryBudgetError

# Errors that make one expert unusable and do not concern the others.
UNAVAILABLE = (BundleError, MachineError, MemoryBudgetError, MemoryError, OSError)


class Quarantine:
    """Experts that must not be tried now.

    Args:
        retry_after: seconds until an expert is tried again; with 0 it is tried each time.
    """

    def __init__(self, retry_after: float):
        self._retry_after = retry_after
        self._kept: dict[int, tuple[Exception, float]] = {}
        self._lock = threading.Lock()

    @property
    def reasons(self) -> dict[int, str]:
        """Error of each failed expert at its last attempt."""
        with self._lock:
            return {index: describe(error) for index, (error, _) in sorted(self._kept.items())}

    def add(self, index: int, error: Exception, *, forever: bool = False) -> None:
        with self._lock:
            until = math.inf if forever else monotonic() + self._retry_after
            # A copy: the error's traceback would keep the objects of the failed load alive.
            self._kept[index] = (_copy(error), until)

    def refuse(self, index: int) -> None:
        """Raise the expert's error, until it is time to try again."""
        with self._lock:
            error, until = self._kept.get(index, (None, 0.0))
        if error is not None and monotonic() < until:
            raise _copy(error)

    def remove(self, index: int) -> None:
        """Remove an expert that works again."""
        with self._lock:
            self._kept.pop(index, None)

    def clear(self) -> None:
        """Allow another attempt for all experts but those that cannot fit."""
        with self._lock:
            kept = self._kept.items()
            self._kept = {index: one for index, one in kept if one[1] == math.inf}


def describe(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _copy(error: Exception) -> Exception:
    copied: Exception = type(error)(*error.args)
    return copied
