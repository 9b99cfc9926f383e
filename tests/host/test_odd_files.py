"""Files as people have them: each is read sensibly, or refused with its name and the remedy."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.cli.examples import given as examples_given
from edge_experts.datasets import Dataset, rows
from edge_experts.errors import DataError, EdgeExpertsError
from edge_experts.features import TableFeatures, encode_all
from tests.conftest import Cli

TEXTS = [f"text {n},{'ab'[n % 2]}" for n in range(60)]


def _load(folder: Path, content: str | bytes, name: str = "d.csv") -> Dataset:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return datasets.load(str(path))


def _table(header: str, row: str) -> str:
    """60 rows of a table; n is the row's number and c its label."""
    lines = [row.format(n=n, c="ab"[n % 2], half=f"{n / 2}".replace(".", ",")) for n in range(60)]
    return "\n".join([header, *lines]) + "\n"


def _fitted(data: Dataset) -> TableFeatures:
    assert isinstance(data.train.inputs, list)
    return TableFeatures.fit(data.train.inputs)


def _encoded(data: Dataset) -> np.ndarray:
    """The training rows as numbers, through the features that training fits."""
    x = encode_all(_fitted(data), data.train.inputs)["x"]
    assert np.isfinite(x).all()
    return x


@pytest.mark.parametrize(
    "content",
    [
        "\n".join(["text,label", *TEXTS]),
        "\ufeff" + "\n".join(["text,label", *TEXTS]),
        "\r\n".join(["text,label", *TEXTS]) + "\r\n\r\n\r\n",
        "\n".join(["Text, Label ", *TEXTS]),
        "\n".join(["text,label", *TEXTS, ",", "  ,", "", "   "]),
        "\n".join(["text;label", *TEXTS]).replace(",", ";"),
        "\n".join(["text\tLABEL", *TEXTS]).replace(",", "\t"),
        "\ufeff" + "\n".join(['"text","label"', *TEXTS]),
        "\r".join(["text,label", *TEXTS]),
    ],
    ids=["plain", "mark", "crlf", "capitals", "blank", "semicolon", "tab", "quoted", "cr"],
)
def test_all_of_these_are_the_same_data(tmp_path: Path, content: str) -> None:
    data = _load(tmp_path, content)
    assert data.kind == "text"
    assert data.labels == ("a", "b")
    everything = [text for part in (data.train, data.validation, data.test) for text in part.inputs]
    assert sorted(everything) == sorted(f"text {n}" for n in range(60))


def test_the_header_says_what_separates_not_the_cells(tmp_path: Path) -> None:
    data = _load(tmp_path, "text;label\n" + "".join(f"a, b, c {n};{n % 2}\n" for n in range(60)))
    assert data.train.inputs[0].startswith("a, b, c")


def test_a_decimal_comma_between_semicolons_is_a_number(tmp_path: Path) -> None:
    data = _load(tmp_path, _table("size;name;label", "{half};n, {n};{c}"))
    assert all(float(row["size"]) % 0.5 == 0 for row in data.train.inputs)
    assert data.train.inputs[0]["name"].startswith("n, "), "what is no number keeps its comma"


def test_text_and_labels_keep_their_commas(tmp_path: Path) -> None:
    data = _load(tmp_path, "text;label\n" + "".join(f"1,{n};{n % 2},5\n" for n in range(60)))
    assert data.labels == ("0,5", "1,5")
    assert "," in data.train.inputs[0]


@pytest.mark.parametrize(
    ("cell", "zero"),
    [
        ("", True),
        ("NaN", True),
        ("inf", True),
        ("1e999", True),
        ("7", True),
        ("0.1", True),
        ("-1e29", True),
        ("12345678901234567890{n}", False),
        ("{n}e-320", True),
        ("170000000{n:02}", False),
    ],
)
def test_odd_columns_of_numbers(tmp_path: Path, cell: str, zero: bool) -> None:
    """Empty, constant, infinite or huge: numbers that a network can take, in both."""
    x = _encoded(_load(tmp_path, _table("odd,n,label", cell + ",{n},{c}")))
    assert x.shape[1] == 2
    assert abs(x).max() < 100
    assert (abs(x[:, 0]).max() < 1e-6) == zero


def test_seconds_since_1970_are_told_apart(tmp_path: Path) -> None:
    x = _encoded(_load(tmp_path, _table("time,label", "170000000{n:02},{c}")))
    assert len(np.unique(x)) == len(x)


def test_a_cell_far_from_all_others_is_still_a_number() -> None:
    features = TableFeatures.fit([{"x": f"{n}"} for n in range(9)])
    for cell in ("1e29", "-1e29", "1e300", "inf", 10**400, True, None, "?", float("nan")):
        assert np.isfinite(features.encode({"x": cell})["x"]).all()


def test_a_category_that_training_never_saw_is_none_of_them(tmp_path: Path) -> None:
    data = _load(tmp_path, _table("colour,label", "{c},{c}"))
    features = _fitted(data)
    assert features.encode({"colour": "green"})["x"].tolist() == [[0, 0]]


