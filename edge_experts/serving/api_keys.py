"""API keys: a file of accepted keys, and the check of a request's header."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError

_MOST_BYTES = 65_536  # of a file
_OTHERS = 0o077  # permissions of the group and of all others


class ApiKeys:
    """Accepted keys.

    Args:
        keys: at least one.
    """

    def __init__(self, keys: Iterable[bytes]):
        self._keys = tuple(keys)

    @classmethod
    def read(cls, path: Path) -> ApiKeys:
        """Read a file with one key a line; empty lines are skipped.

        Raises:
            UsageError: it cannot be read, or has no keys.
        """
        try:
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise UsageError(f"--api-key-file {path}: cannot be read ({error})") from None
        if len(content) > _MOST_BYTES:
            raise UsageError(f"--api-key-file {path}: has more than {_MOST_BYTES:,} bytes")
        keys = [key for line in content.splitlines() if (key := line.strip())]
        if not keys:
            raise UsageError(f"--api-key-file {path}: has no key; write one key a line")
        if not all(key.isascii() and len(key.split()) == 1 for key in keys):
            raise UsageError(f"--api-key-file {path}: keys must be ASCII, without spaces")
        return cls(keys)

    def admit(self, authorization: str) -> bool:
        """Test the Authorization header of a request, in a time that does not depend on its key."""
        scheme, _, given = authorization.strip().partition(" ")
        key = given.strip().encode("utf-8", "surrogateescape")
        equal = [hmac.compare_digest(key, known) for known in self._keys]
        return scheme.lower() == "bearer" and any(equal)


def is_readable_by_others(path: Path) -> bool:
    """Test if other users of the machine may have access to a file."""
    return bool(path.stat().st_mode & _OTHERS)
