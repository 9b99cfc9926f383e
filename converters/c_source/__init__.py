"""C source of a bundle for microcontrollers, to be run by TensorFlow Lite Micro."""

from .c_export import CSource, c_source, refuse_run

__all__ = ["CSource", "c_source", "refuse_run"]
