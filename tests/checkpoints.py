"""Small checkpoints of `tests/data/checkpoints`, and safetensors files of any content."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "data" / "checkpoints"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())
# transformers' logits of a text beside the checkpoint: arrays tokens, positions, logits.
REFERENCE = "reference.npz"
_KINDS = {"F32": "<f4", "F16": "<f2", "F64": "<f8", "I64": "<i8"}


def copied(name: str, folder: Path) -> Path:
    """Copy a checkpoint as a user has it: with a tokenizer and a licence."""
    folder.mkdir(parents=True)
    for path in (FOLDER / name).iterdir():
        if path.name != REFERENCE:
            shutil.copyfile(path, folder / path.name)
    shutil.copyfile(FOLDER / "tokenizer.json", folder / "tokenizer.json")
    (folder / "LICENSE").write_text("The licence of the tests.\n")
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A model\n")
    return folder


def reconfigured(folder: Path, **settings: Any) -> Path:
    """Change settings of a checkpoint's configuration; those of None are removed."""
    path = folder / "config.json"
    config = {**json.loads(path.read_text()), **settings}
    path.write_text(json.dumps({key: one for key, one in config.items() if one is not None}))
    return folder


def header(content: Any) -> bytes:
    """Write the length and the JSON of a safetensors header."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return len(raw).to_bytes(8, "little") + raw


def safetensors(kind: str = "F32", **tensors: np.ndarray) -> bytes:
    """Write a safetensors file."""
    content, parts, place = {}, [], 0
    for name, array in tensors.items():
        raw = array.astype(_KINDS[kind]).tobytes()
        content[name] = {
            "dtype": kind,
            "shape": list(array.shape),
            "data_offsets": [place, place + len(raw)],
        }
        parts.append(raw)
        place += len(raw)
    return header(content) + b"".join(parts)
