"""What an example is made of, for whoever sends it in parts: as tensors, say.

Each part by its name: `str`, or the type of its numbers; and its shape.
"""

from __future__ import annotations

import numpy as np

Fields = dict[str, tuple[type[str] | type[np.number], tuple[int, ...]]]
