"""Training of networks that translate, one for each language."""

from .translator_trainer import train

__all__ = ["train"]
