"""Sparse expert models for small ARM boards.

from edge_experts import ExpertRuntime                   # on the device
from edge_experts.training import SparseExperts, train   # on the host
from edge_experts.converters import convert
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .errors import EdgeExpertsError
from .version import VERSION

if TYPE_CHECKING:
    from .runtime import Answer, ExpertRuntime
    from .runtime.installed import InstalledRuntime
    from .runtime.memory.memory_budget import MemoryBudget
    from .runtime.tasks.language_model.continuation import Prompt
    from .runtime.tasks.language_model.sampling import Sampling

__all__ = [
    "Answer",
    "EdgeExpertsError",
    "ExpertRuntime",
    "InstalledRuntime",
    "MemoryBudget",
    "Prompt",
    "Sampling",
    "__version__",
]
__version__ = VERSION
# Importing the package imports nothing heavy: numpy and the interpreter come with first use.
_MODULES = {
    "Answer": ".runtime",
    "ExpertRuntime": ".runtime",
    "InstalledRuntime": ".runtime.installed",
    "MemoryBudget": ".runtime.memory.memory_budget",
    "Prompt": ".runtime.tasks.language_model.continuation",
    "Sampling": ".runtime.tasks.language_model.sampling",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name], __name__), name)
