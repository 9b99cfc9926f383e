"""Keras networks to TFLite bundles, on the host. Importing it does not import TensorFlow."""

from .convert import Conversion, convert
from .recipes import QUANTIZATIONS

__all__ = ["QUANTIZATIONS", "Conversion", "convert"]
