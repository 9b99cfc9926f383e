"""What a board knows of its own electric power: counters of energy, or power to be sampled.

Where there is no such sensor there is no figure. What each one sees differs (a whole board, or only
its processor), so that figures compare on one board only; `Sensor.name` says which it was.
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
    """One of both is there.

    Attributes:
        name: such as "hwmon ina226" or "powercap package-0".
        joules: a counter, of which only differences mean something.
        watts: power now.
        pause: seconds between two samples of `watts`.
    """

    name: str
    joules: Callable[[], float] | None = None
    watts: Callable[[], float] | None = None
    pause: float = 0.02


def find(sys: Path = Path("/sys"), vcgencmd: str = "vcgencmd") -> Sensor | None:
    """The sensor that sees most of the board; None where there is none that may be read."""
    for look in (_hwmon_power, _hwmon_current, lambda _: _pmic(vcgencmd), _hwmon_energy, _powercap):
        # A sensor may be there and not answer, or only to root.
        with contextlib.suppress(OSError, ValueError, subprocess.TimeoutExpired):
            sensor = look(sys)
            if sensor is not None and (sensor.watts is None or sensor.watts() > 0):
                return sensor
    return None


@dataclass
class Recording:
    """What a sensor saw, filled when its block ends.

    Attributes:
        watts: the mean; None where the sensor did not answer once.
        seconds: for how long, by the same two instants as `watts`.
    """

    watts: float | None = None
    seconds: float = 0.0


@contextlib.contextmanager
def recorded(sensor: Sensor) -> Iterator[Recording]:
    """Measure for as long as the block lasts."""
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
    """A chip that says power itself (INA219, INA226, INA260 ...), in microwatts."""
    path = next(iter(sorted(sys.glob("class/hwmon/hwmon*/power1_input"))), None)
    if path is None:
        return None
    return Sensor(f"hwmon {_text(path.with_name('name'))}", watts=lambda: _number(path) / 1e6)


def _hwmon_current(sys: Path) -> Sensor | None:
    """An INA3221: mA and mV of up to three rails, of which VDD_IN would be all together."""
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
    """A Raspberry Pi 5: all rails of its power management; not what its USB ports take."""
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
            amperes * found["V"].get(rail, 0.0)  # EXT5V and BATT have volts alone
            for rail, amperes in found["A"].items()
        )

    return Sensor("vcgencmd pmic_read_adc", watts=watts, pause=0.2)


def _hwmon_energy(sys: Path) -> Sensor | None:
    """A counter in microjoules, such as of an AMD processor."""
    path = next(iter(sorted(sys.glob("class/hwmon/hwmon*/energy1_input"))), None)
    if path is None:
        return None
    _number(path)  # may it be read?
    return Sensor(f"hwmon {_text(path.with_name('name'))}", joules=lambda: _number(path) / 1e6)


def _powercap(sys: Path) -> Sensor | None:
    """An x86 processor's packages (RAPL), whose counters start again at their range's end."""
    packages = [
        path.parent
        for path in sorted(sys.glob("class/powercap/*/energy_uj"))
        if path.parent.name.count(":") == 1  # a second one is a part of the package
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
