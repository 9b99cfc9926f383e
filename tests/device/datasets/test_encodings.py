"""Encodings of text files: what is read, and what is refused with which remedy."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.datasets.encodings import decode_line, encoding_of, open_text, read_text
from edge_experts.errors import DataError

TEXT = "text,label\nschön “gut”,a\n語 😀,b\n"


def file_of(folder: Path, content: bytes) -> Path:
    path = folder / "a table.csv"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_utf8_and_byte_order_marks_are_read(tmp_path: Path, encoding: str) -> None:
    assert read_text(file_of(tmp_path, TEXT.encode(encoding))) == TEXT


@pytest.mark.parametrize(("mark", "order"), [("\ufeff", "be"), ("\ufeff", "le")])
@pytest.mark.parametrize("width", ["utf-16", "utf-32"])
def test_either_byte_order_is_read(tmp_path: Path, width: str, mark: str, order: str) -> None:
    assert read_text(file_of(tmp_path, (mark + TEXT).encode(f"{width}-{order}"))) == TEXT


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [TEXT, "语言\n", "a,b\n1,2\n"])
def test_wide_encodings_without_a_mark_are_refused_by_name(
    tmp_path: Path, encoding: str, text: str
) -> None:
    path = file_of(tmp_path, text.encode(encoding))
    name = encoding.replace("-le", "le").replace("-be", "be")
    with pytest.raises(DataError, match=f"(?i){name} without a byte order mark.*iconv -f {name}"):
        open_text(path)


def test_the_advised_command_makes_cp1252_readable(tmp_path: Path) -> None:
    text = "text,label\n“schön” … 5 €,a\n"
    path = file_of(tmp_path, text.encode("cp1252"))
    with pytest.raises(DataError, match="line 2: not UTF-8") as caught:
        open_text(path)
    command = str(caught.value).rpartition(": ")[2]
    assert "latin1" not in str(caught.value)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True)
    assert read_text(tmp_path / "utf8.csv") == text


def test_bytes_that_cp1252_lacks_get_no_wrong_advice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="iconv -f ENCODING") as caught:
        open_text(file_of(tmp_path, b"a\nb\n\x81\x8d\n"))
    assert "line 3" in str(caught.value)
    assert "-f cp1252" not in str(caught.value)


def test_a_file_cut_within_a_character_is_called_cut(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"line 2.*ends within a character"):
        open_text(file_of(tmp_path, "text\nschön ö".encode()[:-1]))


def test_the_last_letter_of_a_cp1252_file_is_no_cut_character(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="iconv -f cp1252"):
        open_text(file_of(tmp_path, "text\ncafé".encode("cp1252")))


def test_the_line_is_right_beyond_the_first_part_that_is_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 200001: not UTF-8"):
        open_text(file_of(tmp_path, b"ordinary\n" * 200_000 + b"\xe4\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04...", "workbook"),
        (b"\x1f\x8b\x08...", "gunzip"),
        (b"\xd0\xcf\x11\xe0", "Excel"),
        ("\ufeffab".encode("utf-16-le")[:-1], "damaged UTF-16"),
    ],
)
def test_files_that_are_no_text_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_text(file_of(tmp_path, content))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = file_of(tmp_path_factory.mktemp("bytes"), content)
    with contextlib.suppress(DataError):
        assert isinstance(read_text(path), str)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\x00")))
def test_utf8_is_never_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    content = text.removeprefix("\ufeff").encode()
    try:
        encoding_of(content, "x")
    except DataError:
        assert content[:1] in b"PB"  # begins like a binary file
        return
    assert read_text(file_of(tmp_path_factory.mktemp("utf8"), content)) == text.removeprefix(
        "\ufeff"
    )


def test_lines_of_a_stream_name_themselves() -> None:
    assert decode_line("\ufeffschön".encode(), "stdin", 1) == "schön"
    with pytest.raises(DataError, match=r"stdin: line 7: not UTF-8.*cp1252"):
        decode_line("schön".encode("cp1252"), "stdin", 7)
