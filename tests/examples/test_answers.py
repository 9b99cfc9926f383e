"""Examples that train nothing: they answer from the committed bundles."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_experts import ExpertRuntime
from edge_experts.runtime.tasks.language_model.continuation import Prompt

from .programs import EXAMPLES, Programs, require, shown

START = "To open a file, click"


def _written(tokens: int) -> str:
    with ExpertRuntime(EXAMPLES / "help.bundle") as runtime:
        return "".join(runtime.stream(Prompt(START, max_tokens=tokens)))


def test_two_bundles_stay_within_a_budget(programs: Programs) -> None:
    wide, narrow = programs.run_shown("memory_budget").values()
    rows = [re.findall(r"(?m)^ *([\d,]+) +(?:\d+ +){0,2}(.*)$", text) for text in (wide, narrow)]
    assert len(rows[0]) == 8
    assert [answer for _, answer in rows[0]] == [answer for _, answer in rows[1]]
    for found, limit in zip(rows, (64_000_000, 12_000_000), strict=True):
        used = [int(size.replace(",", "")) for size, _ in found]
        assert max(used) <= limit
        assert used[-1] == 0
    refused = programs.run("memory_budget", "python two_bundles.py 2MB", exit_code=1)
    assert re.search(r"error: .*raise the budget to [\d,]+ or more", refused)


def test_a_text_is_generated_and_continued(programs: Programs) -> None:
    greedy, drawn, command = programs.run_shown("language_model").values()
    first = _written(24)
    assert greedy.startswith(START + first)
    known = [int(number) for number in re.findall(r"of which (\d+) were known", greedy + drawn)]
    assert known[0] == known[2] == 0
    assert min(known[1], known[3]) > 0, "a continuation computes only what is new"
    assert first.strip() in command
    assert "invalid float value" in programs.run("language_model", "python generate.py a x", 2)


@pytest.fixture(scope="module")
def port(programs: Programs) -> Iterator[str]:
    """Port of the server in the README of http_clients."""
    (command,) = (one for one in shown("http_clients") if one.startswith("edge-experts serve"))
    with programs.serving("http_clients", command) as port:
        yield port


def test_http_clients_get_the_answers_of_the_runtime(programs: Programs, port: str) -> None:
    require("curl")
    by_urllib, by_curl, by_openai = programs.run_shown("http_clients", port).values()
    with ExpertRuntime(EXAMPLES / "translation.bundle") as runtime:
        for sentence in ("Open the file.", "Close the window."):
            assert f"{sentence} -> {runtime.predict((sentence, 'de')).text}\n" in by_urllib
        assert f'"{runtime.predict(("Open the file.", "fr")).text}"' in by_curl
    assert by_openai == _written(32) + "\n"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("translate.py http://localhost:8080 xx a", "400: cannot translate to 'xx'"),
        ("translate.py http://localhost:1 de a", "is `edge-experts serve` running?"),
        ("complete.py http://localhost:8080 a --chat", "chat template"),
        ("complete.py http://localhost:8080 a --model b", "b"),
        ("complete.py http://localhost:1 a", "is `edge-experts serve` running?"),
    ],
)
def test_http_clients_say_what_is_wrong(
    programs: Programs, port: str, command: str, message: str
) -> None:
    said = programs.run("http_clients", f"python {command}".replace("8080", port), exit_code=1)
    assert said.startswith("error: ")
    assert message in said


@pytest.mark.long
def test_a_model_for_conversations_is_asked_too(programs: Programs, chat_bundle: Path) -> None:
    with programs.serving(
        "http_clients", f"edge-experts serve small={chat_bundle} --port 8080"
    ) as port:
        options = "red --chat --model small"
        said = programs.run("http_clients", f"python complete.py http://localhost:{port} {options}")
    assert len(said.strip()) > 3
