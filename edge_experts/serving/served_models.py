"""Models of a server, by the names that requests give them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from starlette.exceptions import HTTPException

from .service import Service


class UnknownModelError(HTTPException):
    """The request names a model that is not here."""

    def __init__(self, name: str, known: Iterable[str]):
        names = ", ".join(map(repr, known))
        super().__init__(404, f"no model {name!r:.80}; this server has {names}")


class ServedModels:
    """Services by their names, which differ."""

    def __init__(self, services: Iterable[Service]):
        self._services = {one.name: one for one in services}

    def __iter__(self) -> Iterator[Service]:
        return iter(self._services.values())

    def named(self, name: str) -> Service:
        """Return the service of a model.

        Raises:
            UnknownModelError: there is none of that name.
        """
        service = self._services.get(name)
        if service is None:
            raise UnknownModelError(name, self._services)
        return service
