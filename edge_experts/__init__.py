"""Sparse expert models for small ARM boards.

from edge_experts import ExpertRuntime                   # on the device
from edge_experts.training import SparseExperts, train   # on the host
from edge_experts.converters import convert
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import EdgeExpertsError
from .version import VERSION

if TYPE_CHECKING:
    from .runtime import Answer, ExpertRuntime
    from .runtime.installed import InstalledRuntime
    from .runtime.memory.memory_budget import MemoryBudget

__all__ = [
    "Answer",
    "EdgeExpertsError",
    "ExpertRuntime",
    "InstalledRuntime",
    "MemoryBudget",
    "__version__",
]
__version__ = VERSION


def __getattr__(name: str) -> Any:
    # Importing the package imports nothing heavy: numpy and the interpreter come with first use.
    if name in ("Answer", "ExpertRuntime"):
        from . import runtime

        return getattr(runtime, name)
    if name == "InstalledRuntime":
        from .runtime.installed import InstalledRuntime

        return InstalledRuntime
    if name == "MemoryBudget":
        from .runtime.memory.memory_budget import MemoryBudget

        return MemoryBudget
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
