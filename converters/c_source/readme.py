"""README.md of the folder: which files there are, what they take, and how to use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_experts.format.manifest import CONTRACT, Manifest

from .c_features import CFeatures


def text(
    manifest: Manifest,
    features: CFeatures,
    *,
    flash: Mapping[str, int],
    arenas: Mapping[str, int],
    arena_bytes: int,
    operators: Sequence[str],
    shown: str,
) -> str:
    """README.md, in Markdown."""
    rows = "\n".join(f"| {path} | {flash[path]:,} | {arenas[path]:,} |" for path in flash)
    return f"""\
# {manifest.name}, version {manifest.bundle_version}, for microcontrollers

A router picks the one of {len(manifest.experts)} experts that answers an input. Add all `.c` files
here to a firmware that has TensorFlow Lite Micro (C99 or C++11, not `-ffast-math`):

    #include "edge_experts_tflm.hpp"

    alignas(16) static uint8_t arena[EDGE_EXPERTS_ARENA_BYTES];
    static edge_experts::Runner runner(arena, sizeof arena);

{features.usage}\
    edge_experts_answer answer;
    if (runner.ask(x, &answer) == 0)
{shown}
{_contract(manifest)}\
{features.explained}\
Router and experts run one after the other in the same arena; each is set up anew for each answer.
Where the router's memory can be spared, give it an arena and an interpreter of its own.
`edge_experts.h` says what each function does, for other interpreters too: `edge_experts_ask` is
plain C, and takes the function that runs a file.

| file | flash, bytes | arena, bytes |
|---|---|---|
{rows}
| all | {sum(flash.values()):,} | {arena_bytes:,} |

Arenas are the least in which TensorFlow Lite Micro's reference kernels answer on a 64-bit machine.
With 32-bit pointers they need less; CMSIS-NN's convolutions need scratch memory on top. Operators
that must be in the firmware: {", ".join(name.removeprefix("Add") for name in operators)}.
"""


def _contract(manifest: Manifest) -> str:
    """Duties of the caller: the generated functions standardize inputs and check nothing."""
    contract = manifest.features.config.get(CONTRACT)
    if not isinstance(contract, dict):
        return ""
    known, numbers = contract.get("range"), ""
    if known:
        numbers = f": numbers from {known[0]:g} to {known[1]:g} ({contract.get('dtype')})"
    return (
        f"Give inputs as training had them{numbers}. Other scales, gaps in other spellings and\n"
        "unknown categories are the caller's to convert: this code standardizes, checks nothing.\n"
    )
