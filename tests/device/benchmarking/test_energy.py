"""Sensors of power in trees as sysfs has them, and what a benchmark makes of them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from edge_experts.benchmarking.measure import energy, sensors

from ...tiny import INPUTS, tiny_bundle

# As a Raspberry Pi 5 prints it, shortened.
_PMIC = """\
   3V7_WL_SW_A current(0)=0.10000000A
   VDD_CORE_A current(7)=2.00000000A
   3V7_WL_SW_V volt(8)=3.70000000V
   VDD_CORE_V volt(15)=0.80000000V
   EXT5V_V volt(24)=5.15000000V
   BATT_V volt(25)=0.00000000V
"""


def _sys(folder: Path, files: dict[str, object]) -> Path:
    for name, content in files.items():
        path = folder / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return folder


def _found(tree: Path, vcgencmd: str = "no-vcgencmd") -> sensors.Sensor:
    sensor = sensors.find(tree, vcgencmd)
    assert sensor is not None
    return sensor


def _watts(sensor: sensors.Sensor) -> float:
    assert sensor.watts is not None
    return sensor.watts()


def _joules(sensor: sensors.Sensor) -> float:
    assert sensor.joules is not None
    return sensor.joules()


def test_a_board_without_a_sensor_has_no_figure(tmp_path: Path) -> None:
    assert sensors.find(tmp_path, "no-vcgencmd") is None
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    assert energy.measure(bundle, list(INPUTS), 1, sys=tmp_path, vcgencmd="no-vcgencmd") is None


def test_an_ina226_tells_power(tmp_path: Path) -> None:
    files = {"hwmon/hwmon0/name": "ina226", "hwmon/hwmon0/power1_input": 3250000}
    sensor = _found(_sys(tmp_path, files))
    assert (sensor.name, _watts(sensor)) == ("hwmon ina226", 3.25)


@pytest.mark.parametrize(("first", "watts"), [("VDD_IN", 5.0), ("VDD_CPU", 6.0)])
def test_an_ina3221_tells_rails(tmp_path: Path, first: str, watts: float) -> None:
    """All together where one rail is that, or else the sum of them."""
    files = {
        "hwmon/hwmon3/name": "ina3221",
        "hwmon/hwmon3/in1_label": first,
        "hwmon/hwmon3/in1_input": 5000,
        "hwmon/hwmon3/curr1_input": 1000,
        "hwmon/hwmon3/in2_label": "VDD_GPU",
        "hwmon/hwmon3/in2_input": 5000,
        "hwmon/hwmon3/curr2_input": 200,
        "hwmon/hwmon1/name": "cpu_thermal",
    }
    assert _watts(_found(_sys(tmp_path, files))) == pytest.approx(watts)


def test_a_raspberry_pi_5_tells_its_rails(tmp_path: Path) -> None:
    vcgencmd = tmp_path / "vcgencmd"
    vcgencmd.write_text(f"#!/bin/sh\ncat <<'END'\n{_PMIC}END\n")
    vcgencmd.chmod(0o755)
    assert _watts(_found(tmp_path, str(vcgencmd))) == pytest.approx(0.1 * 3.7 + 2 * 0.8)
    vcgencmd.write_text("#!/bin/sh\necho error=1 error_msg='Command not registered'\n")
    assert sensors.find(tmp_path, str(vcgencmd)) is None  # as older boards answer


def test_a_processors_counters_start_again(tmp_path: Path) -> None:
    files = {
        "powercap/intel-rapl:0/name": "package-0",
        "powercap/intel-rapl:0/energy_uj": 900,
        "powercap/intel-rapl:0/max_energy_range_uj": 1000,
        "powercap/intel-rapl:0:0/name": "core",
        "powercap/intel-rapl:0:0/energy_uj": 5,
    }
    sensor = _found(_sys(tmp_path, files))
    assert sensor.name == "powercap package-0"
    with sensors.recorded(sensor) as recording:
        _sys(tmp_path, {"powercap/intel-rapl:0/energy_uj": 950})
        assert _joules(sensor) == pytest.approx(50e-6)
        _sys(tmp_path, {"powercap/intel-rapl:0/energy_uj": 20})
    assert recording.watts is not None
    assert recording.watts * recording.seconds == pytest.approx(120e-6)


def test_a_counter_that_is_not_for_us_is_left_alone(tmp_path: Path) -> None:
    """As where only root may read it: here it says something else than a number."""
    files = {
        "hwmon/hwmon0/name": "amd_energy",
        "hwmon/hwmon0/energy1_input": "denied",
        "powercap/intel-rapl:0/name": "package-0",
        "powercap/intel-rapl:0/energy_uj": 5,
    }
    assert _found(_sys(tmp_path, files)).name == "powercap package-0"
    _sys(tmp_path, {"powercap/intel-rapl:0/energy_uj": "denied"})
    assert sensors.find(tmp_path, "no-vcgencmd") is None


def test_power_is_sampled_all_the_while(tmp_path: Path) -> None:
    files: dict[str, object] = {
        "hwmon/hwmon0/name": "ina226",
        "hwmon/hwmon0/power1_input": 1000000,
    }
    sensor = _found(_sys(tmp_path, files))
    rises = threading.Timer(0.3, _sys, (tmp_path, {"hwmon/hwmon0/power1_input": 3000000}))
    with sensors.recorded(sensor) as recording:
        rises.start()
        time.sleep(0.6)
    rises.join()
    assert recording.seconds >= 0.6
    assert recording.watts is not None
    assert 1.0 < recording.watts < 3.0  # both, one after the other


def test_what_an_answer_adds_is_told_apart_from_what_the_board_takes() -> None:
    used = energy.summarize("hwmon ina226", 2.0, 3.0, 1000, 2.0)
    assert (used.per_answer_uj, used.whole_per_answer_uj) == (2000.0, 6000.0)
    assert energy.summarize("hwmon ina226", 2.0, 1.9, 1000, 2.0).per_answer_uj is None


def test_a_bundle_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    files = {"hwmon/hwmon0/name": "ina226", "hwmon/hwmon0/power1_input": 2500000}
    bundle = tiny_bundle(tmp_path / "tiny.bundle")
    used = energy.measure(bundle, list(INPUTS), 1, seconds=0.3, sys=_sys(tmp_path, files))
    assert used is not None
    assert (used.idle_w, used.answering_w) == (2.5, 2.5)  # however busy this machine is
    assert used.answers > 0
    assert used.answers % len(INPUTS) == 0
    assert used.whole_per_answer_uj >= 2.5e6 * 0.3 / used.answers - 0.01
