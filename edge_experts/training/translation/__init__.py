"""Training of networks that translate, one for each language."""

from .trainer import train

__all__ = ["train"]
