"""Windows of sensors are the same bits on 64-bit and 32-bit Arm as on this machine."""

from __future__ import annotations

import pytest

from device_tests import sensor_windows
from device_tests.boards.entering import entered
from device_tests.boards.kinds import BOARDS, board


@pytest.mark.parametrize("name", BOARDS)
def test_a_thousand_windows_have_the_same_features(name: str) -> None:
    done = entered(board(name), ["python3", "-m", "device_tests.sensor_windows"], capture=True)
    assert done.stdout.strip() == sensor_windows.DIGEST, done.stderr
