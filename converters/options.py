"""Options of one conversion, checked before it starts."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from edge_experts.compression import FOR_ARCHIVES, Compression, unique
from edge_experts.datasets import Dataset
from edge_experts.errors import UsageError
from edge_experts.run_folder import Run

from . import targets
from .process.order import Order
from .recipes import INTEGER, IO, LAYOUTS, QUANTIZATIONS
from .targets.microcontroller import MICROCONTROLLER, require
from .tasks import ConversionTask


@dataclass(frozen=True)
class Budget:
    """Size that a choice of recipes must meet, and its allowed cost; None: no limit.

    Attributes:
        size: bytes on disk, or of the archive if `compressed`.
        max_drop: points of the primary score on validation examples below Keras's.
    """

    size: int | None = None
    compressed: bool = False
    max_drop: float | None = None

    @property
    def what(self) -> str:
        return "of its archive" if self.compressed else "on disk"


class Convertible(Protocol):
    """Options that a conversion supports: a task's, or that of checkpoints."""

    @property
    def name(self) -> str: ...

    @property
    def options(self) -> Set[str]:
        """Names of the supported options."""

    @property
    def recipes(self) -> Sequence[str]:
        """Supported quantizations."""

    def refuse_target(self, target: targets.Target) -> None:
        """Raise UnsuitableError if no bundle can run on this target."""


