"""Files as people have them: each is read sensibly, or refused with its name and the remedy."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_experts import datasets
from edge_experts.datasets import Dataset, rows
from edge_experts.errors import DataError, EdgeExpertsError
from edge_experts.features import TableFeatures, encode_all

from ...conftest import Cli
from ..conftest import load_written

TEXTS = [f"text {n},{'ab'[n % 2]}" for n in range(60)]


def _table(header: str, row: str, *, point: str = ",") -> str:
    """60 rows of a table; n is the row's number and c its label."""
    lines = [row.format(n=n, c="ab"[n % 2], half=f"{n / 2}".replace(".", point)) for n in range(60)]
    return "\n".join([header, *lines]) + "\n"


def _fitted(data: Dataset) -> TableFeatures:
    assert isinstance(data.train.inputs, list)
    return TableFeatures.fit(data.train.inputs, data.types)


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
    data = load_written(tmp_path, content)
    assert data.kind == "text"
    assert data.labels == ("a", "b")
    everything = [text for part in (data.train, data.validation, data.test) for text in part.inputs]
    assert sorted(everything) == sorted(f"text {n}" for n in range(60))


def test_the_header_says_what_separates_not_the_cells(tmp_path: Path) -> None:
    data = load_written(
        tmp_path, "text;label\n" + "".join(f"a, b, c {n};{n % 2}\n" for n in range(60))
    )
    assert data.train.inputs[0].startswith("a, b, c")


def test_a_decimal_comma_between_semicolons_is_a_number(tmp_path: Path) -> None:
    data = load_written(tmp_path, _table("size;name;label", "{half};n, {c};{c}"))
    assert data.train.inputs[0]["name"].startswith("n, "), "what is no number keeps its comma"
    features = _fitted(data)
    half = [features.encode({"size": size, "name": None})["x"][0, 0] for size in ("2,5", 2.5)]
    assert half[0] == half[1] != 0


def test_text_and_labels_keep_their_commas(tmp_path: Path) -> None:
    data = load_written(tmp_path, "text;label\n" + "".join(f"1,{n};{n % 2},5\n" for n in range(60)))
    assert data.labels == ("0,5", "1,5")
    assert "," in data.train.inputs[0]


@pytest.mark.parametrize(
    ("cell", "zero"),
    [
        ("inf", True),
        ("1e999", True),
        ("7", True),
        ("0.1", True),
        ("-1e29", True),
        ("12345678901234567890{n}", False),
        ("{n}e-320", True),
        ("170000000{n:02}.5", False),
    ],
)
def test_odd_columns_of_numbers(tmp_path: Path, cell: str, zero: bool) -> None:
    """Empty, constant, infinite or huge: numbers that a network can take, in both."""
    x = _encoded(load_written(tmp_path, _table("odd,n,label", cell + ",{half}1,{c}", point=".")))
    assert x.shape[1] == 2
    assert abs(x).max() < 100
    assert (abs(x[:, 0]).max() < 1e-6) == zero


def test_seconds_since_1970_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text(_table("time,label", "170000000{n:02},{c}"))
    x = _encoded(datasets.load(str(path), columns=datasets.Columns(keep=("time",))))
    assert len(np.unique(x)) == len(x)


def test_a_cell_far_from_all_others_is_still_a_number() -> None:
    features = TableFeatures.fit([{"x": f"{n * n}"} for n in range(9)])
    for cell in ("1e29", "-1e29", "1e300", "inf", 10**400, None, "?", float("nan")):
        assert np.isfinite(features.encode({"x": cell})["x"]).all()


def test_a_category_that_training_never_saw_is_none_of_them(tmp_path: Path) -> None:
    data = load_written(tmp_path, _table("colour,label", "{c},{c}"))
    features = _fitted(data)
    assert features.encode({"colour": "green"})["x"].tolist() == [[0, 0]]


def test_one_example_of_a_class_is_trained_on(tmp_path: Path) -> None:
    data = load_written(tmp_path, "\n".join(["text,label", *TEXTS, "lonely,c"]))
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
        (LATIN.encode("latin-1"), r"iconv -f cp1252 -t utf-8 .*d\.csv"),
        ('text,label\n"no end,a\n', "after line 1: unexpected end"),
        ("text,label\nhi\n", "line 2: 1 cells, and the header has 2"),
        ("text,label\na, b,c\n", "quotes"),
        ("Label,label,text\na,b,c\n", "same name: 'label'"),
        (",x,label\n0,1,a\n", "column 1 of its header has no name"),
        ("text,mood\nhi,a\n", "no column 'label'.* found: text, mood"),
        (b"text,label\nhi\0,a\n", "zero bytes|UTF-16"),
        (b"PK\x03\x04" + bytes(range(200)) * 9, "not UTF-8|zero bytes|a zip file"),
        (_table("x,label", "{n},{n}.5"), r"60 rows for 60 labels.*\(regression\)"),
        (_table("label", "{c}"), "has labels only"),
        ("text,label\n" + "hi,a\n" * 60, "one class only"),
        ("text,label\n" + "hi,a\nho,\u202eb\n" * 60, "no characters of control"),
        ("text,label\n" + "hi,Cafe\nho,cafe\n" * 60, "line 3: .* in capitals only"),
        ("text,label\n" + "hi,a\nho,NA\n" * 60, r"line 3: the label 'NA' .*\(60 rows\)"),
        ("text,label\n" + "hi,a\nho,b\nha,a|b\n" * 60, r"line 4: the label 'a\|b' names several"),
        ("5.1,3.5,1.4\n" * 60, "looks like data"),
        (_table("text,label,split", "{n},{c},dev"), "split must be one of"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(
    tmp_path: Path, content: str | bytes, words: str
) -> None:
    with pytest.raises(DataError, match=words) as refused:
        load_written(tmp_path, content)
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
        load_written(tmp_path, "text,label\n" + "a" * 5000)


def test_a_folder_and_what_is_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(DataError, match=r"d\.csv: is a folder"):
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
        data = load_written(tmp_path, b"x,label\n" * header + content, name)
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
    told = [line for line in done.stderr.splitlines() if not line.startswith("Loading ")]
    assert told[0].startswith("edge-experts: ")
    assert "Traceback" not in done.stderr
