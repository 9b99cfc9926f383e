"""Which experts an input is for."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from ..format.manifest import Manifest
from . import forking
from .answer import first_probability
from .models import Models
from .translation.writer import named

Arrays = dict[str, np.ndarray]
Picking = Callable[[Arrays], tuple[np.ndarray | None, tuple[int, ...]]]


class Routing:
    """The router, and how many of its choices are asked.

    Args:
        inherited: by a forked child, from whose first answer on the router has an interpreter of
            its own; before, many children do nothing but end.
    """

    def __init__(self, models: Models, manifest: Manifest, *, inherited: bool = False):
        self._models, self._renewing = models, threading.Lock()
        self._by_name = manifest.by_name
        if inherited:
            forking.keep(models.router)
        renew = inherited and models.router is not None
        self._gate = self._renewed if renew else self._current()
        # Looked up once: every answer needs them.
        self._asks_one, self._second_below = manifest.asks_one, manifest.second_below
        self._most = manifest.top_k if self._second_below is None else 2
        self._all = tuple(range(len(manifest.experts)))

    def pick(self, arrays: Arrays) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """The router's logits, (experts,), and whom to ask, its first choice first.

        None and all experts where there is nobody to choose. It may add to the arrays.
        """
        if self._gate is None:
            return None, self._all
        gate = self._gate(arrays)
        first, second_below = int(gate.argmax()), self._second_below
        if self._asks_one or (
            second_below is not None and first_probability(gate, first) >= second_below
        ):
            return gate, (first,)
        return gate, tuple(np.argsort(-gate, kind="stable")[: self._most].tolist())

    def _current(self) -> Callable[[Arrays], np.ndarray] | None:
        router = self._models.router
        if self._by_name:
            return named if router is None else lambda arrays: named(arrays, router(arrays))
        if router is None:
            return None
        # What experts build on is added to the features.
        return router.with_trunk if router.has_trunk else router

    def _renewed(self, arrays: Arrays) -> np.ndarray:
        with self._renewing:
            if self._gate == self._renewed:  # no other thread was faster
                self._models.renew_router()
                self._gate = self._current()
            gate = self._gate
        assert gate is not None, "it is the router that is renewed"
        return gate(arrays)