@dataclass(frozen=True)
class ConvertOptions:
    """Options of `convert`; see there.

    Raises:
        UsageError: an option, or a combination of them, is invalid.
        UnsuitableError: the target does not support files of this quantization.
        MissingExtraError: a package that the target needs for measuring is not installed.
    """

    quantization: str = "int8"
    io: str = "float"
    layout: str = "split"
    top_k: int | None = None
    second_share: float | None = None
    abstain_below: float | None = None
    max_accuracy_drop: float | None = None
    size_budget: int | None = None
    size_budget_compressed: int | None = None
    target: str | None = None
    base: str | Path | None = None
    bundle_version: int | None = None
    compress: str | Compression | Sequence[str | Compression] = ()
    data: Dataset | None = None
    processes: int | None = None
    cache: bool = True
    force: bool = False
    scheduler: str | None = None
    beams: int | None = None

    def __post_init__(self) -> None:
        for option, value, allowed in (
            ("quantization", self.quantization, QUANTIZATIONS),
            ("layout", self.layout, LAYOUTS),
            ("io", self.io, IO),
        ):
            if value not in allowed:
                raise UsageError(f"{option} must be one of {allowed}, got {value!r}")
        if self.io == "integer" and self.quantization not in INTEGER:
            raise UsageError(
                f"io 'integer' requires quantization int8 or int16x8, got {self.quantization}"
            )
        for name in ("second_share", "abstain_below"):
            share = getattr(self, name)
            if share is not None and not 0 <= share <= 1:
                raise UsageError(f"{name} must be from 0 to 1, got {share}")
        if self.beams is not None and not 1 <= self.beams <= 64:
            raise UsageError(f"beams must be from 1 to 64, got {self.beams}")
        if self.place is not None:
            self.place.refuse_recipe(self.quantization)
            if self.place is MICROCONTROLLER:
                require()
        self._check_compressions()
        self._check_budget()

    @property
    def is_auto(self) -> bool:
        """True if a recipe is chosen for each network."""
        return self.quantization == "auto"

    @property
    def place(self) -> targets.Target | None:
        """Target of that name."""
        return None if self.target is None else targets.named(self.target)

    @cached_property
    def compressions(self) -> tuple[Compression, ...]:
        """Compression of the experts, or those to choose from."""
        several = [self.compress] if isinstance(self.compress, str | Compression) else self.compress
        chosen = [Compression(one) if isinstance(one, str) else one for one in several]
        if not chosen and self.is_auto and self.size_budget_compressed is not None:
            return FOR_ARCHIVES
        return unique(chosen)

    @property
    def budget(self) -> Budget:
        """Size that a choice of recipes must meet."""
        compressed = self.size_budget_compressed
        size = self.size_budget if compressed is None else compressed
        return Budget(size, compressed is not None, self.max_accuracy_drop)

    def refuse_meaningless(self, task: Convertible, **more: Any) -> None:
        """Raise UsageError if an option is given that the task does not support.

        Args:
            more: options of the command line; None if they are not given.
        """
        given = {name: value for name, value in more.items() if value is not None}
        given |= {
            one.name: value
            for one in fields(self)
            if (value := getattr(self, one.name)) not in (one.default, [])
        }
        unfit = [f"--{name.replace('_', '-')}" for name in given if name not in task.options]
        if unfit:
            raise UsageError(f"{', '.join(unfit)} is not supported for {task.name}")
        if self.quantization not in task.recipes:
            raise UsageError(
                f"--quantization {self.quantization} is not supported for {task.name}, which takes "
                f"{', '.join(task.recipes)}"
            )
        if self.place is not None:
            task.refuse_target(self.place)

    def applied(self, run: Run) -> Run:
        """Return the run with the `top_k` and the layout of these options.

        Raises:
            UsageError: its experts do not support them.
        """
        if self.top_k is not None:
            run = _asking(run, self.top_k)
        if self.layout != "split":
            run = _in_one_file(run, self.layout)
        if self.second_share is not None:
            _refuse_second(run)
        return run

    def order(self, task: ConversionTask) -> Order:
        """Return the options that worker processes need."""
        second = self.second_share is not None
        return Order(task.networks, self.layout, task.run.top_k, second, dict(task.settings(self)))

    def _check_compressions(self) -> None:
        if len(self.compressions) > 1 and not self.is_auto:
            raise UsageError(
                "compress accepts one method, whose steps are joined by +; quantization 'auto' "
                "chooses between several"
            )
        if self.compress and self.layout != "split":
            raise UsageError(
                f"compress requires layout 'split' (a file for each expert), got {self.layout!r}"
            )

    def _check_budget(self) -> None:
        both = (self.size_budget, self.size_budget_compressed)
        if both != (None, None) and not self.is_auto:
            raise UsageError(f"a size budget needs quantization 'auto', got {self.quantization!r}")
        if self.is_auto and self.layout != "split":
            raise UsageError(
                f"quantization 'auto' chooses for each file; layout {self.layout!r} has one"
            )
        if None not in both:
            raise UsageError("give size_budget or size_budget_compressed, not both")


def _asking(run: Run, top_k: int) -> Run:
    """Return the run with that `top_k`."""
    if run.combine != "top":
        raise UsageError("top_k requires a model with a router; this one sums all its experts")
    if not 1 <= top_k <= run.experts:
        raise UsageError(f"top_k must be from 1 to {run.experts} (experts), got {top_k}")
    return replace(run, top_k=top_k)


def _refuse_second(run: Run) -> None:
    """Raise UsageError if the run has no second expert to run."""
    if run.experts == 1 or run.combine != "top" or run.top_k != 1:
        raise UsageError(
            "second_share requires a model whose router picks one expert of several, each in a "
            "file of its own; if more experts always answer, pass top_k 1 with it"
        )


def _in_one_file(run: Run, layout: str) -> Run:
    """Return the run as that of one network without a router."""
    if run.experts == 1 or run.combine != "top" or run.top_k != 1:
        raise UsageError(
            f"layout {layout!r} requires a model whose router picks one expert of several"
        )
    macs = dict(run.metrics.get("macs", {}))
    if macs and layout == "gated":
        macs["active"] = macs["router"] + run.experts * macs["expert"]
    return replace(
        run,
        name=f"{run.name}-{layout}",
        experts=1,
        metrics={**run.metrics, "macs": macs, "expert_usage": []},
    )
