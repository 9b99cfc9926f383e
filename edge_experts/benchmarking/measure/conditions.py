"""Conditions of the board during a measurement: heat, clock, power, throttling (Linux).

Values that a board does not report are None, and are not estimated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# https://www.raspberrypi.com/documentation/computers/os.html#get_throttled: bits 0 to 3 are the
# current state, bits 16 to 19 the same since the start of the board.
_THROTTLED = ("under-voltage", "capped clock", "throttled", "soft temperature limit")
_SINCE_START = 16


@dataclass(frozen=True)
class Conditions:
    """Conditions at one moment; `throttle_flags` and `throttle_events` only grow until reboot."""

    temperature_c: float | None = None  # of the hottest sensor
    frequency_mhz: float | None = None  # of the slowest core
    max_frequency_mhz: float | None = None
    power_w: float | None = None
    throttle_flags: int | None = None  # of a Raspberry Pi's firmware
    throttle_events: float | None = None  # of an x86 processor
    governor: str | None = None  # of the first core's clock


def read(sys: Path = Path("/sys")) -> Conditions:
    """Read the current conditions (sysfs: thermal, cpufreq, hwmon)."""
    cpu = "devices/system/cpu/cpu[0-9]*"
    flags = next(iter(sys.glob("devices/platform/soc*/soc*:firmware/get_throttled")), None)
    governor = next(iter(sys.glob("devices/system/cpu/cpu0/cpufreq/scaling_governor")), None)
    return Conditions(
        temperature_c=_scaled(max, _numbers(sys, "class/thermal/thermal_zone*/temp"), 1e3),
        frequency_mhz=_scaled(min, _numbers(sys, f"{cpu}/cpufreq/scaling_cur_freq"), 1e3),
        max_frequency_mhz=_scaled(max, _numbers(sys, f"{cpu}/cpufreq/cpuinfo_max_freq"), 1e3),
        power_w=_scaled(sum, _numbers(sys, "class/hwmon/hwmon*/power1_input"), 1e6),
        throttle_flags=None if flags is None else int(flags.read_text().strip(), 16),
        throttle_events=_scaled(sum, _numbers(sys, f"{cpu}/thermal_throttle/core_throttle_count")),
        governor=None if governor is None else governor.read_text().strip(),
    )


def throttling(before: Conditions, after: Conditions) -> list[str]:
    """List causes of throttling between the two moments; empty if there were none or unknown."""
    found = []
    if before.throttle_flags is not None and after.throttle_flags is not None:
        now = before.throttle_flags | after.throttle_flags
        new = (after.throttle_flags & ~before.throttle_flags) >> _SINCE_START
        found = [name for bit, name in enumerate(_THROTTLED) if (now | new) >> bit & 1]
    if (after.throttle_events or 0) > (before.throttle_events or 0):
        found.append("too hot")
    return found


def _numbers(sys: Path, pattern: str) -> list[int]:
    found = []
    for path in sys.glob(pattern):
        # A sensor may exist and not respond.
        with contextlib.suppress(OSError, ValueError):
            found.append(int(path.read_text()))
    return found


def _scaled(
    pick: Callable[[list[int]], int], numbers: list[int], unit: float = 1.0
) -> float | None:
    return pick(numbers) / unit if numbers else None
