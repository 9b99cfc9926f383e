"""Inputs from files and streams, in the formats of training data; each is an example or a problem.

A table (.csv, .tsv) has one example per row, without the columns that training uses for targets and
splits; an .npz has them in x_test, x or x_train; an .npy along its first axis; a .jsonl one JSON
value per line; and any other file one line each. An image file is one example.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import DataError, UsageError
from ..features import Features
from ..features.frames import FrameFormat
from ..features.sensor_stream import SensorStream
from ..format.limits import LIMITS
from ..format.strict_json import example_json
from . import npz_files, rows
from .encodings import decode_line, encoding_of, open_text
from .file_walk import files_below, is_folder
from .input_record import Input
from .sensor_rows import windows_of_file, windows_of_lines

_ARRAYS = ("x_test", "x", "x_train")
_BESIDE = ("y", "labels", "groups")  # prefixes of names of arrays that are not inputs
_JSON_LINES = (".jsonl", ".ndjson")
_HEAD = 4096  # bytes to detect the encoding from
_SKIPPED = 2**30  # bytes of a line after which its end is no longer awaited
_ELSEWHERE = {"to": "label"}  # fields with another column name in training files


@dataclass(frozen=True)
class InputReader:
    """Reads inputs for a bundle.

    Attributes:
        features: of the bundle.
        given: values of fields for all inputs, such as the language to translate to.
        not_inputs: columns of a table that the training left out.
    """

    features: Features
    given: Mapping[str, Any] = field(default_factory=dict)
    not_inputs: Sequence[str] = ()

    def file(self, path: Path) -> Iterator[Input]:
        """Yield the inputs of a file, which is opened when the first one is requested.

        A pipe, such as a shell's <(command), is read as stdin: line by line.

        Raises:
            UsageError: the file does not exist, or does not fit the bundle's inputs.
        """
        if path.is_dir() and self._suffixes:
            return self._files(path)
        if path.is_dir():
            raise UsageError(f"--input {path}: is a folder; name a file")
        if not path.exists():
            raise UsageError(f"--input {path}: no such file")
        if not path.is_file():
            return self._pipe(path)
        suffix = path.suffix.lower()
        if suffix in self._suffixes:
            return iter([self._file(path, 1)])
        if suffix in rows.SUFFIXES and self._cut is not None:
            return windows_of_file(path, *self._cut)
        if suffix in rows.SUFFIXES:
            return self._table(path)
        if suffix in (".npy", ".npz"):
            return self._arrays(path)
        return self._lines(path, self.json if suffix in _JSON_LINES else self.line)

    def arguments(self, texts: Sequence[str]) -> Iterator[Input]:
        """Yield the inputs of arguments: a folder has all its files, another text is one input.

        Raises:
            UsageError: an argument cannot be read; a broken file of a folder is a problem instead.
        """
        for number, text in enumerate(texts, 1):
            if self._suffixes and is_folder(text):
                yield from self._files(Path(text))
            else:
                yield Input(text, "", number, self.line(text))

    def frames(self, stream: BinaryIO, name: str, frames: FrameFormat) -> Iterator[Input]:
        """Yield the frames of a camera's stream, each as it comes; an incomplete one is a problem.

        Raises:
            UsageError: the bundle does not take arrays.
        """
        if list(self.features.fields) != ["x"]:
            raise UsageError("--frames is for bundles of photos")
        number = 0
        while content := stream.read(frames.size):
            number += 1
            make = partial(Input, f"frame {number}", f"{name}: frame {number}", number)
            if len(content) == frames.size:
                yield make(frames.pixels(content))
                continue
            yield make(
                problem=UsageError(
                    f"has {len(content):,} of {frames.size:,} bytes: the stream ended within a "
                    "frame, or its frames have another size or format"
                )
            )

    def sensor_rows(self, stream: BinaryIO, name: str) -> Iterator[Input]:
        """Yield the windows of a stream of comma-separated rows, each as its last row comes.

        Raises:
            UsageError: the bundle was not trained on recordings, or rows have other columns.
        """
        if self._cut is None:
            raise UsageError("--stream is for bundles of recordings (train --window)")

        def lines() -> Iterator[tuple[int, str | UsageError]]:
            for number, line in enumerate(_raw_lines(stream, name), 1):
                if isinstance(line, UsageError):
                    yield number, line
                    continue
                try:
                    yield number, decode_line(line, name, number)
                except UsageError as error:
                    yield number, error

        return windows_of_lines(lines(), name, *self._cut)

    @property
    def _cut(self) -> tuple[SensorStream, int] | None:
        """How windows are cut from rows, and their length; None for other bundles."""
        stream: SensorStream | None = getattr(self.features, "stream", None)
        return None if stream is None else (stream, self.features.fields["x"][1][0])

    @property
    def _suffixes(self) -> tuple[str, ...]:
        """Ends of the names of files that are one example each."""
        found: tuple[str, ...] = getattr(self.features, "suffixes", ())
        return found

    def _files(self, folder: Path) -> Iterator[Input]:
        number = 0
        for path in files_below(folder):
            if path.suffix.lower() in self._suffixes:
                number += 1
                yield self._file(path, number)
        if not number:
            raise UsageError(f"{folder}: has no file in {', '.join(self._suffixes)}")

    def _file(self, path: Path, number: int) -> Input:
        try:
            return Input(str(path), str(path), number, self.line(str(path)))
        except UsageError as error:
            return Input(str(path), str(path), number, problem=error)

    def stream(self, stream: BinaryIO, name: str) -> Iterator[Input]:
        """Yield the inputs of a stream of lines in UTF-8, each as it comes.

        Raises:
            UsageError: the stream has another encoding, or a line is endless.
        """
        return _parsed(_raw_lines(stream, name), name, self.line)

    def _pipe(self, path: Path) -> Iterator[Input]:
        with path.open("rb") as stream:
            yield from self.stream(stream, str(path))

    def line(self, text: str) -> Any:
        """Parse a line of text to an example."""
        return self.features.parse(text, **self.given)

    def json(self, text: str) -> Any:
        """Parse a line of JSON to an example; a text or an object of fields is accepted too."""
        fields = self.features.fields
        if set(fields) <= {"text", *self.given}:
            value = _json(text)
            if isinstance(value, str):
                return self.line(value)
            if isinstance(value, Mapping) and "text" in value:
                return self.features.put_together({**self.given, **value})
            raise UsageError(f'must be a text in quotes, or {{"text": ...}}, got {text!r:.40}')
        return self.line(text)

    def _lines(self, path: Path, parse: Callable[[str], Any]) -> Iterator[Input]:
        with path.open("rb") as file:
            encoding = encoding_of(file.read(_HEAD), str(path))
            file.seek(0)
            if encoding in ("utf-8", "utf-8-sig"):
                yield from _parsed(_raw_lines(file, str(path)), str(path), parse)
                return
        with open_text(path) as text:
            yield from _parsed((line.rstrip("\n").encode() for line in text), str(path), parse)

    def _table(self, path: Path) -> Iterator[Input]:
        wanted = set(self.features.fields) - set(self.given)
        points = getattr(self.features, "decimal_commas", False)  # of tables of 0.1.0
        broken: list[Input] = []

        def note(line: int, error: DataError) -> None:
            where = f"{path}: line {line}"
            broken.append(Input(f"{path.name}:{line}", where, line, problem=error))

        for line, row in rows.read(path, decimal_points=points, broken=note):
            yield from broken
            broken.clear()
            for name in wanted - set(row):
                if name in _ELSEWHERE and _ELSEWHERE[name] in row:
                    row[name] = row[_ELSEWHERE[name]]
            missing = sorted(wanted - set(row))
            if missing:
                raise DataError(
                    f"{path}: no column {', '.join(missing)} in its header, which the bundle "
                    f"takes; found: {', '.join(row)}"
                )
            parts = {
                name: cell for name, cell in row.items() if name in wanted or self._other(name)
            }
            where = f"{path.name}:{line}"
            example = self.features.put_together({**self.given, **parts})
            yield Input(where, f"{path}: line {line}", line, example)
        yield from broken

    def _other(self, name: str) -> bool:
        """True for columns that training does not use for targets or splits, nor leaves out."""
        known = name in rows.NAMED or rows.TARGET.fullmatch(name) or name in self.not_inputs
        return not known

    def _arrays(self, path: Path) -> Iterator[Input]:
        fields = self.features.fields
        if list(fields) != ["x"]:
            raise DataError(
                f"{path}: holds arrays, and the bundle takes {', '.join(fields)}; give a .csv or "
                "lines of text"
            )
        for place, array in enumerate(_array(path)):
            name = f"{path.name}[{place}]"
            yield Input(name, f"{path}[{place}]", place + 1, array)


def _array(path: Path) -> np.ndarray:
    if path.suffix.lower() == ".npy":
        return npz_files.read_one(path)
    names = npz_files.array_names(path)
    others = [name for name in names if not name.startswith(_BESIDE)]
    known = [name for name in _ARRAYS if name in names] or others
    if len(known) != 1 and known[0] not in _ARRAYS:
        raise DataError(f"{path}: name the array of inputs x, or x_test; found: {', '.join(names)}")
    return npz_files.read(path, known[:1])[0]


def _parsed(
    raw: Iterator[bytes | UsageError], name: str, parse: Callable[[str], Any]
) -> Iterator[Input]:
    for number, line in enumerate(raw, 1):
        make = partial(Input, where=f"{name}: line {number}", number=number)
        text = ""
        try:
            if isinstance(line, UsageError):
                raise line
            text = decode_line(line, name, number)
            example = parse(text)
        except UsageError as error:
            yield make(text, problem=error)
        else:
            yield make(text, example=example)


def _raw_lines(stream: BinaryIO, name: str) -> Iterator[bytes | UsageError]:
    """Yield lines without their ends, as they come; an error for each line that is too long."""
    most, is_first = LIMITS.line_characters, True
    while line := stream.readline(most + 1):
        if is_first and encoding_of(line[:_HEAD], name) not in ("utf-8", "utf-8-sig"):
            raise DataError(f"{name}: in UTF-16 or UTF-32; convert it: iconv -f utf-16 -t utf-8")
        is_first = False
        if len(line) > most and not line.endswith(b"\n"):
            _skip(stream, name)
            yield UsageError(f"a line must have at most {most:,} characters; break it")
        else:
            yield line.rstrip(b"\r\n")


def _skip(stream: BinaryIO, name: str) -> None:
    """Skip the rest of a line."""
    skipped = 0
    while part := stream.readline(2**20):
        if part.endswith(b"\n"):
            return
        skipped += len(part)
        if skipped > _SKIPPED:
            raise UsageError(f"{name}: a line does not end; break it into lines")


def _json(text: str) -> Any:
    try:
        return example_json(text)
    except ValueError as error:
        raise UsageError(f"not JSON: {text[:40]!r}: {error}") from None
