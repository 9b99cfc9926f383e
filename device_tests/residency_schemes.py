"""Answers of an installed language model by every scheme: `residency_schemes.py ROOT`.

Prints one JSON line: the scheme that is chosen, with the reason; and for each of slots, mapped and
plain why it is not possible here, or its tokens, the CRC-32 of its logits and, with `--expected
FILE.npz` of `logit_agreement`, the comparison with another machine. It needs numpy and an
interpreter, so that it also runs on a board.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.benchmarking.tasks import logit_agreement
from edge_experts.errors import EdgeExpertsError
from edge_experts.format.install_root import resolve
from edge_experts.format.manifest import crc32
from edge_experts.runtime import ExpertRuntime
from edge_experts.runtime.packed import scheme

CONTEXT = 64  # tokens of keys and values
_TEXT = 16  # tokens that are computed


def answers(folder: Path, expected: Path | None) -> dict[str, Any]:
    """Compute the same tokens by every scheme that is possible here."""
    schemes: dict[str, dict[str, Any]] = {}
    for name in scheme.NAMES:
        os.environ[scheme.CHOICE] = name
        try:
            schemes[name] = _answer(folder)
            if expected is not None:
                schemes[name]["agreement"] = asdict(logit_agreement.compare(folder, expected))
        except EdgeExpertsError as error:
            schemes[name] = {"problem": str(error)}
    os.environ.pop(scheme.CHOICE)
    with ExpertRuntime(folder, context=CONTEXT) as runtime:
        chosen = runtime.scheme
    return {"chosen": chosen.name, "reason": chosen.reason, "schemes": schemes}


def _answer(folder: Path) -> dict[str, Any]:
    with ExpertRuntime(folder, context=CONTEXT, strict=True) as runtime:
        task: Any = runtime.task
        logits = task.logits(_text(task), runtime.access)
        return {"crc32": crc32(logits.tobytes()), "tokens": logits.argmax(axis=1).tolist()}


def _text(task: Any) -> list[int]:
    """Draw a text: the bundle's vocabulary decides which."""
    chance = np.random.default_rng(0)
    found: list[int] = chance.integers(0, task.settings.pieces, _TEXT).tolist()
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the answers of the install root that the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(": ", 1)[0])
    parser.add_argument("root", type=Path)
    parser.add_argument("--expected", type=Path, help="a file of `logit_agreement`")
    given = parser.parse_args(arguments)
    print(json.dumps(answers(resolve(given.root), given.expected)))


if __name__ == "__main__":
    main()
