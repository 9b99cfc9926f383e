"""The speech set: no synthesizer, and no person, of the test speaks in the training."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.features.spoken import synthesizers
from benchmarks.features.spoken.speech import RECORDINGS, WORDS, write
from benchmarks.features.spoken.synthesizers import ENGINES, by_split, samples_of
from edge_experts.errors import UsageError


@pytest.mark.parametrize("held_out", ENGINES)
def test_no_voice_or_person_of_the_test_is_in_another_split(held_out: str) -> None:
    voices = by_split(held_out)
    test = voices["test"]
    assert {one.engine for one in test} == {held_out}
    persons = {one.person for one in test} - {""}
    for split in ("train", "validation"):
        assert voices[split]
        assert not any(one.engine == held_out or one.person in persons for one in voices[split])
    assert len({one.engine for one in voices["train"]}) == len(ENGINES) - 1


def test_an_unknown_synthesizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--held-out sam: must be one of espeak-ng, festival"):
        write(tmp_path / "speech", 1, held_out="sam")
    assert not (tmp_path / "speech").exists()


def test_a_missing_synthesizer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    voice = synthesizers.Voice("flite", "awb", "awb", pitch=110)
    one = synthesizers.Utterance(tmp_path / "a.wav", "yes", voice, 1.0, 1.0)
    with pytest.raises(UsageError, match="flite: not found; install espeak-ng, flite"):
        list(synthesizers.speak([one]))


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_a_recording_depends_on_the_seed_alone(tmp_path: Path) -> None:
    voices = by_split("flite")
    found = []
    for name in ("a.wav", "b.wav"):
        RECORDINGS["speech.wav"](tmp_path / name, 0.05, voices, np.random.default_rng((0, 2)))
        found.append(samples_of(tmp_path / name))
    assert len(found[0]) == 0.05 * 60 * synthesizers.RATE
    assert found[0].any()
    assert (found[0] == found[1]).all()
    assert len(set(WORDS)) == 10
