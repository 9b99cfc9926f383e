"""Access of a task to the models of an opened bundle, also in forked children."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import UsageError
from . import forking
from .access import Observer
from .batch import Question, ask
from .memory.prefetch import Prefetcher
from .memory.residency import Residency, Slot
from .models import Models


class BundleAccess:
    """Implements `Access`; see there.

    Args:
        models: opened files; the router among them.
        experts: those in memory.
        prefetcher: is told which expert answered; None where none is wanted.
        inherited: by a forked child, from whose first answer on the router has another interpreter;
            before that, many children do nothing but end.
    """

    __slots__ = (
        *("_experts", "_has_trunk", "_models", "_must_renew", "_observer", "_prefetcher"),
        *("_renewing", "closed", "is_watched", "strict"),
    )

    def __init__(
        self,
        models: Models,
        experts: Residency,
        prefetcher: Prefetcher | None,
        *,
        strict: bool,
        observer: Observer | None = None,
        inherited: bool = False,
    ):
        self._models, self._experts, self._prefetcher = models, experts, prefetcher
        self.strict, self.closed = strict, False
        self.observer = observer
        if inherited:
            forking.keep(models.router)
        self._renewing = threading.Lock()
        self._must_renew = inherited and models.router is not None
        # Looked up once: every answer needs it.
        self._has_trunk = models.router is not None and models.router.has_trunk

    @property
    def observer(self) -> Observer | None:
        return self._observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self._observer = observer
        self.is_watched = observer is not None or self._prefetcher is not None

    def route(self, arrays: dict[str, np.ndarray]) -> np.ndarray | None:
        if self.closed:
            raise UsageError("the runtime is closed")
        if self._must_renew:
            self._renew()
        router = self._models.router
        if router is None:
            return None
        # What experts build on is added to the features.
        return router.with_trunk(arrays) if self._has_trunk else router(arrays)

    def expert(self, index: int) -> Slot:
        return self._experts.hold(index)

    def run(self, questions: Sequence[Question]) -> None:
        ask(questions, self._experts, strict=self.strict)

    def answered(self, expert: int, gate: np.ndarray | None, output: Any) -> None:
        if self._observer is not None:
            self._observer(gate, output)
        if self._prefetcher is not None:
            self._prefetcher.answered(expert)

    def close(self) -> None:
        """Refuses every further input."""
        self.closed = True

    def _renew(self) -> None:
        with self._renewing:
            if self._must_renew:  # no other thread was faster
                self._models.renew_router()
                self._must_renew = False
