"""Several bundles in one process, opened under one memory budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import MemoryBudgetError
from ..features import read_features
from ..format.byte_sizes import Size
from ..format.install_root import resolve
from ..format.manifest_parser import read_manifest
from .engine import ALWAYS, ExpertRuntime
from .installed import InstalledRuntime, open_runtime
from .memory import measured_costs
from .memory.memory_budget import MemoryBudget
from .tasks import open_task

Runtime = ExpertRuntime | InstalledRuntime


class MemoryNeeds(NamedTuple):
    """Smallest memory that a bundle runs in.

    Attributes:
        parts: bytes that are always in memory, by what takes them.
        expert: bytes of the expert that must fit beside them.
    """

    parts: Mapping[str, int]
    expert: int

    @property
    def always(self) -> int:
        return sum(self.parts.values())


def memory_needs(bundle: Path, *, context: int | None = None, sequences: int = 1) -> MemoryNeeds:
    """Compute what a bundle needs at least, as `ExpertRuntime` counts it; opens no model.

    Args:
        bundle: its folder, or an install root.
        context, sequences: see `ExpertRuntime`.
    """
    folder = resolve(bundle)
    manifest = read_manifest(folder)
    task = open_task(manifest, read_features(folder, manifest.features), folder)
    costs = measured_costs.known(folder, manifest)
    if task.needs_all or manifest.combine == "sum":
        expert = max(costs.opening)
    else:
        layers = (costs.opening[places.start : places.stop] for _, places in manifest.routed)
        expert = max(map(min, layers))
    return MemoryNeeds({ALWAYS: costs.always, **task.reserve(context, sequences)}, expert)


def open_together(
    bundles: Mapping[str, Path],
    memory_budget: Size | None,
    options: Mapping[str, Mapping[str, Any]],
) -> dict[str, Runtime]:
    """Open bundles, or install roots, by their names; several share the memory budget.

    Args:
        options: of each bundle's `ExpertRuntime`, by its name.

    Raises:
        MemoryBudgetError: the budget is too small for all of them; names what each one needs.
        BundleError, UsageError, MissingExtraError: as `ExpertRuntime` does.
    """
    is_shared = len(bundles) > 1 and memory_budget is not None
    limit = MemoryBudget(memory_budget) if is_shared else memory_budget  # type: ignore[arg-type]
    opened: dict[str, Runtime] = {}
    try:
        for name, bundle in bundles.items():
            opened[name] = open_runtime(bundle, memory_budget=limit, **options[name])
    except BaseException as error:
        for runtime in opened.values():
            runtime.close()
        if isinstance(error, MemoryBudgetError) and isinstance(limit, MemoryBudget):
            raise _refusal(bundles, limit, options) from None
        raise
    return opened


def _refusal(
    bundles: Mapping[str, Path], budget: MemoryBudget, options: Mapping[str, Mapping[str, Any]]
) -> MemoryBudgetError:
    needs = {
        name: memory_needs(
            bundle,
            context=options[name].get("context"),
            sequences=options[name].get("sequences", 1),
        )
        for name, bundle in bundles.items()
    }
    # One expert at a time is enough: bundles take memory from each other.
    largest = max(needs, key=lambda name: needs[name].expert)
    least = sum(one.always for one in needs.values()) + needs[largest].expert
    each = "; ".join(f"{name} {_parts(one)}" for name, one in needs.items())
    return MemoryBudgetError(
        f"memory budget: {budget.bytes:,} bytes are too few for {len(bundles)} bundles, which need "
        f"at least {least:,}: {each}; and memory for one expert, {needs[largest].expert:,} bytes "
        f"in {largest}. Raise the budget, serve fewer bundles, or reserve less (--context, "
        "--sequences)"
    )


def _parts(needs: MemoryNeeds) -> str:
    parts = ", ".join(f"{name} {count:,}" for name, count in needs.parts.items() if count)
    return f"{needs.always:,} ({parts})" if parts else "0"
