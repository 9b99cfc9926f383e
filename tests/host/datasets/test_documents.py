"""Documents of text files: their splits, copies and near-duplicates."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_experts import datasets
from edge_experts.datasets.documents.splits import near_duplicates, of_documents
from edge_experts.errors import DataError, UsageError


def _paragraphs(count: int, start: int = 0) -> list[str]:
    return [
        " ".join(f"word{number}x{place}" for place in range(300))
        for number in range(start, start + count)
    ]


def test_a_file_is_cut_at_empty_lines(tmp_path: Path) -> None:
    paragraphs = _paragraphs(12)
    (tmp_path / "a.txt").write_text("\n \n\n".join(paragraphs))
    data = datasets.load(str(tmp_path / "a.txt"))
    assert (data.kind, data.task_type, data.labels) == ("document", "language-model", ("text",))
    found = [*data.train.inputs, *data.validation.inputs, *data.test.inputs]
    assert sorted(found) == sorted(paragraphs)
    assert len(data.test) == len(data.validation) == 2


def test_a_folder_has_a_document_for_each_file(tmp_path: Path) -> None:
    for name in ("de", "en"):
        (tmp_path / name).mkdir()
        for index, text in enumerate(_paragraphs(5, 10 * ord(name[0]))):
            (tmp_path / name / f"{index}.txt").write_text(text)
    (tmp_path / "en" / "empty.txt").write_text(" \n")
    data = datasets.load(str(tmp_path), task_type="language-model")
    assert data.labels == ("de", "en")
    sizes = [len(split) for split in (data.train, data.validation, data.test)]
    assert sizes == [8, 1, 1]


def test_equal_documents_are_one() -> None:
    texts = [*_paragraphs(4), *_paragraphs(4)]
    data = of_documents("x", ("a",), [(str(n), text, 0) for n, text in enumerate(texts)], "made up")
    assert len(data.train) + len(data.validation) + len(data.test) == 4


def test_near_duplicates_are_counted() -> None:
    first, second = _paragraphs(2)
    changed = first.replace("word0x10 ", "other ")
    assert near_duplicates([first], [changed, second]) == 0.5
    texts = [f"{first} {n}" for n in range(20)]
    data = of_documents("x", ("a",), [(str(n), text, 0) for n, text in enumerate(texts)], "made up")
    assert data.notes == (
        "100.0% of the test documents share half or more of their sequences of 8 words with "
        "training documents",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "has no text"), ("one line", "has 1 different documents; .* separate them by empty")],
)
def test_too_little_text_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(DataError, match=message):
        datasets.load(str(tmp_path / "a.txt"))


def test_other_files_and_tasks_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,b\n")
    with pytest.raises(DataError, match=r"a language model is trained on a \.txt file"):
        datasets.load(str(tmp_path / "a.csv"), task_type="language-model")
    with pytest.raises(DataError, match=r"without photos, sounds and \.txt files; name a file"):
        datasets.load(str(tmp_path), task_type="language-model")
    with pytest.raises(DataError, match=r"no such file or folder; .* help or prose"):
        datasets.load(str(tmp_path / "no.txt"))
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(UsageError, match="is for --task language-model, not regression"):
        datasets.load(str(tmp_path / "a.txt"), task_type="regression")
    with pytest.raises(UsageError, match="sentiment: a set for classification"):
        datasets.load("sentiment", task_type="language-model")
