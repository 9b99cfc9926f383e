"""Generated inputs of each kind of features, as Python and as a browser get them."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from device_tests.sound_spectra import KINDS, RATES, recording, wav_file
from edge_experts.errors import UsageError
from edge_experts.features import (
    ArrayFeatures,
    Features,
    SoundFeatures,
    TableFeatures,
    TextFeatures,
)
from edge_experts.features.cells.column_kinds import (
    BooleanColumn,
    CategoryColumn,
    Column,
    DateColumn,
    NumberColumn,
)
from edge_experts.features.cells.gaps import SPELLINGS
from edge_experts.features.cells.numerals import FORMATS, NumberFormat
from edge_experts.features.log_mel import LogMel
from edge_experts.features.text import TextSettings
from edge_experts.format.npz import npz

_DATA = Path(__file__).parents[1] / "data"
_WORDS = (_DATA / "text" / "words_of_many_scripts.txt").read_text("utf-8").splitlines()
_CELLS = (_DATA / "tables" / "odd_cells.txt").read_text("utf-8").splitlines()
_SPACES = [*"    \t\n\x1c\x85\xa0\u2003\u3000\u200b\ufeff", ""]
_SIGNS = ("", "-", "+", "\u2212", "+ ")
_TAILS = ("", ".5", ",5", ",250", ".250", " 000", "'000", ".", "e3", "E-2", ",12,345")
_UNITS = ("cm", " cm", "%", " \u20ac", " kg", "m\u00b2")
_SCALES = ((0, 255), (0, 1), (-1, 1), (0, 100), (-3, 3), (0, 65_535), (0, 3000), (-4, 4))


def _code_point(chance: random.Random) -> str:
    top = chance.choice((0x80, 0x250, 0x3000, 0xD800, 0x11000, 0x20000, 0x110000))
    return chr(chance.randrange(top))


def texts(count: int, seed: int) -> list[str]:
    """Texts of many scripts and of random code points, lone surrogates among them."""
    chance = random.Random(seed)
    made = ["", " ", "a", "\u0301", "\ud800", "A" * 5000, "é" * 5000, "e\u0301" * 3000]
    while len(made) < count:
        parts: list[str] = []
        for _ in range(chance.randrange(1, 12)):
            odd = chance.random() < 0.4
            word = [_code_point(chance) for _ in range(chance.randrange(1, 6))] if odd else None
            parts += word or [chance.choice(_WORDS)]
            parts.append(chance.choice(_SPACES))
        made.append("".join(parts))
    # A pair of surrogates is one character of JavaScript, and two of Python.
    return [
        text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        for text in made[:count]
    ]


def text_features(examples: list[str]) -> Iterator[Features]:
    """Features that know the n-grams of these texts; of several sizes."""
    targets = np.arange(len(examples)) % 3
    for settings in (
        TextSettings(),
        TextSettings(length=16, word_bits=10, char_bits=8, char_ngrams=(2, 4), max_characters=60),
        TextSettings(word_ngrams=3, word_bits=12, char_bits=12, fine_bits=10, char_ngrams=(3, 3)),
    ):
        yield TextFeatures.fit(examples, targets, settings)


def table_features() -> Iterator[Features]:
    """Features of all kinds of columns and formats of numbers."""
    numbers = [
        NumberColumn(f"n{place}", NumberFormat(one.decimal, one.thousands, unit), bool(place % 2))
        for place, one in enumerate(FORMATS)
        for unit in (("", "cm", "%", "€")[place % 4],)
    ]
    columns: list[Column] = [
        *numbers,
        DateColumn("d0"),
        DateColumn("d1", True),
        BooleanColumn("b"),
        CategoryColumn("c0"),
        CategoryColumn("grün", kept=("-", "none")),
    ]
    rows = [
        {
            **{column.name: 1.5 * row - 2 for column in numbers},
            "d0": f"2024-01-{row + 1:02}",
            "d1": f"{row + 1}/2/2024",
            "b": bool(row % 2),
            "c0": ("red", "2", "Été", "true", "1.5")[row % 5],
            "grün": ("-", "none", "x", "10")[row % 4],
        }
        for row in range(12)
    ]
    yield TableFeatures.fit(rows, columns)
    yield TableFeatures.unscaled(rows, columns)


def _cell(chance: random.Random) -> Any:
    body = chance.choice(_SIGNS) + str(chance.randrange(10 ** chance.randrange(1, 8)))
    body += chance.choice(_TAILS)
    # Digits of Arabic.
    other = "".join(chr(ord(each) + 0x660 - 48) if each.isdigit() else each for each in body)
    made: tuple[Any, ...] = (
        chance.choice((None, True, False, 0, 1, 2, -0.0, 1e22, 1e-7, 1e31)),
        *(chance.randrange(-5, 5), chance.gauss(0, 100), body, body, other),
        *(body + chance.choice(_UNITS), f"\u20ac{body}", f"$ {body}", f" {body}\u00a0"),
        *(chance.choice(sorted(SPELLINGS)), chance.choice(sorted(SPELLINGS)).upper()),
        *(chance.choice(_CELLS), chance.choice(_CELLS), chance.choice(_CELLS)),
        chance.choice(_WORDS) + chr(chance.randrange(0xD800)),
    )
    return chance.choice(made)


def rows(count: int, seed: int, names: list[str]) -> list[dict[str, Any]]:
    """Rows whose cells mostly fit their columns, and odd ones."""
    chance = random.Random(seed)
    fitting = {"b": True, "c0": "red", "grün": "x", "d0": "2024-01-05", "d1": "1/2/2024"}
    made = []
    for _ in range(count):
        row: dict[str, Any] = {name: fitting.get(name, chance.gauss(3, 3)) for name in names}
        for name in chance.sample(names, chance.randrange(1, 4)):
            row[name] = _cell(chance)
        if chance.random() < 0.1:
            row["gru\u0308n"] = row.pop("grün")
        if chance.random() < 0.1:
            row.pop(chance.choice(list(row)))
        if chance.random() < 0.1:
            row["more"] = 1
        made.append(row)
    return made


def array_features() -> Iterator[Features]:
    """Features of images on several scales, of windows, and of rows of numbers."""
    chance = np.random.default_rng(1)
    byte = chance.integers(0, 256, (20, 8, 8)).astype(np.uint8)
    yield ArrayFeatures.fit(byte, channels=False)
    yield ArrayFeatures.fit(byte.astype(np.float32) / 255, channels=False)
    yield ArrayFeatures.fit(
        chance.integers(0, 256, (20, 6, 5, 3)).astype(np.float64), channels=True, kind="image"
    )
    yield ArrayFeatures.fit(
        chance.integers(0, 60_000, (20, 7, 7, 1)).astype(np.uint16), channels=True, kind="image"
    )
    yield ArrayFeatures.fit(chance.normal(0, 3, (20, 9, 2)).astype(np.float32), channels=True)
    yield ArrayFeatures.fit(chance.integers(-5, 6, (20, 4)), channels=True)
    yield ArrayFeatures.fit(chance.integers(0, 2, (20, 4)).astype(bool), channels=True)
    yield ArrayFeatures.unscaled((5, 2))


def arrays(count: int, seed: int, shape: tuple[int, ...]) -> list[Any]:
    """Arrays of several types, scales and shapes, some with gaps: numpy's, or lists as in JSON."""
    chance = np.random.default_rng(seed)
    made: list[Any] = []
    for _ in range(count):
        low, high = _SCALES[chance.integers(len(_SCALES))]
        array = np.asarray(chance.uniform(low, high, _shape(chance, shape)))
        if chance.random() < 0.5:
            array = np.asarray(np.round(array))
        if chance.random() < 0.1:
            array = np.repeat(array[..., None], 3, axis=-1)
        if chance.random() < 0.2:
            array = np.where(chance.random(array.shape) < 0.1, np.nan, array)
        if chance.random() < 0.1:
            array.flat[0] = 1e30
        if chance.random() < 0.4:
            made.append(_as_lists(array))
            continue
        kinds: list[Any] = [np.float32, np.float64]
        if np.isfinite(array).all() and (abs(array) < 2**31).all():
            kinds += [np.int32, *([np.uint8] * (high <= 255 and low >= 0))]
        made.append(np.asarray(array.astype(kinds[chance.integers(len(kinds))])))
    return made


