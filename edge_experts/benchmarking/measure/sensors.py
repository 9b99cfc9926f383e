"""Power sensors of a board: counters of energy, or power to be sampled.

Without such a sensor there is no figure. The part of the board that a sensor covers differs (the
whole board, or only its processor), so figures are comparable on one board only; `Sensor.name`
identifies the sensor.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from time import perf_counter

# A Raspberry Pi 5's power management, line by line: "   VDD_CORE_A current(7)=1.29120000A"
_RAIL = re.compile(r"(\w+)_([AV]) (?:current|volt)\(\d+\)=([\d.]+)[AV]")


@dataclass(frozen=True)
class Sensor:
    """Power sensor with one of `joules` and `watts`.

    Attributes:
        name: such as "hwmon ina226" or "powercap package-0".
        joules: a counter, of which only differences are meaningful.
        watts: current power.
        pause: seconds between two samples of `watts`.
    """

    name: str
    joules: Callable[[], float] | None = None
    watts: Callable[[], float] | None = None
    pause: float = 0.02


def find(sys: Path = Path("/sys"), vcgencmd: str = "vcgencmd") -> Sensor | None:
    """Find the readable sensor that covers most of the board; None if there is none."""
    for look in (_hwmon_power, _hwmon_current, lambda _: _pmic(vcgencmd), _hwmon_energy, _powercap):
        # A sensor may exist and not respond, or only to root.
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            sensor = look(sys)
            if sensor is not None and (sensor.watts is None or sensor.watts() > 0):
                return sensor
    return None


@dataclass
class Recording:
    """Measurement of a sensor, filled when its block ends.

    Attributes:
        watts: the mean; None if the sensor never responded.
        seconds: duration, by the same two instants as `watts`.
    """

    watts: float | None = None
    seconds: float = 0.0


@contextlib.contextmanager
def recorded(sensor: Sensor) -> Iterator[Recording]:
    """Measure for the duration of the block."""
    recording = Recording()
    if sensor.joules is not None:
        start, began = sensor.joules(), perf_counter()
        try:
            yield recording
        finally:
            used, recording.seconds = sensor.joules() - start, perf_counter() - began
            recording.watts = used / recording.seconds
        return
    assert sensor.watts is not None
    samples: list[float] = []
    stop = threading.Event()

    def sample(watts: Callable[[], float]) -> None:
        while True:
            with contextlib.suppress(OSError, ValueError):
                samples.append(watts())
            if stop.wait(sensor.pause):
                return

    thread = threading.Thread(target=sample, args=(sensor.watts,), daemon=True)
    began = perf_counter()
    thread.start()
    try:
        yield recording
    finally:
        recording.seconds = perf_counter() - began
        stop.set()
        thread.join()
        recording.watts = fmean(samples) if samples else None


def _hwmon_power(sys: Path) -> Sensor | None:
    """Find a chip that reports power (INA219, INA226, INA260 ...), in microwatts."""
    path = next(iter(sorted(sys.glob("class/hwmon/hwmon*/power1_input"))), None)
    if path is None:
        return None
    return Sensor(f"hwmon {_text(path.with_name('name'))}", watts=lambda: _number(path) / 1e6)


def _hwmon_current(sys: Path) -> Sensor | None:
    """Find an INA3221: mA and mV of up to three rails, where VDD_IN is the sum of all."""
    for chip in sorted(sys.glob("class/hwmon/hwmon*")):
        rails = [path.name[4:-6] for path in sorted(chip.glob("curr[0-9]_input"))]
        rails = [rail for rail in rails if (chip / f"in{rail}_input").exists()]
        if not rails or not (name := _text(chip / "name")).startswith("ina"):
            continue
        labels = {rail: chip / f"in{rail}_label" for rail in rails}
        named = {_text(label): rail for rail, label in labels.items() if label.exists()}
        taken = [named["VDD_IN"]] if "VDD_IN" in named else rails

        def watts(chip: Path = chip, taken: list[str] = taken) -> float:
            return sum(
                _number(chip / f"curr{rail}_input") * _number(chip / f"in{rail}_input") / 1e6
                for rail in taken
            )

        return Sensor(f"hwmon {name}", watts=watts)
    return None


def _pmic(vcgencmd: str) -> Sensor | None:
    """Find a Raspberry Pi 5: all rails of its power management, without its USB ports."""
    program = shutil.which(vcgencmd)
    if program is None:
        return None

    def watts() -> float:
        said = subprocess.run(
            [program, "pmic_read_adc"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=5,
        ).stdout
        found: dict[str, dict[str, float]] = {"A": {}, "V": {}}
        for rail, unit, value in _RAIL.findall(said):
            found[unit][rail] = float(value)
        return sum(
            amperes * found["V"].get(rail, 0.0)  # EXT5V and BATT have only volts
            for rail, amperes in found["A"].items()
        )

    return Sensor("vcgencmd pmic_read_adc", watts=watts, pause=0.2)


def _hwmon_energy(sys: Path) -> Sensor | None:
    """Find a counter in microjoules, such as that of an AMD processor."""
    path = next(iter(sorted(sys.glob("class/hwmon/hwmon*/energy1_input"))), None)
    if path is None:
        return None
    _number(path)  # raises if it is not readable
    return Sensor(f"hwmon {_text(path.with_name('name'))}", joules=lambda: _number(path) / 1e6)


def _powercap(sys: Path) -> Sensor | None:
    """Find an x86 processor's packages (RAPL), whose counters restart at the end of their range."""
    packages = [
        path.parent
        for path in sorted(sys.glob("class/powercap/*/energy_uj"))
        if path.parent.name.count(":") == 1  # a second colon marks a part of a package
    ]
    if not packages:
        return None
    last = {package: _number(package / "energy_uj") for package in packages}
    total = dict.fromkeys(packages, 0.0)

    def joules() -> float:
        for package in packages:
            now = _number(package / "energy_uj")
            grown = now - last[package]
            if grown < 0:
                grown += _number(package / "max_energy_range_uj")
            total[package], last[package] = total[package] + grown, now
        return sum(total.values()) / 1e6

    return Sensor("powercap " + ", ".join(_text(one / "name") for one in packages), joules=joules)


def _number(path: Path) -> float:
    return float(path.read_text(encoding="utf-8"))


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace").strip()
