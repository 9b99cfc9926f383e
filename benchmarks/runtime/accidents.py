"""Fault injection into files: bits, sectors and whole files that are lost, changed or swapped."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

SECTOR = 512  # bytes that storage loses or swaps at once

Mutation = Callable[[random.Random, Path, Path], None]  # random numbers, a file, another file


def flip_bits(dice: random.Random, path: Path, __: Path) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        content[dice.randrange(len(content))] ^= 1 << dice.randrange(8)
    path.write_bytes(content)


def truncate(dice: random.Random, path: Path, _: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: dice.choice((0, dice.randrange(len(content)), len(content) - 1))])


def extend(dice: random.Random, path: Path, _: Path) -> None:
    more = dice.choice((1, SECTOR, dice.randrange(1, 5000)))
    path.write_bytes(path.read_bytes() + dice.choice((bytes(more), dice.randbytes(more))))


def zero_sector(dice: random.Random, path: Path, _: Path) -> None:
    content = bytearray(path.read_bytes())
    start = dice.randrange(0, len(content), SECTOR)
    content[start : start + SECTOR] = bytes(len(content[start : start + SECTOR]))
    path.write_bytes(content)


def swap_sectors(dice: random.Random, path: Path, _: Path) -> None:
    content = path.read_bytes()
    sectors = [content[start : start + SECTOR] for start in range(0, len(content), SECTOR)]
    first, second = dice.randrange(len(sectors)), dice.randrange(len(sectors))
    sectors[first], sectors[second] = sectors[second], sectors[first]
    path.write_bytes(b"".join(sectors))


def foreign_sector(dice: random.Random, path: Path, other: Path) -> None:
    content, strange = bytearray(path.read_bytes()), other.read_bytes()
    start = dice.randrange(0, len(content), SECTOR)
    begin = dice.randrange(0, len(strange), SECTOR)
    length = len(content[start : start + SECTOR])
    content[start : start + length] = strange[begin : begin + length].ljust(length, b"\0")
    path.write_bytes(content)


def swap_files(_: random.Random, path: Path, other: Path) -> None:
    first, second = path.read_bytes(), other.read_bytes()
    path.write_bytes(second)
    other.write_bytes(first)


def remove(_: random.Random, path: Path, __: Path) -> None:
    path.unlink()


def edit_manifest(dice: random.Random, path: Path, __: Path) -> None:
    """Replace, insert or remove bytes of the manifest, which is `path` here."""
    content = bytearray(path.read_bytes())
    for _ in range(dice.choice((1, 1, 2, 3))):
        start, length = dice.randrange(len(content)), dice.choice((0, 1, 1, 3))
        written = dice.choice(
            (dice.randbytes(length), b"0", b"1", b"9", b'"', b"-", b" ", b",", b"")
        )
        content[start : start + length] = written
    path.write_bytes(content)


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    truncate,
    extend,
    zero_sector,
    swap_sectors,
    foreign_sector,
    swap_files,
    remove,
    edit_manifest,
)
