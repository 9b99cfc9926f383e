"""Run a bundle on a device: numpy and a TFLite interpreter, never TensorFlow."""

from .engine import Answer, ExpertRuntime, Timings

__all__ = ["Answer", "ExpertRuntime", "Timings"]
