"""Tensors of a checkpoint's folder, in one safetensors file or several with an index."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edge_experts.errors import CheckpointError
from edge_experts.format.bounded_read import read_at_most
from edge_experts.format.limits import LIMITS
from edge_experts.format.strict_json import strict_json

from .safetensors_file import SUFFIX, StoredTensor, read_header

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def has_weights(folder: Path) -> bool:
    """Test for files of weights, also for those that are refused."""
    if any((folder / name).exists() for name in (WHOLE, INDEX)):
        return True
    return any(next(folder.glob(pattern), None) for pattern in _PICKLES)


def read_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Read the headers of a checkpoint's files: all tensors by name.

    Raises:
        CheckpointError: no weights, damaged ones, or files that differ from the index.
        MachineError: the operating system does not permit the read.
    """
    raw = read_at_most(folder / INDEX, LIMITS.tensor_header_bytes)
    if raw is not None:
        return _sharded(folder, raw)
    if (folder / WHOLE).exists():
        return read_header(folder / WHOLE)
    if any(next(folder.glob(pattern), None) for pattern in _PICKLES):
        raise CheckpointError(
            f"{folder}: its weights are pickle files, which can run code and are never opened; "
            "take the checkpoint's safetensors, or save it as such"
        )
    raise CheckpointError(f"{folder}: has neither {WHOLE} nor {INDEX}")


def _sharded(folder: Path, raw: bytes) -> dict[str, StoredTensor]:
    names = _weight_map(folder / INDEX, raw)
    files = sorted(set(names.values()))
    if len(files) > LIMITS.checkpoint_files:
        raise CheckpointError(f"{folder / INDEX}: names more than {LIMITS.checkpoint_files} files")
    found: dict[str, StoredTensor] = {}
    for file in files:
        for name, tensor in read_header(folder / file).items():
            if names.get(name) != file:
                raise CheckpointError(
                    f"{folder / file}: has {name:.80}, which {INDEX} does not list there; "
                    "download the checkpoint again"
                )
            found[name] = tensor
    missing = sorted(set(names) - set(found))
    if missing:
        raise CheckpointError(
            f"{folder / INDEX}: lists {missing[0]:.80}, which {names[missing[0]]} does not have; "
            "download the checkpoint again"
        )
    return found


def _weight_map(path: Path, raw: bytes) -> dict[str, str]:
    try:
        content: Any = strict_json(raw) if len(raw) <= LIMITS.tensor_header_bytes else None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}; download it again") from None
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names or len(names) > LIMITS.checkpoint_tensors:
        raise CheckpointError(
            f"{path}: must have a weight_map of 1 to {LIMITS.checkpoint_tensors:,} tensors"
        )
    for file in names.values():
        # Names of files in the folder only: an index must not lead elsewhere.
        plain = isinstance(file, str) and Path(file).name == file and file.endswith(SUFFIX)
        if not plain:
            raise CheckpointError(f"{path}: {file!r:.80} is not a safetensors file in this folder")
    return names
