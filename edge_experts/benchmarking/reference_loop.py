"""Reference loop: the shortest script with the answers of `ExpertRuntime.predict`.

It checks only the manifest, evicts no expert and records no timings. The runtime's overhead above
this loop is the cost of its safety.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import features
from ..format.manifest_parser import read_manifest
from .bare import Files
from .tasks import measurements_of


def reference_loop(bundle: Path, threads: int = 1) -> Callable[[Any], Any]:
    """Create a function from an example to its answer, for bundles that run one expert."""
    files = _opened(bundle, threads)
    return measurements_of(files.manifest.task_type).reference_loop(files)


def reference_texts(bundle: Path) -> Callable[[Any], str]:
    """Create the same function with the answer as a text, as in `Answer.text`."""
    files = _opened(bundle, 1)
    measurements = measurements_of(files.manifest.task_type)
    loop = measurements.reference_loop(files)
    return lambda example: measurements.spelled(files, loop(example))


def _opened(bundle: Path, threads: int) -> Files:
    manifest = read_manifest(bundle)
    spec = manifest.features
    arrays = {} if spec.file is None else dict(np.load(bundle / spec.file.path))
    return Files(bundle, manifest, features.restore(spec.kind, spec.config, arrays), threads)
