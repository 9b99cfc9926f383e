"""Access of a task to the models of an opened bundle, also in forked children."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ..errors import UsageError
from . import forking
from .access import Observer
from .batch import Question, ask
from .memory.prefetch import Prefetcher
from .memory.residency import Residency, Slot
from .models import Models

Arrays = dict[str, np.ndarray]
Route = Callable[[Arrays], np.ndarray | None]


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
        *("_experts", "_models", "_observer", "_prefetcher", "_renewing"),
        *("free", "is_watched", "reject", "route", "strict"),
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
        self.strict, self.observer = strict, observer
        # Methods of Residency: ones in between would cost every answer.
        self.free, self.reject = experts.free, experts.reject
        if inherited:
            forking.keep(models.router)
        self._renewing = threading.Lock()
        # `Model.__call__` or `with_trunk` itself: a method in between would cost every answer.
        renew = inherited and models.router is not None
        self.route: Route = self._renewed if renew else self._current()

    @property
    def observer(self) -> Observer | None:
        return self._observer

    @observer.setter
    def observer(self, observer: Observer | None) -> None:
        self._observer = observer
        self.is_watched = observer is not None or self._prefetcher is not None

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
        self.route = _closed

    @property
    def is_closed(self) -> bool:
        return self.route is _closed

    def _current(self) -> Route:
        router = self._models.router
        if router is None:
            return _without_router
        # What experts build on is added to the features.
        return router.with_trunk if router.has_trunk else router

    def _renewed(self, arrays: Arrays) -> np.ndarray | None:
        with self._renewing:
            if self.route == self._renewed:  # no other thread was faster
                self._models.renew_router()
                self.route = self._current()
            route = self.route
        return route(arrays)


def _without_router(arrays: Arrays) -> None:
    """No logits: every expert answers, or the example names one."""


def _closed(arrays: Arrays) -> NoReturn:
    raise UsageError("the runtime is closed")
