"""Text for language models: documents of a file or a folder, and named sets."""

from .text_files import load
from .text_sets import help_texts, prose

__all__ = ["help_texts", "load", "prose"]
