"""Settings of a language model beside those that all trainings share."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ..errors import UsageError

GATES = ("sigmoid", "softmax")


@dataclass(frozen=True)
class LanguageSettings:
    """Sizes of the network, and settings of its training.

    Attributes:
        units: width of the residual stream.
        layers: number of blocks, each with attention and experts.
        heads: number of attention heads.
        key_heads: number of heads of keys and values, shared by groups of attention heads.
        inner: hidden units of one expert.
        context: largest number of tokens that attention sees.
        pieces: largest size of the vocabulary.
        gate: function of a router's logits: "sigmoid" or "softmax".
        balance_rate: step of the biases that balance the experts, after each update.
        z_loss: weight of the routers' squared log-sum-exp.
        warm_up: share of the steps with a rising learning rate.

    Raises:
        UsageError: a value is invalid.
    """

    units: int = 256
    layers: int = 4
    heads: int = 4
    key_heads: int = 2
    inner: int = 256
    context: int = 256
    pieces: int = 4096
    gate: str = "sigmoid"
    balance_rate: float = 1e-3
    z_loss: float = 1e-4
    warm_up: float = 0.05

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kind = {"int": int, "float": (int, float), "str": str}[str(field.type)]
            if not isinstance(value, kind) or isinstance(value, bool):  # type: ignore[arg-type]
                raise UsageError(
                    f"language_model.{field.name} must be of type {field.type}, got {value!r}"
                )
            if field.type == "int" and value < 1:
                raise UsageError(f"language_model.{field.name} must be at least 1, got {value}")
        if self.gate not in GATES:
            raise UsageError(f"language_model.gate must be one of {GATES}, got {self.gate!r}")
        if self.units % (2 * self.heads) or self.heads % self.key_heads:
            raise UsageError(
                "language_model: units must be a multiple of twice the heads, and heads one of "
                f"key_heads; got {self.units}, {self.heads} and {self.key_heads}"
            )
        if not 0 <= self.warm_up < 1 or self.balance_rate < 0 or self.z_loss < 0:
            raise UsageError(
                "language_model: warm_up must be from 0 to 1, balance_rate and z_loss at least 0"
            )
