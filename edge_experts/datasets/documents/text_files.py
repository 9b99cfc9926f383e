"""The user's text: a .txt file, or a folder of them at any depth."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ...errors import DataError, UsageError
from ..dataset import Dataset
from ..encodings import read_text
from .splits import TASK_TYPE, Document, of_documents

SUFFIX = ".txt"
_SECTION = 4000  # characters: paragraphs of one file are grouped to sections of about this size
_EMPTY_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)*")


def load(path: Path, task_type: str | None = None) -> Dataset:
    """Load a file or a folder.

    Each file of a folder is a document. A single file is cut at empty lines into sections of about
    4,000 characters, which count as its documents; neighbouring sections may be in different
    splits. Files of a folder with subfolders have the name of their subfolder as label.

    Raises:
        DataError: a file is missing or in no supported encoding, or there is too little text; names
            the file.
        UsageError: another task is wanted.
    """
    if task_type not in (None, TASK_TYPE):
        raise UsageError(f"{path}: text without labels is for --task {TASK_TYPE}, not {task_type}")
    if not path.exists():
        raise DataError(
            f"{path}: no such file or folder; a language model is trained on a {SUFFIX} file, a "
            "folder of them, help or prose"
        )
    if path.is_dir():
        return _of_folder(path)
    text = read_text(path)
    sections = list(_sections(text))
    if not sections:
        raise DataError(f"{path}: has no text")
    documents: list[Document] = [(str(index), one, 0) for index, one in enumerate(sections)]
    return of_documents(path.stem, ("text",), documents, f"{path.name}, a file of the user")


def _of_folder(path: Path) -> Dataset:
    files = sorted(file for file in path.rglob(f"*{SUFFIX}") if file.is_file())
    if not files:
        raise DataError(
            f"{path}: is a folder without photos, sounds and {SUFFIX} files; name a file, a folder "
            f"with one folder of photos or sounds for each label, or one of {SUFFIX} files"
        )
    texts = {file: read_text(file) for file in files}
    full = {file: text for file, text in texts.items() if text.strip()}
    if len(full) == 1:
        (file,) = full
        return load(file)
    names = {file: file.relative_to(path).parts[0] if file.parent != path else "" for file in full}
    labels = tuple(sorted({name or "text" for name in names.values()})) or ("text",)
    documents: list[Document] = [
        (str(file.relative_to(path)), text, labels.index(names[file] or "text"))
        for file, text in full.items()
    ]
    return of_documents(path.name, labels, documents, f"{len(full)} files of the user")


def _sections(text: str) -> Iterator[str]:
    """Yield whole paragraphs, together about `_SECTION` characters; a longer one is cut."""
    section = ""
    for paragraph in _EMPTY_LINES.split(text):
        for start in range(0, len(paragraph), _SECTION):
            part = paragraph[start : start + _SECTION]
            if section and len(section) + len(part) > _SECTION:
                yield section
                section = ""
            section += ("\n\n" if section else "") + part
    if section.strip():
        yield section
