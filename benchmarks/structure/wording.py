"""Words of the source: docstring openings, repeated names, checks for one task."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .checkout import SourceFile
from .line_counts import DOCUMENTED

# First words that open a clause where a noun or an imperative verb is expected.
CLAUSE_WORDS = (
    *("what", "who", "whose", "whom", "whether", "how", "where"),
    *("when", "which", "that", "of", "why", "if"),
)
# Source text by which shared code tells one task from the others.
TASK_CHECKS = {
    "generation is (not) None": re.compile(r"\bgeneration is (not )?None\b"),
    'feature_kind == "pieces"': re.compile(r"""\bfeature_kind [!=]= ["']pieces["']"""),
}


@dataclass(frozen=True)
class RepeatedName:
    """One name that several places use."""

    name: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class OpeningWord:
    """Number of docstrings that open with one of CLAUSE_WORDS."""

    word: str
    docstrings: int


@dataclass(frozen=True)
class TaskCheck:
    """Number of lines that match one of TASK_CHECKS, and the files that hold them."""

    pattern: str
    checks: int
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Wording:
    """Docstrings, repeated names and task checks of a checkout.

    A docstring opens with a clause if its first word, letters and digits alone and in any case,
    is one of CLAUSE_WORDS. Docstrings of modules, classes and functions count, private and nested
    ones too. Repeated classes are public and at the top of their modules. Repeated files are file
    names in different folders, without `__init__` and `__main__`.
    """

    docstrings: int
    clause_docstrings: int
    opening_words: tuple[OpeningWord, ...]
    repeated_classes: tuple[RepeatedName, ...]
    repeated_files: tuple[RepeatedName, ...]
    task_checks: tuple[TaskCheck, ...]


def wording(files: Sequence[SourceFile]) -> Wording:
    """Count docstrings, repeated names and task checks."""
    docstrings = [text for file in files for text in _docstrings(file.tree)]
    first_words = [_first_word(text) for text in docstrings]
    openings = tuple(OpeningWord(word, first_words.count(word)) for word in CLAUSE_WORDS)
    return Wording(
        docstrings=len(docstrings),
        clause_docstrings=sum(opening.docstrings for opening in openings),
        opening_words=tuple(opening for opening in openings if opening.docstrings),
        repeated_classes=_repeated(
            (node.name, file.path)
            for file in files
            for node in file.tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ),
        repeated_files=_repeated((file.stem, file.path) for file in files if file.is_named),
        task_checks=tuple(
            _task_check(name, pattern, files) for name, pattern in TASK_CHECKS.items()
        ),
    )


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        text = ast.get_docstring(node) if isinstance(node, DOCUMENTED) else None
        if text:
            yield text


def _first_word(text: str) -> str:
    match = re.search(r"\w+", text)
    return match[0].lower() if match else ""


def _repeated(uses: Iterable[tuple[str, str]]) -> tuple[RepeatedName, ...]:
    paths: defaultdict[str, set[str]] = defaultdict(set)
    for name, path in uses:
        paths[name].add(path)
    return tuple(
        RepeatedName(name, tuple(sorted(places)))
        for name, places in sorted(paths.items())
        if len(places) > 1
    )


def _task_check(name: str, pattern: re.Pattern[str], files: Sequence[SourceFile]) -> TaskCheck:
    counts = {file.path: sum(bool(pattern.search(line)) for line in file.lines) for file in files}
    return TaskCheck(
        name, sum(counts.values()), tuple(path for path, count in counts.items() if count)
    )
