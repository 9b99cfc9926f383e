"""Model card of a bundle that was made of a checkpoint."""

from __future__ import annotations

from edge_experts.format.manifest import Manifest
from edge_experts.format.strict_json import harmless

from .file_proof import CheckpointParity
from .licence import LicenceText
from .model_config import ModelConfig


def card(
    manifest: Manifest,
    config: ModelConfig,
    parity: CheckpointParity,
    licence: LicenceText | None,
) -> str:
    """Write the text of the card, with the checkpoint's licence."""
    on = manifest.verified_on
    size = sum(one.bytes for one in manifest.models)
    stated = "not stated by the checkpoint: ask its authors" if licence is None else licence.name
    text = f"""# {harmless(manifest.name)}

Language model: {len(manifest.experts)} experts {manifest.asking}.

| | |
|---|---|
| base model | {harmless(config.name)}, family {config.family.title} |
| licence | {stated} |
| context | {config.context:,} tokens |
| vocabulary | {config.vocabulary:,} tokens |
| quantization | {manifest.provenance["quantization"]} |
| bytes of all models | {size:,} |
| largest expert | {max(one.bytes for one in manifest.experts):,} bytes |
| verified on | {on.get("interpreter")} {on.get("version")}, {on.get("machine")} |
| largest difference of a file | {parity.file_off:g} of its output's size, from the checkpoint's \
weights in float32, in {parity.compared} of {parity.files} files |

## Limits
- Its answers were not measured on any data: `edge-experts evaluate BUNDLE --data TEXT` does that.
- What it writes may be wrong. What the base model's card says of its use holds for this bundle too.
"""
    if licence is not None and licence.text:
        text += f"\n## Licence of the base model\n\n{licence.text.strip()}\n"
    return text
