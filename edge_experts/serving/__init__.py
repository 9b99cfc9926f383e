"""HTTP server of a bundle: the Open Inference Protocol; of a language model, completions too."""

from .service import OverloadedError, Service

__all__ = ["OverloadedError", "Service"]
