"""What a person wants to know of a bundle that translates, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_experts.format.manifest import Manifest
from edge_experts.run_folder import Run

from .routed import Routed


def card(manifest: Manifest, run: Run, made: Mapping[str, Any], router: Routed | None) -> str:
    experts, on = manifest.experts, manifest.verified_on
    assert manifest.generation is not None
    return f"""# {manifest.name}

{manifest.task}, to {", ".join(manifest.labels)}: {len(experts)} expert(s), {manifest.asking}.

| | |
|---|---|
| data | {run.origin} |
| chrF as deployed | {made["deployed"]["chrf"]:.2f} on {made["examples"]:,} validation sentences |
| BLEU as deployed | {made["deployed"]["bleu"]:.2f} on the same |
| chrF of the Keras model | {made["keras"]["chrf"]:.2f} on the same |
| the same translation as Keras's | {made["same"]:.0%} of them |
{_router(router)}\
| test sentences whose template was trained on | {run.metrics["familiar"]:.1%} |
| beams | {manifest.generation.beams} |
| quantization | {manifest.provenance["quantization"]} |
| largest expert | {max(one.bytes for one in experts):,} bytes |
| verified on | {on.get("interpreter")} {on.get("version")}, {on.get("machine")} |

## Limits
- It was trained on the data above and knows nothing else; what it writes of other texts reads well
  and means little.
- It translates sentence by sentence, and always writes something, also where it does not know.
"""


def _router(router: Routed | None) -> str:
    """A row for how often it picks the expert of a sentence's own domain."""
    if router is None:
        return ""
    return (
        f"| sentences sent to the expert of their domain | {router.deployed:.2%} of "
        f"{router.examples:,} validation sentences; by Keras {router.keras:.2%}, "
        f"{router.equal:.2%} alike |\n"
    )
