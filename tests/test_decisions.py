"""Decision records in docs/decisions: their form, their table, and the paths that they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "decisions"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))
TABLE = (FOLDER / "README.md").read_text()
SECTIONS = ["Context", "Decision", "Evidence", "Consequences"]
MOST_LINES = 40
PATH = re.compile(r"(?:edge_experts|converters|benchmarks|device_tests|tests)/[\w./-]*")


def missing_paths(text: str) -> list[str]:
    """Paths into the source tree, in backticks, that do not exist; whole spans only."""
    spans = re.findall(r"`([^`]+)`", text)
    return [span for span in spans if PATH.fullmatch(span) and not (ROOT / span).exists()]


def test_records_are_numbered_without_a_gap() -> None:
    assert RECORDS
    numbers = [int(path.name.split("-")[0]) for path in RECORDS]
    assert numbers == list(range(1, len(RECORDS) + 1))


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_has_its_form(path: Path) -> None:
    text = path.read_text()
    assert re.fullmatch(r"\d{4}-[a-z0-9]+(-[a-z0-9]+)*\.md", path.name)
    assert text.startswith(f"# {int(path.name[:4])}. ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert all(part.strip() for part in re.split(r"^## .+$", text, flags=re.MULTILINE))
    assert len(text.splitlines()) <= MOST_LINES
    assert text.count("`") % 2 == 0


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_the_table_lists_a_record_by_its_title(path: Path) -> None:
    title = path.read_text().splitlines()[0].split(". ", 1)[1]
    assert f"| {int(path.name[:4])} | [{title}]({path.name}) | " in TABLE


def test_the_table_lists_nothing_else() -> None:
    linked = re.findall(r"\]\((\d[^)]*)\)", TABLE)
    assert linked == [path.name for path in RECORDS]


@pytest.mark.parametrize("path", [*RECORDS, FOLDER / "README.md"], ids=lambda path: path.stem)
def test_paths_and_links_of_a_record_exist(path: Path) -> None:
    text = path.read_text()
    assert not missing_paths(text)
    assert all((FOLDER / link).exists() for link in re.findall(r"\]\(([^):]+)\)", text))


def test_a_path_that_does_not_exist_is_noticed() -> None:
    text = "`edge_experts/errors.py`, `tests/absent.py`, `python -m benchmarks loading`, `tests/`"
    assert missing_paths(text) == ["tests/absent.py"]
