"""What a user asked of `convert`: used, or refused before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge_experts import run_folder
from edge_experts.compression import FOR_ARCHIVES, Compression, unique
from edge_experts.errors import UsageError

from . import targets
from .auto import Budget
from .recipes import INTEGER, IO, LAYOUTS, QUANTIZATIONS
from .targets.microcontroller import MICROCONTROLLER, require


def check(
    quantization: str,
    layout: str,
    io: str,
    second_share: float | None,
    abstain_below: float | None,
) -> None:
    """Raises UsageError where one of these is nothing that there is."""
    for option, value, allowed in (
        ("quantization", quantization, QUANTIZATIONS),
        ("layout", layout, LAYOUTS),
        ("io", io, IO),
    ):
        if value not in allowed:
            raise UsageError(f"{option} must be one of {allowed}, got {value!r}")
    if io == "integer" and quantization not in INTEGER:
        raise UsageError(f"io 'integer' holds for int8 and int16x8, not for {quantization}")
    for name, share in (("second_share", second_share), ("abstain_below", abstain_below)):
        if share is not None and not 0 <= share <= 1:
            raise UsageError(f"{name} must be from 0 to 1, got {share}")


def run_asked(
    description: run_folder.Run, layout: str, top_k: int | None, second_share: float | None
) -> run_folder.Run:
    """The run, with so many experts asked, or as one network in this layout.

    Raises:
        UsageError: its experts cannot be asked so.
    """
    if description.feature_kind == "pieces":
        raise UsageError(f"{description.name} translates: converters.translating.convert is for it")
    if top_k is not None:
        description = _asking(description, top_k)
    if layout != "split":
        description = _in_one_file(description, layout)
    if second_share is not None:
        _refuse_second(description)
    return description


def target_asked(name: str, quantization: str) -> targets.Target:
    """The target of that name.

    Raises:
        UsageError: there is none.
        UnsuitableError: it takes no files made so.
        MissingExtraError: what it needs for measuring is not installed.
    """
    target = targets.named(name)
    target.refuse_recipe(quantization)
    if target is MICROCONTROLLER:
        require()
    return target


def compressions_asked(
    asked: str | Compression | Sequence[str | Compression],
    quantization: str,
    layout: str,
    archive: int | None,
) -> tuple[Compression, ...]:
    """The ways to make experts smaller, or to choose from.

    Raises:
        UsageError: more than one and nothing that chooses, or none of a network of its own.
    """
    several = [asked] if isinstance(asked, str | Compression) else list(asked)
    chosen = [Compression(one) if isinstance(one, str) else one for one in several]
    if len(chosen) > 1 and quantization != "auto":
        raise UsageError(
            "compress takes one way, whose steps are joined by +; quantization 'auto' chooses "
            "between several"
        )
    if chosen and layout != "split":
        raise UsageError(f"compress holds for files of their own, not for layout {layout!r}")
    if not chosen and quantization == "auto" and archive is not None:
        return FOR_ARCHIVES
    return unique(chosen)


def budget_asked(
    quantization: str,
    layout: str,
    size: int | None,
    compressed: int | None,
    max_drop: float | None,
) -> Budget:
    """What may be chosen from.

    Raises:
        UsageError: there is nothing to choose, or two sizes.
    """
    if (size is not None or compressed is not None) and quantization != "auto":
        raise UsageError(f"a size budget needs quantization 'auto', got {quantization!r}")
    if quantization == "auto" and layout != "split":
        raise UsageError(f"quantization 'auto' chooses for each file; layout {layout!r} has one")
    if size is not None and compressed is not None:
        raise UsageError("state size_budget or size_budget_compressed, not both")
    return Budget(size if compressed is None else compressed, compressed is not None, max_drop)


def _asking(description: run_folder.Run, top_k: int) -> run_folder.Run:
    """The run with so many experts asked."""
    if description.combine != "top":
        raise UsageError("top_k holds for models with a router, this one sums all its experts")
    if not 1 <= top_k <= description.experts:
        raise UsageError(f"top_k must be from 1 to {description.experts} (experts), got {top_k}")
    return replace(description, top_k=top_k)


def _refuse_second(description: run_folder.Run) -> None:
    """Raises UsageError where no second expert can be asked."""
    if description.experts == 1 or description.combine != "top" or description.top_k != 1:
        raise UsageError(
            "second_share holds for models whose router picks one expert of several, each in a "
            "file of its own; where more are always asked, pass top_k 1 with it"
        )


def _in_one_file(description: run_folder.Run, layout: str) -> run_folder.Run:
    """The run as one of a network without a router."""
    if description.experts == 1 or description.combine != "top" or description.top_k != 1:
        raise UsageError(
            f"layout {layout!r} holds for models whose router picks one expert of several"
        )
    macs = dict(description.metrics.get("macs", {}))
    if macs and layout == "gated":
        macs["active"] = macs["router"] + description.experts * macs["expert"]
    return replace(
        description,
        name=f"{description.name}-{layout}",
        experts=1,
        metrics={**description.metrics, "macs": macs, "expert_usage": []},
    )
