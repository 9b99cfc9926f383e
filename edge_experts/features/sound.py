"""Sound of any length and rate: one window of it as a log-mel spectrum, standardized by band."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from ..format.manifest import CONTRACT
from .array import ArrayFeatures
from .array_input import numbers
from .fields import ANY, Fields, described
from .file_names import is_file
from .log_mel import GRID, LogMel
from .resampling import Resampler
from .wav_files import SUFFIXES, decode_wav, is_sound_name, read_wav

RULES = 1  # version of how samples become spectra
_LOW, _HIGH = -(2**15), 2**15 - 1
_BLOCK = 2**16  # samples whose energies are summed at once
_SILENT = "the sound is silent: all its samples are equal"


class SoundFeatures(ArrayFeatures):
    """Conversion of sound to `x`, (1, frames, bands) float32.

    An example is an array of samples, (any,) int16 at the rate of `log_mel`, or the bytes of a WAV
    file of any rate. Of a longer sound the loudest window is used (`window`).

    Args:
        log_mel: rate, window and bands.
        mean, deviation: of each band, in units of the natural logarithm.
    """

    kind = "sound"
    suffixes = SUFFIXES  # of files that are one example each
    media = "audio/"  # start of the media types of these files

    def __init__(self, log_mel: LogMel, mean: np.ndarray, deviation: np.ndarray):
        super().__init__(log_mel.shape, mean, deviation)
        self.log_mel = log_mel

    @classmethod
    def of_windows(
        cls, windows: np.ndarray, log_mel: LogMel, *, standardize: bool = True
    ) -> SoundFeatures:
        """Learn the scale of each band from windows, (windows, log_mel.samples) int16.

        Args:
            standardize: False to keep the logarithms, for networks trained on these.
        """
        mean, deviation = np.zeros(log_mel.bands), np.ones(log_mel.bands)
        if standardize:
            spectra = np.stack([log_mel.apply(window) for window in windows])
            mean = spectra.mean(axis=(0, 1)) / GRID
            spread = spectra.std(axis=(0, 1)) / GRID
            deviation = np.where(spread > 0, spread, 1.0)
        return cls(log_mel, mean, deviation)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> SoundFeatures:
        made = cls(LogMel.from_json(settings["log_mel"]), arrays["mean"], arrays["deviation"])
        for name, value in made.settings.items():
            if settings[name] != value:
                raise ValueError(f"{name} must be {value}")
        return made

    @property
    def settings(self) -> dict[str, Any]:
        contract = {"rules": RULES, "dtype": "int16", "range": [_LOW, _HIGH]}
        log_mel = self.log_mel.to_json()
        return {"shape": list(self._shape), "log_mel": log_mel, CONTRACT: contract}

    @property
    def fields(self) -> Fields:
        return {"x": (np.int16, (ANY,))}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        (x,) = described(self.fields)
        seconds = f"{self.log_mel.samples / self.log_mel.rate:g} s at {self.log_mel.rate} Hz"
        return [x | {"range": [_LOW, _HIGH], "kind": "sound", "window": seconds}]

    def pack(self, examples: Sequence[Any]) -> np.ndarray:
        """Pack the windows that are used, (examples, log_mel.samples) int16."""
        return np.stack([self.window(example) for example in examples])

    def parse(self, line: str) -> Any:
        """Read the WAV file that the line names, or samples in JSON.

        Raises:
            UsageError: the file does not exist or is no WAV file, or the line is not JSON.
        """
        text = line.strip()
        if text.startswith("[") and not is_sound_name(text):
            return super().parse(text)
        if not is_sound_name(text) and not is_file(Path(text)):
            raise UsageError(f"{text!r:.200}: no .wav file, and no array in JSON")
        return self.resampled(*read_wav(Path(text)))

    def encode(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Compute and standardize the spectrum of one window.

        Raises:
            UsageError: the example is no array of whole numbers of 16 bits, and no WAV file.
        """
        window = self.window(example)
        if warnings is not None and (window == window[0]).all():
            warnings.append(_SILENT)
        logarithms = self.log_mel.apply(window).astype(np.float32) / np.float32(GRID)
        return {"x": ((logarithms - self._mean) / self._deviation)[None]}

    def window(self, example: Any) -> np.ndarray:
        """The window of a sound that is used, (log_mel.samples,) int16.

        A shorter sound stands in the middle of silence. Of a longer one it is the window with the
        most energy, among those that begin at a multiple of the hop.

        Raises:
            UsageError: see `encode`.
        """
        samples = self._samples(example)
        missing = self.log_mel.samples - len(samples)
        if missing >= 0:
            return np.pad(samples, (missing // 2, missing - missing // 2))
        starts = np.arange(0, 1 - missing, self.log_mel.hop)
        ends = starts + self.log_mel.samples
        start = starts[np.argmax(_energies(samples, ends) - _energies(samples, starts))]
        return samples[start : start + self.log_mel.samples]

    def resampled(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """Convert all samples of a sound, (n,) int16, to the rate of the features."""
        resampler = Resampler(rate, self.log_mel.rate)
        return np.concatenate([resampler.feed(samples), resampler.finish()])

    def _samples(self, example: Any) -> np.ndarray:
        """Samples of an example, (n,) int16, at the rate of the features."""
        if isinstance(example, bytes):
            return self.resampled(*decode_wav(example, "x"))
        array = numbers(example)
        array = array.reshape(-1) if array.ndim == 2 and 1 in array.shape else array
        if array.ndim != 1 or not array.size:
            raise UsageError(
                f"x: a sound must have the shape (samples,), got {array.shape}; give the mean of "
                "its channels"
            )
        if array.dtype == np.int16:
            return array
        if not (array.min() >= _LOW and array.max() <= _HIGH and (array == np.floor(array)).all()):
            raise UsageError(
                f"x: samples must be whole numbers from {_LOW:,} to {_HIGH:,} (int16), at "
                f"{self.log_mel.rate:,} a second; multiply floats from -1 to 1 by {2**15:,}"
            )
        return array.astype(np.int16)


def _energies(samples: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Sums of the squares of all samples before ascending places, int64.

    In blocks: a long file would take 16 bytes of memory for each sample.
    """
    found, total = np.zeros(len(places), np.int64), 0
    for begin in range(0, len(samples), _BLOCK):
        wide = samples[begin : begin + _BLOCK].astype(np.int64)
        sums = np.cumsum(wide * wide)
        first, last = np.searchsorted(places, [begin, begin + len(wide)], side="right")
        found[first:last] = total + sums[places[first:last] - begin - 1]
        total += int(sums[-1])
    return found