def test_one_example_of_a_class_is_trained_on(tmp_path: Path) -> None:
    data = _load(tmp_path, "\n".join(["text,label", *TEXTS, "lonely,c"]))
    assert data.labels == ("a", "b", "c")
    assert list(data.train.targets).count(2) == 1


LATIN = "\n".join(["text,label", "schön,a"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "empty"),
        ("\n\n\n", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        ("text,label\n", "no rows below its header"),
        ("text,label\n,\n,\n", "no rows below its header"),
        (LATIN.encode("latin-1"), r"iconv -f latin1 -t utf-8 .*d\.csv"),
        (LATIN.encode("utf-16"), "iconv -f utf-16 -t utf-8"),
        ('text,label\n"no end,a\n', "after line 1: unexpected end"),
        ("text,label\nhi\n", "line 2: 1 cells, and the header has 2"),
        ("text,label\na, b,c\n", "quotes"),
        ("Label,label,text\na,b,c\n", "same name: 'label'"),
        (",x,label\n0,1,a\n", "column 1 of its header has no name"),
        ("text,mood\nhi,a\n", "no column 'label'.* found: text, mood"),
        (b"text,label\nhi\0,a\n", "zero bytes"),
        (b"PK\x03\x04" + bytes(range(200)) * 9, "not UTF-8|zero bytes"),
        (_table("x,label", "{n},{n}.5"), r"60 rows for 60 labels.*\(regression\)"),
        (_table("label", "{c}"), "has labels only"),
        ("text,label\n" + "hi,a\n" * 60, "one class only"),
        (_table("text,label,split", "{n},{c},dev"), "split must be one of"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(DataError, match=words) as refused:
        _load(tmp_path, content)
    assert "d.csv" in str(refused.value) or "d:" in str(refused.value)


def _sparse(path: Path, size: int, start: bytes = b"") -> Path:
    """A file that is as large as `size` and takes no space on the disk."""
    with path.open("wb") as file:
        file.write(start)
        file.truncate(size)
    return path


@pytest.mark.parametrize("name", ["d.csv", "d.tsv"])
def test_two_gigabytes_are_refused_before_they_are_read(tmp_path: Path, name: str) -> None:
    path = _sparse(tmp_path / name, 2 * 10**9, b"text,label\nhi,a\n")
    with pytest.raises(DataError, match=r"2,000 MB; at most 134 MB .* shuf"):
        datasets.load(str(path))


def test_a_line_without_an_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_LONGEST_LINE", 1000)
    with pytest.raises(DataError, match=r"line 2 .* longer than 1,000"):
        _load(tmp_path, "text,label\n" + "a" * 5000)


def test_a_folder_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d\.csv: a folder"):
        datasets.load(str(tmp_path / "d.csv"))
    with pytest.raises(DataError, match=r"e\.npz: no such file"):
        datasets.load(str(tmp_path / "e.npz"))


@pytest.mark.parametrize("name", ["d.csv", "d.npz"])
def test_no_permission_is_not_called_a_bad_file(name: str) -> None:
    """The command line ends with 6 for an OSError: the machine failed, not the data."""
    folder = Path(tempfile.mkdtemp())  # tmp_path can be entered by its owner only
    folder.chmod(0o755)
    (folder / name).touch(0o000)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # root may read everything
        with pytest.raises(PermissionError):
            datasets.load(str(folder / name))
    finally:
        os.seteuid(user)
        shutil.rmtree(folder)


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
        ({"y_train": Y + 0.5}, "regression is not offered"),
        ({"y_train": np.where(Y == 0, np.nan, Y)}, "regression is not offered"),
        ({"y_train": np.full(60, 2**63, np.uint64)}, "regression is not offered"),
        ({"y_train": np.full(60, 1e300)}, "regression is not offered"),
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
        _load(tmp_path, content, "d.npz")


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


@settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.sampled_from(["d.csv", "d.tsv"]),
    st.one_of(
        st.binary(max_size=300),
        st.text(alphabet='atext,;\t\n\r"label\ufeff01.é\0', max_size=300).map(str.encode),
    ),
    st.booleans(),
)
def test_any_bytes_are_rows_or_refused(
    tmp_path: Path, name: str, content: bytes, header: bool
) -> None:
    try:
        data = _load(tmp_path, b"x,label\n" * header + content, name)
    except EdgeExpertsError:
        return
    assert len(data.train)


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
        data = _load(tmp_path, content, "d.npz")
    except EdgeExpertsError:
        return
    assert len(data.train)


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("d.csv", LATIN.encode("latin-1"), 2),
        ("d.csv", b"", 2),
        ("d.npz", b"PK\x03\x04", 2),
        ("d.npy", b"", 2),
    ],
)
def test_the_command_ends_with_one_clear_text(
    cli: Cli, tmp_path: Path, name: str, content: bytes, code: int
) -> None:
    (tmp_path / name).write_bytes(content)
    done = cli("train", "--data", tmp_path / name, "--out", tmp_path / "x.run")
    assert done.returncode == code
    assert done.stderr.startswith("edge-experts: ")
    assert "Traceback" not in done.stderr
