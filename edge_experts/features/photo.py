"""Photos of any size: resized to one size by whole numbers, then standardized."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UsageError
from .array import ArrayFeatures
from .array_input import numbers
from .array_rules import ContractArrays, PlainArrays
from .fields import ANY, Fields, described
from .file_names import is_file
from .photo_files import SUFFIXES, decode_photo, is_photo_name, read_photo
from .resizing import Resizing

_BYTE = 255


class PhotoFeatures(ArrayFeatures):
    """Conversion of decoded photos to `x`, (1, height, width, channels) float32.

    An example is an array of bytes, (height, width) or (height, width, channels) of any size, as
    `Resizing.apply` takes them, or the bytes of an image file. An array of the final size may also
    hold fractions from 0 to 1.

    Args:
        resizing: size and policy.
        mean, deviation: one for each channel, or scalars.
    """

    kind = "photo"
    extras = ("images",)  # for `deploying`
    suffixes = SUFFIXES  # of files that are one example each
    media = "image/"  # start of the media types of these files

    def __init__(
        self,
        resizing: Resizing,
        mean: np.ndarray,
        deviation: np.ndarray,
        rules: PlainArrays | None = None,
    ):
        super().__init__(resizing.shape, mean, deviation, rules)
        self.resizing = resizing

    @classmethod
    def of_photos(
        cls,
        photos: np.ndarray,
        resizing: Resizing,
        *,
        scale: tuple[float, float] | None = None,
    ) -> PhotoFeatures:
        """Learn the scale of each channel from resized photos, (photos, *resizing.shape) uint8.

        Args:
            scale: mean and deviation of numbers from 0 to 255, for networks trained on these;
                None: those of each channel.
        """
        if scale is None:
            fit = ArrayFeatures.fit(photos, channels=True, kind="image")
            mean, deviation = (fit.arrays[name] for name in ("mean", "deviation"))
        else:
            mean, deviation = (np.full(resizing.channels, number) for number in scale)
        plain = cls(resizing, mean, deviation)
        rules = ContractArrays.of(photos, "image", plain._mean, plain._deviation)
        return cls(resizing, mean, deviation, rules)

    @classmethod
    def restore(
        cls, settings: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> PhotoFeatures:
        resizing = Resizing.from_json(settings["resizing"])
        if settings["shape"] != list(resizing.shape):
            raise ValueError(f"shape must be {list(resizing.shape)}, as resizing says")
        plain = cls(resizing, arrays["mean"], arrays["deviation"])  # validates them
        rules = ContractArrays.restore(settings, arrays, plain._mean, plain._deviation)
        return cls(resizing, arrays["mean"], arrays["deviation"], rules)

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "resizing": self.resizing.to_json()}

    @property
    def fields(self) -> Fields:
        return {"x": (np.uint8, (ANY, ANY, self.resizing.channels))}

    @property
    def inputs(self) -> list[dict[str, Any]]:
        (x,) = described(self.fields)
        size = f"{self.resizing.width} x {self.resizing.height}"
        return [x | {"range": [0, _BYTE], "kind": "photo", self.resizing.policy: size}]

    def pack(self, examples: Sequence[Any]) -> np.ndarray:
        """Pack examples after resizing, (examples, *shape) uint8."""
        return np.stack([self.resizing.apply(self._bytes_of(example)) for example in examples])

    def parse(self, line: str) -> Any:
        """Read the image file that the line names, or an array in JSON.

        Raises:
            UsageError: the file does not exist or is no image, or the line is not JSON.
            MissingExtraError: Pillow is not installed.
        """
        text = line.strip()
        if text.startswith("[") and not is_photo_name(text):
            return super().parse(text)
        if not is_photo_name(text) and not is_file(Path(text)):
            raise UsageError(f"{text!r:.200}: no image file, and no array in JSON")
        return read_photo(Path(text), self.resizing)

    def encode(self, example: Any, warnings: list[str] | None = None) -> dict[str, np.ndarray]:
        """Resize and standardize a photo.

        Raises:
            UsageError: it is no array of bytes from 0 to 255, no image, or has too many pixels.
            MissingExtraError: it is an image file, and Pillow is not installed.
        """
        if isinstance(example, bytes):
            example = decode_photo(example, "x", self.resizing)
        if isinstance(example, np.ndarray) and example.dtype == np.uint8:
            pixels = self.resizing.apply(example)
            return {"x": ((pixels - self._mean) / self._deviation)[None]}
        array = numbers(example)
        if array.shape == self._shape:
            return super().encode(array, warnings)
        return self.encode(self._bytes_of(array), warnings)

    def _bytes_of(self, example: Any) -> np.ndarray:
        """Convert whole numbers from 0 to 255, or an image file, to pixels of bytes."""
        if isinstance(example, bytes):
            return decode_photo(example, "x", self.resizing)
        array = numbers(example)
        if array.dtype == np.uint8:
            return array
        low, high = (array.min(), array.max()) if array.size else (0, 0)
        if not (low >= 0 and high <= _BYTE) or not (array == np.floor(array)).all():
            raise UsageError(
                "x: a photo of another size than the network's must have whole numbers from 0 to "
                f"{_BYTE}, got {low:g} to {high:g}; give bytes (uint8)"
            )
        return array.astype(np.uint8)
