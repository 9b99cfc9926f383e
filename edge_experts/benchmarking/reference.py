"""The reference loop: the shortest script with the answers of `ExpertRuntime.predict`.

Nothing but the manifest is checked, nothing leaves memory and nobody is told where the time went.
What the runtime costs on top of this is what its safety costs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import features
from ..format.manifest import read_manifest
from .bare import Files
from .tasks import measurements_of


def reference_loop(bundle: Path, threads: int = 1) -> Callable[[Any], str]:
    """A function from an example to its answer's text, for bundles that ask one expert.

    Their models must take floats.
    """
    manifest = read_manifest(bundle)
    spec = manifest.features
    arrays = {} if spec.file is None else dict(np.load(bundle / spec.file.path))
    files = Files(bundle, manifest, features.restore(spec.kind, spec.config, arrays), threads)
    return measurements_of(manifest.task_type).reference_loop(files)
