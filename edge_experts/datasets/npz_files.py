"""Arrays of untrusted .npz and .npy files."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError

_LARGEST = 2**30  # largest size of all arrays in bytes; training needs many times that


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an .npz.

    Raises:
        DataError: the file is not an .npz.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return list(file.files)
    except PermissionError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for odd bytes
        raise DataError(f"{path}: not an .npz of plain arrays: {error}") from None


def read(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """Read the arrays of these names.

    Raises:
        DataError: one is missing or not a plain array, or they are too large together.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # The unpacked size is checked before unpacking.
            size = sum(member.file_size for member in archive.infolist())
        if size > _LARGEST:
            raise DataError(
                f"{path}: its arrays take {size / 1e9:.1f} GB; at most {_LARGEST / 1e9:.1f} GB are "
                "read. Keep fewer examples, or images as bytes (uint8)"
            )
        with np.load(path, allow_pickle=False) as file:
            missing = [name for name in names if name not in file]
            if missing:
                raise DataError(
                    f"{path}: no array {', '.join(missing)}; found: {', '.join(file.files)}"
                )
            arrays = [file[name] for name in names]
    except (DataError, PermissionError):
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for odd bytes
        remedy = "; save texts as np.array(names, dtype=str)" if "Object" in str(error) else ""
        raise DataError(f"{path}: not an .npz of plain arrays: {error}{remedy}") from None
    odd = [
        name for name, array in zip(names, arrays, strict=True) if not isinstance(array, np.ndarray)
    ]
    if odd:
        raise DataError(f"{path}: {', '.join(odd)} is not an array")
    return arrays


def read_labels(path: Path) -> tuple[str, ...] | None:
    """Names of classes or outputs from the array `labels`; None if there is none.

    Raises:
        DataError: the array is not a list of texts.
    """
    if "labels" not in array_names(path):
        return None
    (labels,) = read(path, ["labels"])
    if labels.ndim != 1 or labels.dtype.kind not in "US" or not len(labels):
        raise DataError(
            f"{path}: labels must be one list of texts, the name of class 0 first, got "
            f"{labels.dtype} {labels.shape}; write np.savez(..., labels=np.array(names, dtype=str))"
        )
    return tuple(map(str, _decoded(path, labels).tolist()))


def read_groups(path: Path, part: str, shape: tuple[int, ...]) -> list[str] | None:
    """Groups of the examples of "train" or "test"; None if the file has none.

    Args:
        shape: (examples,).

    Raises:
        DataError: there is not one group for each example.
    """
    name = f"groups_{part}"
    if name not in array_names(path):
        return None
    (groups,) = read(path, [name])
    if groups.ndim == 2 and groups.shape[1] == 1:
        groups = groups[:, 0]
    if groups.shape != shape or groups.dtype.kind not in "USiub":
        raise DataError(
            f"{path}: {name} must name a group, a text or a whole number, for each example, "
            f"{shape}, got {groups.dtype} {groups.shape}"
        )
    return list(map(str, _decoded(path, groups).tolist()))


def _decoded(path: Path, array: np.ndarray) -> np.ndarray:
    """Texts of an array; bytes are decoded as UTF-8."""
    if array.dtype.kind != "S":
        return array
    try:
        return np.char.decode(array, "utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path}: texts of its arrays must be UTF-8") from None


def read_one(path: Path) -> np.ndarray:
    """Map the array of an .npy file, which stays on disk until a part of it is used.

    Raises:
        DataError: the file is not an array, or is a single number.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except PermissionError:
        raise
    except Exception as error:  # as above
        raise DataError(f"{path}: not an array: {error}") from None
    if not isinstance(array, np.ndarray) or array.ndim == 0:
        raise DataError(f"{path}: must be one array of examples")
    return array
