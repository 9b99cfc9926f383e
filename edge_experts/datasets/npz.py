"""Arrays of .npz and .npy files that anyone may have made."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError

_LARGEST = 2**30  # bytes of all arrays; training needs many times that


def array_names(path: Path) -> list[str]:
    """Names of the arrays of an .npz.

    Raises:
        DataError: it is none.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return list(file.files)
    except PermissionError:
        raise
    except Exception as error:  # numpy and zipfile have a dozen kinds of them for odd bytes
        raise DataError(f"{path}: not an .npz of plain arrays: {error}") from None


def read(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    """The arrays of these names.

    Raises:
        DataError: one is missing or not a plain array, or they are too large together.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            # What a small file unpacks to is known before it is unpacked.
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
    except Exception as error:  # numpy and zipfile have a dozen kinds of them for odd bytes
        raise DataError(f"{path}: not an .npz of plain arrays: {error}") from None
    odd = [
        name for name, array in zip(names, arrays, strict=True) if not isinstance(array, np.ndarray)
    ]
    if odd:
        raise DataError(f"{path}: {', '.join(odd)} is not an array")
    return arrays


def read_one(path: Path) -> np.ndarray:
    """The array of an .npy file, which stays on disk until a part of it is used.

    Raises:
        DataError: it is not an array, or a single number.
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
