"""A domain arrives after deployment: an added expert beside dense networks that learn it too."""

from .domains import Domains, sentiment
from .scenario import GROWN, RETRAINED, arrive
from .update_results import Arrival, UpdateRow, as_rows, as_text, legend

__all__ = [
    "GROWN",
    "RETRAINED",
    "Arrival",
    "Domains",
    "UpdateRow",
    "arrive",
    "as_rows",
    "as_text",
    "legend",
    "sentiment",
]
