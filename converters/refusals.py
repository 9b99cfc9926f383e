"""Networks that a recipe does not hold for: why, and what to do instead."""

from __future__ import annotations

from collections.abc import Sequence

from edge_experts.errors import ConversionError

from .making import File, Making
from .recipes import INTEGER


def refuse_failed(making: Making, files: Sequence[File]) -> None:
    """Raises ConversionError where a file could not be made."""
    if making.failed:
        lines = [
            f"{file.network}: TensorFlow's converter cannot make it {file.recipe}: {reason}"
            for file, reason in making.failed.items()
        ]
        made = len(files) - len(making.failed)
        lines += dict.fromkeys(
            _instead(file.recipe, reason) for file, reason in making.failed.items()
        )
        if made:
            lines.append(f"The other {made} were converted, and are kept for the next time.")
        raise ConversionError("\n".join(lines))


def _instead(recipe: str, reason: str) -> str:
    """What to do where a recipe does not hold, as far as the converter's words tell."""
    if "Select TF" in reason or "flex" in reason.lower() or "custom" in reason:
        return (
            "It needs TensorFlow's own operators, which no board has: build the network from "
            "other layers; recurrent ones need batch 1 or unroll=True."
        )
    if "died of" in reason and recipe in INTEGER:
        return (
            "Try --quantization dynamic, whose weights are as small; recurrent layers convert to "
            f"{recipe} with unroll=True."
        )
    others = {"int16x8": "int8", "int8": "dynamic", "dynamic": "float16", "float16": "float32"}
    if recipe in others:
        return f"Try --quantization {others[recipe]}, or another network."
    return "No recipe is nearer to the network as trained: try another network."
