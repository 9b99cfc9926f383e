"""Lines of progress fit the terminal and keep what matters; output of C code is held back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_experts.native_stderr import held_back
from edge_experts.progress import Progress, line

NOTE = "validation accuracy 0.8004, loss 0.4755, validation cross entropy 0.4358, experts used 9%"
_WORDS = st.text(st.characters(codec="ascii", exclude_characters="\n\r"), max_size=40)


@given(
    what=_WORDS,
    total=st.integers(0, 10**6),
    share=st.floats(0, 1),
    seconds=st.floats(0, 1e9),
    note=_WORDS,
    columns=st.integers(0, 200),
)
def test_a_line_is_never_wider_than_the_terminal_and_keeps_the_count(
    what: str, total: int, share: float, seconds: float, note: str, columns: int
) -> None:
    done = round(share * total)
    shown = line(what, done, total, seconds, note, columns)
    assert len(shown) <= max(columns, len(f"{done}/{total}"))
    assert f"{done}/{total}" in shown


def test_at_80_columns_there_is_a_bar_and_a_whole_accuracy() -> None:
    shown = line("own inputs", 7, 19, 30.5, NOTE, 79)
    bar = re.search(r"\[([#.]+)\]", shown)
    assert bar is not None
    assert len(bar[1]) >= 10
    assert shown.endswith("0:53 left  validation accuracy 0.8004, loss 0.4755")


def test_on_narrower_terminals_the_accuracy_stays_whole() -> None:
    assert line("own inputs", 7, 19, 30.5, NOTE, 59).endswith("  validation accuracy 0.8004")
    assert line("own inputs", 7, 19, 30.5, NOTE, 39) == "own inputs 7/19  accuracy 0.8004"
    assert "accuracy" not in line("own inputs", 7, 19, 30.5, NOTE, 25)
    assert line("own inputs", 7, 19, 30.5, "", 12) == "own inp 7/19"


def test_a_bar_is_full_at_the_end() -> None:
    assert line("Converting", 5, 5, 3.0, "", 40) == f"Converting 5/5 [{'#' * 23}]"
    assert "[" in line("Converting", 0, 0, 0.0, "", 79)


def test_where_there_is_no_terminal_plain_lines_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Progress("choice", 4) as progress:
        progress.step("validation accuracy 0.5")
        progress.note("restarting")
        progress.step()
        progress.stop("stopped after 2 of 4 epochs: validation accuracy no better for 1")
    assert capsys.readouterr().err.splitlines() == [
        "choice: 1/4 validation accuracy 0.5",
        "choice: restarting",
        "choice: 2/4",
        "choice: stopped after 2 of 4 epochs: validation accuracy no better for 1",
    ]


_ON_A_TERMINAL = """
from edge_experts.progress import Progress
with Progress("choice", 4) as progress:
    progress.step("validation accuracy 0.5000, loss 0.1")
    progress.step("validation accuracy 0.5000, loss 0.1")
    progress.stop("stopped after 2 of 4 epochs")
"""


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_shows_a_bar_that_ends_where_the_stage_stopped(columns: int) -> None:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    child = subprocess.Popen(
        [sys.executable, "-c", _ON_A_TERMINAL], stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    text = b"".join(_read(ours)).decode()
    os.close(ours)
    assert child.wait() == 0
    drawn = [part.strip("\n") for part in re.split(r"\r|\x1b\[A", text)]
    assert max(map(len, drawn)) < columns
    bars = [part for part in drawn if part.startswith("choice 2/4")]
    assert bars
    assert "accuracy 0.5000" in bars[-1]
    assert "choice: stopped after 2 of 4 epochs" in text


def _read(descriptor: int) -> Iterator[bytes]:
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            return
        if not part:
            return
        yield part


_WRITES = """
import os, sys
from edge_experts.native_stderr import held_back
print("before", file=sys.stderr)
try:
    with held_back(lambda line: line.startswith("INFO")):
        os.write(2, b"INFO: created\\nERROR: no operator\\n")
        print("from Python", file=sys.stderr)
        if sys.argv[1] == "raises":
            raise RuntimeError
except RuntimeError:
    pass
os.write(2, b"INFO: after\\n")
"""


@pytest.mark.parametrize(
    ("how", "kept"),
    [("returns", []), ("raises", ["INFO: created"])],
)
def test_only_chatter_is_dropped_and_nothing_where_it_fails(how: str, kept: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WRITES, how], capture_output=True, text=True, check=True
    )
    between = [*kept, "ERROR: no operator", "from Python"]
    assert done.stderr.splitlines() == ["before", *between, "INFO: after"]


def test_a_closed_stderr_is_left_alone() -> None:
    code = (
        "import os\nfrom edge_experts.native_stderr import held_back\nos.close(2)\n"
        "with held_back(lambda line: True):\n    print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "done\n"


def test_without_files_in_memory_a_temporary_one_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    ran = []
    with held_back(lambda line: True):
        ran.append(True)
    assert ran
