"""A domain arrives after deployment: an added expert beside dense networks that learn it too."""

from .domains import Domains, sentiment
from .results import Arrival, Row, as_rows, as_text
from .scenario import GROWN, RETRAINED, arrive

__all__ = [
    "GROWN",
    "RETRAINED",
    "Arrival",
    "Domains",
    "Row",
    "arrive",
    "as_rows",
    "as_text",
    "sentiment",
]
