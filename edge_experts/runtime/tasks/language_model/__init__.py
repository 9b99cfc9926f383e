"""Language models: every layer routes each token to its own experts, and texts are continued."""

from .task import LanguageModel

__all__ = ["LanguageModel"]
