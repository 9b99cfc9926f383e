"""The router of a bundle, also in forked children."""

from __future__ import annotations

import threading

import numpy as np

from . import forking
from .models import Models

Arrays = dict[str, np.ndarray]


class Routing:
    """Runs the router.

    Args:
        inherited: by a forked child, from whose first answer on the router has another interpreter;
            before that, many children do nothing but end.
    """

    def __init__(self, models: Models, *, inherited: bool = False):
        self._models, self._renewing = models, threading.Lock()
        if inherited:
            forking.keep(models.router)
        self._must_renew = inherited and models.router is not None

    def gate(self, arrays: Arrays) -> np.ndarray | None:
        """The router's logits, (experts,); None without a router."""
        if self._must_renew:
            self._renew()
        router = self._models.router
        if router is None:
            return None
        # What experts build on is added to the features.
        return router.with_trunk(arrays) if router.has_trunk else router(arrays)

    def _renew(self) -> None:
        with self._renewing:
            if self._must_renew:  # no other thread was faster
                self._models.renew_router()
                self._must_renew = False
