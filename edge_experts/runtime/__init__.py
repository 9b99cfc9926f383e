"""Run a bundle on a device: numpy and a TFLite interpreter, never TensorFlow."""

from .answer import Answer, Predictions, Timings
from .engine import ExpertRuntime

__all__ = ["Answer", "ExpertRuntime", "Predictions", "Timings"]
