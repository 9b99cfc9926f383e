"""Keras networks to TFLite bundles, on the host. Importing it does not import TensorFlow."""

from .compression import compress
from .convert import Conversion, convert, convert_with, opened
from .options import ConvertOptions
from .recipes import LAYOUTS, QUANTIZATIONS

__all__ = [
    "LAYOUTS",
    "QUANTIZATIONS",
    "Conversion",
    "ConvertOptions",
    "compress",
    "convert",
    "convert_with",
    "opened",
]
