"""Access of a task to the models of an opened bundle, also in forked children."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import numpy as np

from ..errors import UsageError
from ..format.manifest import Manifest
from . import forking
from .access import Observer
from .batch import Question, ask
from .interpreter import Model
from .memory.prefetch import Prefetcher
from .memory.read_ahead import ReadAhead
from .memory.residency import Residency
from .memory.slot import Slot
from .models import Models

Arrays = dict[str, np.ndarray]
Route = Callable[[Arrays], np.ndarray | None]


class LayerAccess:
    """Implementation of `access.RoutedLayer`; see there."""

    __slots__ = ("places", "route")

    def __init__(self, places: range, route: Callable[[Arrays], np.ndarray]):
        self.places, self.route = places, route


class BundleAccess:
    """Implementation of `Access`; see there.

    Args:
        models: opened files, among them the routers.
        experts: residency of the experts.
        prefetcher: is notified of the expert that answered; None without prefetching.
        read_ahead: loads experts that are about to be used; None: they are loaded one by one.
        inherited: True in a forked child, which opens new interpreters for the routers at its first
            answer; many children end without one.
    """

    __slots__ = (
        *("_experts", "_inherited", "_models", "_observer", "_prefetcher", "_renewing"),
        *("expect", "free", "has", "is_watched", "layers", "reject", "route", "sizes", "strict"),
    )

    def __init__(
        self,
        manifest: Manifest,
        models: Models,
        experts: Residency,
        prefetcher: Prefetcher | None,
        *,
        strict: bool,
        read_ahead: ReadAhead | None = None,
        observer: Observer | None = None,
        inherited: bool = False,
    ):
        self._models, self._experts, self._prefetcher = models, experts, prefetcher
        self.strict, self.observer = strict, observer
        # Methods of Residency: a wrapper would slow down every answer.
        self.free, self.reject, self.has = experts.free, experts.reject, experts.has
        self.expect: Callable[[Sequence[int]], None] = (
            _expect_nothing if read_ahead is None else read_ahead.expect
        )
        self.sizes: Sequence[int] = models.sizes
        self._renewing = threading.Lock()
        self._inherited = inherited and bool(models.routers or models.dense)
        # `Model.__call__` or `with_trunk` itself: a wrapper would slow down every answer.
        self.route: Route = _without_router
        places = [places for _, places in manifest.routed] if manifest.layers else []
        self.layers = tuple(LayerAccess(one, _closed) for one in places)
        if self._inherited:
            forking.keep(*models.routers, *models.dense.values())
            self._use(partial(self._renewed, number) for number in range(len(models.routers)))
        else:
            self._use(map(_of, models.routers))

    @property
    def dense(self) -> Mapping[str, Any]:
        self._renew()
        return self._models.dense

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
        """Refuse every further input."""
        with self._renewing:  # otherwise a concurrent first routing would open it again
            self.route = _closed
            for layer in self.layers:
                layer.route = _closed

    @property
    def is_closed(self) -> bool:
        return self.route is _closed

    def _use(self, routes: Iterable[Callable[[Arrays], np.ndarray]]) -> None:
        """Route with these functions: one for each layer, or the only one."""
        if self.layers:
            for layer, route in zip(self.layers, routes, strict=False):  # no routes after `close`
                layer.route = route
        else:
            self.route = next(iter(routes), _without_router)

    def _renewed(self, number: int, arrays: Arrays) -> np.ndarray:
        """Route the first input in a forked child."""
        self._renew()
        route = self.layers[number].route if self.layers else self.route
        logits = route(arrays)
        assert logits is not None, "a router gives logits"
        return logits

    def _renew(self) -> None:
        """Open new interpreters for routers and dense parts, once in a forked child."""
        with self._renewing:
            if self._inherited and not self.is_closed:  # no other thread was first
                self._models.renew()
                self._use(map(_of, self._models.routers))
                self._inherited = False


def _of(router: Model) -> Callable[[Arrays], np.ndarray]:
    """Return a router's logits; the features of a router with a trunk are added to the arrays."""
    return router.with_trunk if router.has_trunk else router


def _without_router(arrays: Arrays) -> None:
    """Return no logits: every expert answers, or the example names one."""


def _expect_nothing(experts: Sequence[int]) -> None:
    """Load experts when they are used."""


def _closed(arrays: Arrays) -> NoReturn:
    raise UsageError("the runtime is closed")
