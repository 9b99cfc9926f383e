"""`edge_experts.training.translation.model`, under the path that 0.1.0 wrote into model.keras."""

from ..translation.model import Translators

__all__ = ["Translators"]
