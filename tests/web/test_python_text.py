"""Text functions of the JavaScript runtime beside Python's, for all characters and many numbers."""

from __future__ import annotations

import random
import struct
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from edge_experts.features.cells.booleans import _WORDS
from edge_experts.features.cells.gaps import SPELLINGS

from .conftest import Visiting

# Not characters that another version of Unicode may know.
KNOWN = {code for code in range(0x110000) if unicodedata.category(chr(code)) != "Cn"}


@pytest.fixture
def run(tiny_site: Path, visit: Visiting) -> Any:
    """Runs a script with the functions of python_text.js as `text`."""
    visited = visit(tiny_site)
    visited.open()
    start = "const text = await load('edge-experts/python_text.js'); const found = [];"
    each = "for (let code = 0; code < 0x110000; code += 1)"
    return lambda script, given=None: visited.run(f"{start}{script.replace('EACH', each)}", given)


def _numbers() -> list[float]:
    chance = random.Random(0)
    made = [
        0.0,
        -0.0,
        1.0,
        0.1,
        1e16,
        1e15,
        123456.0,
        999999.5,
        1e-4,
        1e-5,
        5e-324,
        1.7976931348623157e308,
    ]
    while len(made) < 3000:
        (number,) = struct.unpack("<d", chance.randbytes(8))
        if abs(number) < 1e309:  # not NaN or infinite
            made.append(number)
        made.append(round(chance.gauss(0, 10 ** chance.randrange(-6, 18)), chance.randrange(8)))
    return [float(number) for number in made]


def test_numbers_are_written_as_by_python(run: Any) -> None:
    numbers = _numbers()
    # Texts, as the way to the page has no minus zero.
    texts = list(map(repr, numbers))
    assert run("return given.map((one) => text.pythonFloat(Number(one)));", texts) == texts
    found = run("return given.map((one) => text.general(Number(one)));", texts)
    assert found == [f"{one:g}" for one in numbers]


def test_decimal_digits_have_their_values(run: Any) -> None:
    script = """EACH {
            const value = text.decimal(String.fromCodePoint(code));
            if (value !== null) found.push([code, value]);
        }
        return found;"""
    expected = {
        code: unicodedata.decimal(chr(code)) for code in range(0x110000) if chr(code).isdecimal()
    }
    found = {code: value for code, value in run(script) if code in KNOWN}
    assert found == expected


def test_white_space_is_stripped_as_by_python(run: Any) -> None:
    script = """EACH if (text.strip(String.fromCodePoint(code)) === "") found.push(code);
        return found;"""
    assert run(script) == [code for code in range(0x110000) if chr(code).isspace()]


def test_case_is_folded_to_words_as_by_python(run: Any) -> None:
    letters = set("".join([*SPELLINGS, *_WORDS]))
    script = """EACH {
            const folded = text.casefold(String.fromCodePoint(code));
            if ([...folded].every((each) => given.includes(each))) found.push([code, folded]);
        }
        return found;"""
    expected = {
        code: chr(code).casefold() for code in KNOWN if set(chr(code).casefold()) <= letters
    }
    found = run(script, "".join(letters))
    assert {code: folded for code, folded in found if code in KNOWN} == expected
