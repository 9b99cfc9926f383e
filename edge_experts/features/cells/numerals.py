"""Spellings of numbers: decimal comma, thousands separators, units, percent, currencies."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

LARGEST = 1e30  # squares of larger numbers overflow; no measurement is as large
_SPACES = dict.fromkeys(map(ord, "\u00a0\u202f\u2009\u2007\u2008"), " ")
_SIGNS = {0x2212: "-", 0x2019: "'", 0xFF0B: "+", 0xFF0D: "-", 0xFF0E: ".", 0xFF0C: ","}
_CURRENCY = (
    r"(?:US\$|[$\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u20ba\u20aa]|CHF|EUR|USD|GBP|JPY|CNY|INR|AUD|CAD|SEK"
    r"|NOK|DKK|PLN|CZK|BRL|ZAR)"
)
_BEGIN = r"[^\W\d_]|[\u00b0%\u2030$\u20ac\u00a3\u00a5\u20b9]"
_LETTER = r"[^\W\d_]|[\u00b0%\u2030/\u00b7\u00b2\u00b3\u00b9\u207b^$\u20ac\u00a3\u00a5\u20b9]"
_NUMERAL = re.compile(
    rf"(?P<sign>[+-]?) ?(?P<currency>{_CURRENCY})? ?(?P<inner>[+-]?)"
    r"(?P<body>[.,]?[0-9](?:[0-9., ']*[0-9.,])?)(?P<exponent>[eE][+-]?[0-9]+)?"
    rf" ?(?P<unit>(?:{_BEGIN})(?:{_LETTER}|[. ]){{0,14}}(?:[-^]?[0-9])?)?"
)
_PLAIN = re.compile(
    r"(?P<sign>[+-]?)(?P<body>[0-9]+\.?[0-9]*|\.[0-9]+)(?P<exponent>[eE][+-]?[0-9]+)?"
)
_INFINITE = re.compile(r"[+-]?(?:inf|infinity|\u221e|1\.#inf)", re.IGNORECASE)
_OF_PROGRAMS = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+(?:_[0-9]+)+)")
_AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")


@dataclass(frozen=True)
class Numeral:
    """Parts of a cell that looks like a number.

    Attributes:
        body: digits and separators, without the sign.
        exponent: decimal exponent with its e; or "".
        unit: "" without one; a currency before the number counts as one.
    """

    negative: bool
    body: str
    exponent: str
    unit: str


@dataclass(frozen=True)
class NumberFormat:
    """Format of the numbers in a column.

    Attributes:
        decimal: "." or ",".
        thousands: separator of groups of digits: "", ",", ".", " " or "'".
        unit: text after or before the number in every cell, such as "cm", "%" or "EUR".
    """

    decimal: str = "."
    thousands: str = ""
    unit: str = ""

    def number(self, text: str) -> float | None:
        """Parse the number in a cell; None for another format. Infinite numbers are inf.

        A cell without the unit is accepted, like a number in JSON; a cell with another unit is not.
        """
        text = normalized(text)
        if self.decimal == "." and _PLAIN.fullmatch(text):
            return float(text)
        if _INFINITE.fullmatch(text):
            return -float("inf") if text[0] == "-" else float("inf")
        numeral = parts(text)
        if numeral is None or numeral.unit not in ("", self.unit) or not self.takes(numeral.body):
            return None
        digits = numeral.body.replace(self.thousands, "") if self.thousands else numeral.body
        value = float(digits.replace(self.decimal, ".") + numeral.exponent)
        return -value if numeral.negative else value

    def takes(self, body: str) -> bool:
        """Test for digits and separators that are written in this format."""
        return _pattern(self.decimal, self.thousands).fullmatch(body) is not None

    def example(self) -> str:
        """Format a sample number, for messages."""
        grouped = f"1{self.thousands}234{self.decimal}5"
        return f"{grouped} {self.unit}" if self.unit else grouped

    def to_json(self) -> dict[str, str]:
        return {"decimal": self.decimal, "thousands": self.thousands, "unit": self.unit}

    @classmethod
    def from_json(cls, content: Mapping[str, str]) -> NumberFormat:
        """Restore the format that `to_json` described.

        Raises:
            ValueError: it is not such a description.
        """
        made = cls(content["decimal"], content["thousands"], content["unit"])
        known = (made.decimal, made.thousands) in {(one.decimal, one.thousands) for one in FORMATS}
        if not known or not isinstance(made.unit, str) or len(made.unit) > 20:
            raise ValueError(f"format must be of {FORMATS}, got {content}")
        return made


# The first format that fits all cells of a column is used.
FORMATS = tuple(
    NumberFormat(decimal, thousands)
    for decimal, thousands in (
        *((".", ""), (".", ","), (".", " "), (".", "'")),
        *((",", ""), (",", "."), (",", " "), (",", "'")),
    )
)


def normalized(text: str) -> str:
    """Convert a cell to ASCII digits, signs and spaces, stripped."""
    if text.isascii():
        return text.strip()
    text = text.translate(_SPACES).translate(_SIGNS).strip()
    return "".join(
        str(unicodedata.decimal(character)) if character.isdecimal() else character
        for character in text
    )


def parts(text: str) -> Numeral | None:
    """Split a normalized cell that looks like a number, in any format; None for others."""
    match = _PLAIN.fullmatch(text)
    if match is not None:
        return Numeral(match["sign"] == "-", match["body"], match["exponent"] or "", "")
    match = _NUMERAL.fullmatch(text)
    if match is None or (match["sign"] and match["inner"]):
        return None
    unit, currency = (match["unit"] or "").strip(), match["currency"] or ""
    hexadecimal = match["body"] == "0" and unit[:1].lower() in ("x", "b", "o") and len(unit) > 1
    if hexadecimal or (unit and currency):
        return None
    negative = "-" in (match["sign"], match["inner"])
    return Numeral(negative, match["body"], match["exponent"] or "", unit or currency)


def is_of_programs(text: str) -> bool:
    """Test for spellings of programs or accountants: 0x1F, 1_000, (1.50)."""
    if text[:1] == "(" and text[-1:] == ")":
        return parts(normalized(text[1:-1])) is not None
    return _OF_PROGRAMS.fullmatch(text) is not None


def is_ambiguous(body: str) -> bool:
    """Test for digits that are a thousand times as large in another format: 1,234 or 1.234."""
    return _AMBIGUOUS.fullmatch(body) is not None


@lru_cache
def _pattern(decimal: str, thousands: str) -> re.Pattern[str]:
    point, group = re.escape(decimal), re.escape(thousands)
    whole = "[0-9]+"
    if thousands:
        # The second pattern: lakhs and crores, 12,34,567.
        whole += f"|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+"
        whole += f"|[1-9][0-9]?(?:{group}[0-9]{{2}})+{group}[0-9]{{3}}"
    return re.compile(rf"(?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+")
