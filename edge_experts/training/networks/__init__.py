"""The default networks, one file for each kind of data; custom networks are in `users`.

Each file has `expert(shapes, width)`; `router(shapes, experts)`, and `projected(shapes, units)`,
linear functions of the router's input; the dense baselines `dense_active(shapes, macs, width)` and
`dense_all(shapes, experts, width)`; and a dense teacher, `teacher(shapes, experts)`. The width
multiplies the units or filters of an expert's hidden layers.
"""

from __future__ import annotations

from types import ModuleType

from . import (
    autoencoders,
    head_networks,
    image_networks,
    photo_networks,
    table_networks,
    text_networks,
    trunk,
    user_networks,
    window_networks,
)
from .shapes import Shapes

__all__ = ["BY_KIND", "Shapes", "networks_for", "trunk", "user_networks"]

BY_KIND: dict[str, ModuleType] = {
    "text": text_networks,
    "table": table_networks,
    "image": image_networks,
    "window": window_networks,
    "photo": photo_networks,
    "features": head_networks,
    "sound": photo_networks,  # of spectra, (frames, bands)
}


def networks_for(shapes: Shapes) -> ModuleType:
    """The default networks for inputs and outputs of these shapes."""
    return autoencoders if shapes.output_kind == autoencoders.OUTPUT_KIND else BY_KIND[shapes.kind]
