"""Networks of a bundle's files: their parameters, and what they compute, once for all backends.

The same definition makes a template in TensorFlow and the reference in numpy; `Operations` says how
a backend computes. Rows in, rows out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from edge_experts.format.manifest import TRUNK
from edge_experts.runtime.tasks.language_model.layered_network import STREAM

from .families import WHOLE

GATE = "gate"  # first output of a router, in alphabetical order


class Operations(Protocol):
    """Operations of a backend on its arrays."""

    def product(self, x: Any, weight: Any) -> Any:
        """Multiply rows (rows, inputs) by a weight (outputs, inputs): (rows, outputs)."""

    def normed(self, x: Any, scale: Any, epsilon: float) -> Any:
        """Divide by the root of the mean square over the last axis; multiply by a scale."""

    def sigmoid(self, x: Any) -> Any: ...

    def shaped(self, x: Any, shape: tuple[int, ...]) -> Any: ...

    def joined(self, parts: list[Any]) -> Any:
        """Concatenate along the last axis."""

    def summed(self, x: Any) -> Any:
        """Sum over the last axis, which stays with size 1."""


@dataclass(frozen=True)
class Attention:
    """Norm, and projections to queries, keys and values side by side.

    Attributes:
        queries, keys: their numbers of values; there are as many values as keys.
        norms: kind of norm of queries and keys; empty for none.
        width: of a head.
    """

    units: int
    queries: int
    keys: int
    width: int
    biased: bool
    norms: str
    epsilon: float
    given: ClassVar[str] = STREAM

    @property
    def inputs(self) -> int:
        return self.units

    @property
    def outputs(self) -> int:
        return self.queries + 2 * self.keys

    @property
    def weights(self) -> dict[str, tuple[int, int]]:
        return {"weight": (self.outputs, self.units)}

    @property
    def vectors(self) -> dict[str, int]:
        found = {"norm": self.units, **({"bias": self.outputs} if self.biased else {})}
        if self.norms:
            whole = self.norms == WHOLE
            found["query_norm"] = self.queries if whole else self.width
            found["key_norm"] = self.keys if whole else self.width
        return found

    def compute(self, of: Operations, p: Mapping[str, Any], x: Any) -> Any:
        made = of.product(of.normed(x, p["norm"], self.epsilon), p["weight"])
        if self.biased:
            made = made + p["bias"]
        if not self.norms:
            return made
        ends = self.queries, self.queries + self.keys
        query = self._normed(of, made[:, : ends[0]], p["query_norm"])
        key = self._normed(of, made[:, ends[0] : ends[1]], p["key_norm"])
        return of.joined([query, key, made[:, ends[1] :]])

    def _normed(self, of: Operations, x: Any, scale: Any) -> Any:
        if self.norms == WHOLE:
            return of.normed(x, scale, self.epsilon)
        size = int(x.shape[-1])
        heads = of.shaped(x, (-1, size // self.width, self.width))
        return of.shaped(of.normed(heads, scale, self.epsilon), (-1, size))


@dataclass(frozen=True)
class Product:
    """A product with a weight, after a norm where there is an `epsilon`."""

    inputs: int
    outputs: int
    biased: bool
    epsilon: float | None
    given: str = STREAM

    @property
    def weights(self) -> dict[str, tuple[int, int]]:
        return {"weight": (self.outputs, self.inputs)}

    @property
    def vectors(self) -> dict[str, int]:
        norm = {} if self.epsilon is None else {"norm": self.inputs}
        return {**norm, **({"bias": self.outputs} if self.biased else {})}

    def compute(self, of: Operations, p: Mapping[str, Any], x: Any) -> Any:
        if self.epsilon is not None:
            x = of.normed(x, p["norm"], self.epsilon)
        made = of.product(x, p["weight"])
        return made + p["bias"] if self.biased else made


@dataclass(frozen=True)
class Router:
    """Norm, and logits of the experts; the normalized rows are its second output."""

    units: int
    experts: int
    epsilon: float
    given: ClassVar[str] = STREAM
    weights: ClassVar[dict[str, tuple[int, int]]] = {}  # nothing is quantized

    @property
    def inputs(self) -> int:
        return self.units

    @property
    def vectors(self) -> dict[str, int]:
        return {"norm": self.units, "logits": self.experts * self.units}

    def compute(self, of: Operations, p: Mapping[str, Any], x: Any) -> dict[str, Any]:
        trunk = of.normed(x, p["norm"], self.epsilon)
        logits = of.shaped(p["logits"], (self.experts, self.units))
        return {GATE: of.product(trunk, logits), TRUNK: trunk}


@dataclass(frozen=True)
class Expert:
    """down(silu(gate x) * up x); a shared expert multiplies it by the sigmoid of a gate of x."""

    units: int
    inner: int
    shared: bool = False
    given: ClassVar[str] = TRUNK

    @property
    def inputs(self) -> int:
        return self.units

    @property
    def weights(self) -> dict[str, tuple[int, int]]:
        inner = (self.inner, self.units)
        return {"gate": inner, "up": inner, "down": (self.units, self.inner)}

    @property
    def vectors(self) -> dict[str, int]:
        return {"share": self.units} if self.shared else {}

    def compute(self, of: Operations, p: Mapping[str, Any], x: Any) -> Any:
        gate = of.product(x, p["gate"])
        made = of.product(gate * of.sigmoid(gate) * of.product(x, p["up"]), p["down"])
        return made * of.sigmoid(of.summed(x * p["share"])) if self.shared else made


FileNetwork = Attention | Product | Router | Expert
KINDS: dict[str, type[FileNetwork]] = {
    kind.__name__: kind for kind in (Attention, Product, Router, Expert)
}
