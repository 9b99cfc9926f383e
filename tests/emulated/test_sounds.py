"""Features of sounds are the same bits on 64-bit and 32-bit Arm as on this machine."""

from __future__ import annotations

import pytest

from device_tests import sound_spectra
from device_tests.boards.entering import entered
from device_tests.boards.kinds import BOARDS, board


@pytest.mark.parametrize("name", BOARDS)
def test_a_thousand_recordings_have_the_same_features(name: str) -> None:
    done = entered(board(name), ["python3", "-m", "device_tests.sound_spectra"], capture=True)
    assert done.stdout.strip() == sound_spectra.DIGEST, done.stderr
