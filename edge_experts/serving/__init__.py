"""A bundle behind HTTP, for gateways and clouds: the Open Inference Protocol, version 2."""

from .service import OverloadedError, Service

__all__ = ["OverloadedError", "Service"]
