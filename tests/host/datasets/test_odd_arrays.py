"""Arrays as people have them: each is read sensibly, or refused with its name and the remedy."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.cli.device.examples import given as examples_given
from edge_experts.errors import DataError, EdgeExpertsError
from edge_experts.features import TableFeatures, encode_all

from ..conftest import load_written

X, Y = np.ones((60, 5)), np.arange(60) % 3
GOOD = {"x_train": X, "y_train": Y, "x_test": X, "y_test": Y}


def _npz(path: Path, **changes: Any) -> Path:
    np.savez(path / "d.npz", **{**GOOD, **changes})
    return path / "d.npz"


@pytest.mark.parametrize(
    "changes",
    [
        {"y_train": Y[:, None]},
        {"y_train": Y.astype(float), "y_test": Y.astype(np.float32)},
        {"y_train": Y.astype(np.uint64)},
        {"x_train": np.where(np.arange(5) % 2, X, np.nan)},
        {"x_train": X * np.inf},
        {"x_train": X > 0, "x_test": X > 0},
        {"more": np.array("of anything")},
    ],
)
def test_odd_arrays_that_are_good_enough(tmp_path: Path, changes: dict[str, Any]) -> None:
    from edge_experts.features import ArrayFeatures

    data = datasets.load(str(_npz(tmp_path, **changes)))
    assert data.labels == ("0", "1", "2")
    assert data.test.targets.tolist() == Y.tolist()
    assert isinstance(data.train.inputs, np.ndarray)
    features = ArrayFeatures.fit(data.train.inputs, channels=True)
    assert np.isfinite(encode_all(features, data.train.inputs)["x"]).all()


def test_labels_that_are_true_or_false(tmp_path: Path) -> None:
    data = datasets.load(str(_npz(tmp_path, y_train=Y > 0, y_test=Y > 0)))
    assert data.labels == ("0", "1")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x_train": np.array([{"a": 1}] * 60)}, "Object arrays"),
        ({"y_train": np.where(Y == 0, np.nan, Y)}, "y_train must be finite, got nan"),
        ({"y_train": np.full(60, 2**63, np.uint64)}, "--task regression"),
        ({"y_train": np.full(60, 1e300)}, "--task regression"),
        ({"y_train": np.full(60, "cat")}, "must hold whole numbers"),
        ({"y_train": np.arange(60), "y_test": np.arange(60)}, "120 rows for 60 labels"),
        ({"y_train": np.eye(3)[Y]}, "several labels"),
        ({"y_train": np.array(3)}, r"the shape \(\)"),
        ({"x_train": np.array(3.0)}, r"the shape \(\)"),
        ({"x_train": np.ones(60), "x_test": np.ones(60)}, "one shape"),
        ({"x_train": np.ones((60, 1, 1, 1, 1)), "x_test": np.ones((60, 1, 1, 1, 1))}, "one shape"),
        ({"x_train": np.ones((60, 0)), "x_test": np.ones((60, 0))}, "one shape"),
        ({"x_train": X[:0], "y_train": Y[:0]}, "at least one example"),
        ({"x_train": X * 1j}, "must hold numbers"),
        ({"x_test": X * 1e300}, r"x_test holds a number beyond 1e\+30"),
        ({"x_train": X.astype("M8[s]")}, "must hold numbers"),
    ],
)
def test_arrays_that_are_no_examples_with_labels(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        datasets.load(str(_npz(tmp_path, **changes)))


def _header(shape: tuple[int, ...]) -> bytes:
    """An .npy file that says it holds so many numbers, and holds none."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize("shape", [(10**9, 10), (10**15,), (10**30,), (-1,)])
def test_an_array_that_claims_to_be_huge(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = _npz(tmp_path)
    with zipfile.ZipFile(path, "w") as archive:
        for name in GOOD:
            archive.writestr(f"{name}.npy", _header(shape))
    with pytest.raises(DataError, match=r"not an \.npz of plain arrays"):
        datasets.load(str(path))


def test_a_small_file_that_unpacks_to_a_huge_one(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("x_train.npy", "w", force_zip64=True) as member,
    ):
        for _ in range(110):
            member.write(bytes(10**7))
    assert path.stat().st_size < 10**7
    with pytest.raises(DataError, match=r"1\.1 GB; at most 1\.1 GB"):
        datasets.load(str(path))


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x05\x06" + bytes(18), b"text,label\n"])
def test_what_is_no_npz(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"d\.npz"):
        load_written(tmp_path, content, "d.npz")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not an array"),
        (_header((10**15,)), "not an array"),
        (_header(()) + bytes(8), "one array of examples"),
    ],
)
def test_an_npy_of_examples_that_is_none(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    features = TableFeatures.fit([{"x": "1"}])
    with pytest.raises(DataError, match=words):
        list(examples_given(None, tmp_path / "x.npy", features))


def _good_npz() -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, **GOOD)
    return content.getvalue()


GOOD_BYTES = _good_npz()


@settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.integers(0, len(GOOD_BYTES) - 1),
    st.integers(0, len(GOOD_BYTES)),
    st.binary(max_size=40),
)
def test_an_npz_changed_anywhere_is_arrays_or_refused(
    tmp_path: Path, start: int, length: int, change: bytes
) -> None:
    content = GOOD_BYTES[:start] + change + GOOD_BYTES[start + length :]
    try:
        data = load_written(tmp_path, content, "d.npz")
    except EdgeExpertsError:
        return
    assert len(data.train)
