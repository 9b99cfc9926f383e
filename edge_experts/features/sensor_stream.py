"""Windows of rows of sensors: the same code cuts recordings in training and live streams.

Rows with times are brought onto a steady grid: a row within a quarter of the interval of where it
is expected is taken as it is, so that a steady sensor's numbers stay untouched; farther ones are
interpolated linearly. After a gap a new window begins, since nobody knows what happened between.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ..format.limits import LIMITS

GAP = 3.0  # intervals; rows farther apart are not connected
_SNAP = 0.25  # intervals
_LONGEST_NAME = 200  # characters
_MOST_STRIDE = 1_000_000  # rows

Tag = TypeVar("Tag")


@dataclass(frozen=True)
class SensorStream:
    """How windows are cut from rows.

    Attributes:
        channels: names of the columns of a row, in the order of a window's last axis.
        stride: rows from the start of a window to the start of the next one.
        time: column of times; None if rows have none, and are as steady as they come.
        interval: time between two rows of a window, in the unit of the column of times (dates:
            seconds); None without such a column.
        recording: column whose cell changes where another recording begins; None without.
    """

    channels: tuple[str, ...]
    stride: int
    time: str | None = None
    interval: float | None = None
    recording: str | None = None

    def __post_init__(self) -> None:
        others = [name for name in (self.time, self.recording) if name is not None]
        names = [*self.channels, *others]
        if not all(type(name) is str and 0 < len(name) <= _LONGEST_NAME for name in names):
            raise ValueError(f"channels must be texts of at most {_LONGEST_NAME} characters")
        if not self.channels or len(set(names)) < len(names):
            raise ValueError("channels must be different from each other")
        if type(self.stride) is not int or not 0 < self.stride <= _MOST_STRIDE:
            raise ValueError(f"stride must be 1 to {_MOST_STRIDE}")
        if (self.time is None) != (self.interval is None):
            raise ValueError("time and interval belong together")
        if self.interval is not None and not (
            type(self.interval) is float and 0 < self.interval < math.inf
        ):
            raise ValueError("interval must be a number above 0")

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"channels": list(self.channels), "stride": self.stride}
        if self.time is not None:
            found |= {"time": self.time, "interval": self.interval}
        if self.recording is not None:
            found["recording"] = self.recording
        return found

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SensorStream:
        """Read what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: the content is not of that form.
        """
        channels, interval = content["channels"], content.get("interval")
        if type(channels) is not list or len(channels) > LIMITS.example_numbers:
            raise ValueError("channels must be a list of texts")
        if type(interval) is int:
            interval = float(interval)
        time, recording = content.get("time"), content.get("recording")
        return cls(tuple(channels), content["stride"], time, interval, recording)


@dataclass(frozen=True)
class Window(Generic[Tag]):
    """One window.

    Attributes:
        rows: (length, channels) float32.
        tags: what came with each of its rows; of an interpolated row, that of the nearer one.
    """

    rows: np.ndarray
    tags: Sequence[Tag]


class WindowCutter(Generic[Tag]):
    """Cuts windows from rows as they come; holds one window's rows at most.

    Args:
        length: rows of a window.
    """

    def __init__(self, stream: SensorStream, length: int):
        self._stream, self._length = stream, length
        self._rows: deque[tuple[np.ndarray, Tag]] = deque(maxlen=length)
        self._skip = 0  # rows that belong to no window, where the stride is the longer one
        self._last: tuple[float, np.ndarray, Tag] | None = None
        self._next = 0.0  # time at which the next row is expected

    def restart(self) -> None:
        """Forget all rows: what comes now is another recording."""
        self._rows.clear()
        self._skip, self._last = 0, None

    def push(self, row: np.ndarray, tag: Tag, moment: float | None = None) -> Iterator[Window[Tag]]:
        """Add one row, and yield the windows that it completes.

        Args:
            row: (channels,) numbers; NaN where nothing was measured.
            moment: its time, where the stream has times.

        Raises:
            ValueError: the time is before that of the row before.
        """
        if self._stream.interval is None or moment is None:
            yield from self._add(row, tag)
            return
        last = self._last
        if last is not None and moment < last[0]:
            raise ValueError(f"time {moment:g} is before {last[0]:g}, the time of the row before")
        if last is not None and moment == last[0]:
            return  # written twice
        self._last = (moment, row, tag)
        yield from self._on_grid(last, moment, row, tag, self._stream.interval)

    def _on_grid(
        self,
        last: tuple[float, np.ndarray, Tag] | None,
        moment: float,
        row: np.ndarray,
        tag: Tag,
        interval: float,
    ) -> Iterator[Window[Tag]]:
        if last is None or moment - last[0] > GAP * interval:
            self._rows.clear()
            self._skip = 0
            self._next = moment + interval
            yield from self._add(row, tag)
            return
        begin, before, earlier = last
        while self._next < moment - _SNAP * interval:
            share = (self._next - begin) / (moment - begin)
            between = before + np.float32(share) * (row - before)
            yield from self._add(between, earlier if share < 0.5 else tag)
            self._next += interval
        if self._next <= moment + _SNAP * interval:
            self._next = moment + interval
            yield from self._add(row, tag)

    def _add(self, row: np.ndarray, tag: Tag) -> Iterator[Window[Tag]]:
        if self._skip:
            self._skip -= 1
            return
        self._rows.append((row, tag))
        if len(self._rows) < self._length:
            return
        yield Window(np.stack([values for values, _ in self._rows]), [one for _, one in self._rows])
        for _ in range(min(self._stream.stride, self._length)):
            self._rows.popleft()
        self._skip = max(0, self._stream.stride - self._length)
