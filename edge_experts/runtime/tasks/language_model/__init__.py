"""Language models: every layer routes each token to its own experts, and texts are continued."""

from .language_model_task import LanguageModel

__all__ = ["LanguageModel"]
