"""Listening: detections in a stream of sound, and false alarms per hour."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

from ...errors import UsageError

if TYPE_CHECKING:
    from ...runtime import Answer, ExpertRuntime
    from ...runtime.detection import Detection
    from ...runtime.installed import InstalledRuntime
    from .watch import Watch

THRESHOLD = 0.7
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)  # of a measurement
_HOPS = 8  # in a window
_HOUR = 3600


class Listener:
    """Answers the windows of a stream.

    Attributes:
        window: seconds of a window.
        hop: seconds between two windows.
        seconds: of the stream so far.
        busy: processor time of the answers, in seconds.

    Raises:
        UsageError: the bundle is not of sounds, or the hop is shorter than a spectrum's.
    """

    def __init__(self, runtime: ExpertRuntime | InstalledRuntime, hop: float | None):
        from ...features import SoundFeatures

        features = runtime.features
        if not isinstance(features, SoundFeatures):
            raise UsageError(f"--listen is for bundles of sounds; this one is of {features.kind}")
        self._runtime, self._log_mel = runtime, features.log_mel
        window = self._log_mel.samples / self._log_mel.rate
        wanted = window / _HOPS if hop is None else hop
        self._samples = round(wanted * self._log_mel.rate)
        if not self._log_mel.hop <= self._samples <= self._log_mel.samples:
            raise UsageError(
                f"--hop {wanted:g}: must be from {self._log_mel.hop / self._log_mel.rate:g} to "
                f"{window:g} s, the window of the bundle"
            )
        self.window = window
        self.hop = self._samples / self._log_mel.rate
        self.refractory = -(-self._log_mel.samples // self._samples)
        self.seconds = self.busy = 0.0

    def answers(self, path: Path | None) -> Iterator[tuple[float, Answer]]:
        """Yield the middle of each window, in seconds of the stream, and its answer.

        Args:
            path: a file; None: stdin.

        Raises:
            UsageError: the file or the stream is no sound.
        """
        from ...features.sound_stream import windows
        from ...features.wav_files import opened

        if path is None and sys.stdin is None:
            raise UsageError("stdin is closed; give --input FILE.wav")
        stream = sys.stdin.buffer if path is None else opened(path)
        name = "stdin" if path is None else str(path)
        half = self._log_mel.samples / self._log_mel.rate / 2
        with stream:
            for window in windows(stream, name, self._log_mel, self._samples):
                begin = process_time()
                answer = self._runtime.predict(window.samples)
                self.busy += process_time() - begin
                self.seconds = window.end
                yield max(0.0, window.end - half), answer

    @property
    def real_time_factor(self) -> float:
        """Processor time for each second of the stream."""
        return self.busy / self.seconds if self.seconds else 0.0


def listen(
    runtime: ExpertRuntime | InstalledRuntime,
    path: Path | None,
    watch: Watch,
    threshold: float | None,
    hop: float | None,
    *,
    json: bool,
) -> None:
    """Print a line for each detection as it happens, and a summary on stderr."""
    from ...runtime.detection import Detector

    listener = Listener(runtime, hop)
    detector, labels, count = None, None, 0
    try:
        for time, answer in listener.answers(path):
            if detector is None or runtime.manifest.labels != labels:  # a new version
                labels = runtime.manifest.labels
                least = THRESHOLD if threshold is None else threshold
                detector = Detector(labels, least, listener.refractory)
            watch.look(answer)
            found = detector.update(answer.scores)
            if found is not None:
                count += 1
                print(_told(time, found, json=json), flush=True)
    finally:
        print(
            f"edge-experts: {count:,} detections in {listener.seconds:,.1f} s; real-time factor "
            f"{listener.real_time_factor:.4f}",
            file=sys.stderr,
        )


def _told(time: float, found: Detection, *, json: bool) -> str:
    from json import dumps

    if not json:
        return f"{time:.2f} s\t{found.label}\t{found.score:.3f}"
    content = {"time": round(time, 3), "label": found.label, "score": round(found.score, 6)}
    return dumps({"schema_version": "1.0", **content}, ensure_ascii=False)


def measured(
    runtime: ExpertRuntime,
    path: Path,
    words: Path | None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> dict[str, Any]:
    """Count the detections in a recording, for several thresholds.

    Args:
        words: table with the columns time and label of all sounds in the recording that the bundle
            knows; None if it has none of them.

    Returns:
        Plain JSON values: seconds, hop, real_time_factor, and for each threshold false_alarms,
        their number per_hour, and their labels; with `words` also sounds and detected.

    Raises:
        UsageError, DataError: a file is not of that form.
    """
    from collections import Counter

    from ...runtime.detection import Detector, matched

    listener = Listener(runtime, None)
    labels = runtime.manifest.labels
    wanted = [] if words is None else _words_of(words, labels)
    detectors = [Detector(labels, threshold, listener.refractory) for threshold in thresholds]
    found: list[list[tuple[float, str]]] = [[] for _ in thresholds]
    for time, answer in listener.answers(path):
        for detector, own in zip(detectors, found, strict=True):
            detection = detector.update(answer.scores)
            if detection is not None:
                own.append((time, detection.label))
    rows: list[dict[str, Any]] = []
    for threshold, own in zip(thresholds, found, strict=True):
        detected, false = matched(own, wanted, listener.window)
        rows.append(
            {
                "threshold": threshold,
                "false_alarms": len(false),
                "per_hour": round(len(false) * _HOUR / listener.seconds, 2),
                "labels": dict(Counter(false).most_common()),
            }
            | ({} if words is None else {"sounds": len(wanted), "detected": detected})
        )
    return {
        "recording": str(path),
        "seconds": round(listener.seconds, 3),
        "hop": listener.hop,
        "real_time_factor": round(listener.real_time_factor, 5),
        "thresholds": rows,
    }


def _words_of(path: Path, labels: Sequence[str]) -> list[tuple[float, str]]:
    """Time and label of each row of a table."""
    from ...datasets import rows
    from ...datasets.sensor_rows import moment_of
    from ...errors import DataError

    found = []
    for line, row in rows.read(path, decimal_points=True):
        lacking = [name for name in ("time", "label") if name not in row]
        if lacking:
            raise DataError(
                f"{path}: no column {lacking[0]!r}; the columns are time, the middle of a sound in "
                "seconds, and label"
            )
        if row["label"] not in labels:
            raise DataError(f"{path}: line {line}: the bundle has no label {row['label']!r:.80}")
        try:
            found.append((moment_of(row["time"], "time"), row["label"]))
        except UsageError as error:
            raise DataError(f"{path}: line {line}: {error}") from None
    return found
