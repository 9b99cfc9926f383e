"""Packed experts on emulated Cortex-A72 and A76, with the wheel of LiteRT that users get.

A language model answers by every scheme of residency that is possible there; then the card with it
moves to a board with the other processor, and back.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from device_tests.boards.agreement import expect
from device_tests.boards.entering import entered
from device_tests.boards.kinds import board
from tests.conftest import ROOT

_BOARD, _PLACE = board("arm64-trixie"), "/root/help"
_OLD, _NEW = "cortex-a72", "cortex-a76"  # of a Raspberry Pi 4 and a 5
_CHOSEN = {_OLD: "plain", _NEW: "slots"}
_BUNDLE = ROOT / "examples/help.bundle"
_MARGIN = 0.03  # of a token that another processor may replace, as a share of the largest logit


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logits that this machine's plain interpreters compute for three texts."""
    folder = tmp_path_factory.mktemp("expected")
    data, out = folder / "pages.txt", folder / "expected.npz"
    pages = sorted((ROOT / "docs").glob("*.md"))
    data.write_text("".join(path.read_text("utf-8") for path in pages), "utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("EDGE_EXPERTS_RESIDENCY", "plain")
        expect(_BUNDLE, _BOARD.interpreter, out, ("--data", str(data), "--count", "3"))
    return out


class Card:
    """A card with an installed bundle, which any processor can run.

    Attributes:
        home: the folder with its content.
    """

    def __init__(self, home: Path, expected: Path):
        self.home, self._expected = home, expected

    def run(self, cpu: str, *command: str) -> dict[str, Any]:
        """Run a program of the board; returns its JSON."""
        binds = {"bundle": _BUNDLE, "expected.npz": self._expected}
        words = ["python3", "-m", *command]
        done = entered(_BOARD, words, binds=binds, cpu=cpu, home=self.home, capture=True)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def install(self, cpu: str) -> dict[str, Any]:
        return self.run(cpu, "edge_experts", "install", "/mnt/bundle", _PLACE, "--packed", "--json")

    def doctor(self, cpu: str) -> dict[str, Any]:
        return self.run(cpu, "edge_experts", "doctor", _PLACE, "--json")

    def answers(self, cpu: str) -> dict[str, Any]:
        options = ("--expected", "/mnt/expected.npz")
        return self.run(cpu, "device_tests.residency_schemes", _PLACE, *options)


@pytest.fixture(scope="module")
def installed(
    expected: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Card, dict[str, Any], dict[str, Any]]]:
    """Install the bundle on a processor: the card, what `install` says, and the answers."""
    known: dict[str, tuple[Card, dict[str, Any], dict[str, Any]]] = {}

    def install(cpu: str) -> tuple[Card, dict[str, Any], dict[str, Any]]:
        if cpu not in known:
            card = Card(tmp_path_factory.mktemp(cpu), expected)
            known[cpu] = card, card.install(cpu), card.answers(cpu)
        return known[cpu]

    return install


Installed = Callable[[str], tuple[Card, dict[str, Any], dict[str, Any]]]


@pytest.mark.parametrize("cpu", _CHOSEN)
def test_the_answers_of_every_possible_scheme_are_those_of_this_machine(
    cpu: str, installed: Installed
) -> None:
    _, _, found = installed(cpu)
    assert found["chosen"] == _CHOSEN[cpu], found
    possible = {name: one for name, one in found["schemes"].items() if "tokens" in one}
    assert set(possible) == ({"plain"} if cpu == _OLD else {"slots", "mapped", "plain"})
    assert len({one["crc32"] for one in possible.values()}) == 1
    for one in possible.values():
        compared = one["agreement"]
        assert compared["texts"] == 3
        assert all(other["margin"] < _MARGIN for other in compared["other_tokens"]), compared


def test_an_a72_says_why_its_experts_are_not_packed(installed: Installed) -> None:
    card, said, found = installed(_OLD)
    assert said["packed"]["experts"] == 0
    assert "SIGILL" in said["not_packed"]
    assert "no packed experts are here" in found["reason"]
    assert "is not possible" in found["schemes"]["slots"]["problem"]
    doctor = card.doctor(_OLD)
    assert "SIGILL" in doctor["packed_experts"]["problem"]
    assert doctor["residency"]["scheme"] == "plain"


def test_an_a76_packs_all_experts(installed: Installed) -> None:
    card, said, _ = installed(_NEW)
    assert said["packed"]["experts"] == 32
    doctor = card.doctor(_NEW)
    assert doctor["packed_experts"]["work"]
    residency = doctor["residency"]
    assert (residency["scheme"], residency["reason"]) == ("slots", "")
    assert len(residency["slot_times"]) == 4  # one and two threads, one and two requests
    assert min(residency["slot_times"].values()) > 0


def test_a_card_that_moves_to_another_processor_answers_there_and_back(
    installed: Installed, expected: Path, tmp_path: Path
) -> None:
    card, _, before = installed(_NEW)
    _, _, plain = installed(_OLD)
    moved = Card(Path(shutil.copytree(card.home, tmp_path / "card", symlinks=True)), expected)

    found = moved.answers(_OLD)
    assert found["chosen"] == "plain"
    assert "packed experts are for another processor" in found["reason"]
    assert found["schemes"]["plain"] == plain["schemes"]["plain"]
    assert "another processor" in found["schemes"]["mapped"]["problem"]
    doctor = moved.doctor(_OLD)
    assert "another processor" in doctor["residency"]["reason"]
    assert "SIGILL" in doctor["packed_experts"]["problem"]

    again = moved.install(_OLD)
    assert "SIGILL" in again["not_packed"]
    assert moved.answers(_OLD)["schemes"]["plain"] == plain["schemes"]["plain"]
    assert moved.answers(_NEW) == before