def sound_features() -> Iterator[Features]:
    """Features of the rates that training chooses."""
    chance = np.random.default_rng(2)
    for rate in (8000, 16_000):
        log_mel = LogMel.of(rate, rate // 2)
        scales = chance.normal(5, 1, log_mel.bands), chance.uniform(0.5, 3, log_mel.bands)
        yield SoundFeatures(log_mel, *scales)


def sounds(count: int, seed: int) -> list[Any]:
    """WAV files of random length, level, rate and format, broken ones, and arrays of samples."""
    chance = np.random.default_rng(seed)
    made: list[Any] = []
    for place in range(count):
        rate = 44_101 if place == 0 else RATES[place * len(RATES) // count]
        kind, bits, dtype = KINDS[place % len(KINDS)]
        samples = recording(chance, rate, dtype)
        content = wav_file(samples, rate, kind, bits)
        odd = chance.integers(12)
        if odd == 0:
            content = content[: chance.integers(len(content))]
        if odd == 1:
            at = chance.integers(44)
            content = content[:at] + bytes([chance.integers(256)]) + content[at + 1 :]
        made.append(content)
        if odd == 2:
            made[-1] = (32768 * samples[:, 0]).clip(-40_000, 40_000).round().astype(np.int32)
        if odd == 3:
            made[-1] = np.zeros((1, 5), np.int16)
    return made


def _shape(chance: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Mostly the shape itself."""
    turned, reversed_ = shape[-1:] + shape[:-1], shape[::-1]
    others = (reversed_, turned, (1, *shape), (*shape, 1), (2, *shape), shape[:-1])
    return others[chance.integers(len(others))] if chance.random() < 0.2 else shape


def _as_lists(array: np.ndarray) -> Any:
    """Lists as a JSON parser gives them to both: null for gaps, and no difference of 1 and 1.0."""
    if array.ndim:
        return [_as_lists(each) for each in array]
    number = float(array)
    if np.isnan(number):
        return None
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def given(example: Any) -> Any:
    """An example as the page gets it, without loss: texts as code points, arrays as bytes."""
    if isinstance(example, str):
        return {"codes": [ord(each) for each in example]}
    if isinstance(example, bytes):
        return {"file": base64.b64encode(example).decode()}
    if isinstance(example, np.ndarray):
        content = base64.b64encode(np.ascontiguousarray(example).tobytes()).decode()
        return {"content": content, "dtype": example.dtype.name, "shape": list(example.shape)}
    if isinstance(example, dict):
        return {"entries": [[given(key), given(value)] for key, value in example.items()]}
    return {"plain": example}


def files(features: Features) -> dict[str, Any]:
    """Kind, settings and arrays of features, as a bundle stores them."""
    content = base64.b64encode(npz(**features.arrays)).decode()
    return {"kind": features.kind, "config": features.settings, "npz": content}


def by_python(features: Features, example: Any) -> Any:
    """Arrays of an example in base64 with the number of warnings, or "refused"."""
    warnings: list[str] = []
    try:
        made = features.encode(example, warnings)
    except UsageError:
        return "refused"
    encoded = {name: base64.b64encode(array.tobytes()).decode() for name, array in made.items()}
    return [encoded, len(warnings)]


BY_BROWSER = """
    const { readArrays } = await load("edge-experts/npz.js");
    const { restore } = await load("edge-experts/features/kinds.js");
    const TYPES = {
        float32: Float32Array, float64: Float64Array, int16: Int16Array, int32: Int32Array,
        uint8: Uint8Array,
    };
    const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
    const restored = (one) => {
        if (one.codes) return one.codes.map((code) => String.fromCodePoint(code)).join("");
        if (one.file !== undefined) return bytes(one.file).buffer;
        if (one.content !== undefined) {
            const data = new TYPES[one.dtype](bytes(one.content).buffer);
            return { data, shape: one.shape };
        }
        if (one.entries) return Object.fromEntries(one.entries.map((pair) => pair.map(restored)));
        return one.plain;
    };
    const packed = (array) => {
        let text = "";
        for (const byte of new Uint8Array(array.buffer)) text += String.fromCharCode(byte);
        return btoa(text);
    };
    const features = restore(given.files, await readArrays(bytes(given.files.npz)), "features");
    return given.examples.map((one) => {
        const warnings = [];
        try {
            const made = Object.entries(features.encode(restored(one), warnings));
            const arrays = made.map(([name, array]) => [name, packed(array)]);
            return [Object.fromEntries(arrays), warnings.length];
        } catch (error) {
            if (error.name !== "UsageError") throw error;
            return "refused";
        }
    });
"""
