"""Dates and times: detection, so that times do not become features by accident, and ordering."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from .numerals import NumberFormat

_CLOCK = r"(?P<hour>\d\d?):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<part>\d{1,9}))?)?"
_HALF = r"(?: ?(?P<half>[ap])\.?m\.?)?"
_ZONE = r"(?: ?(?P<zone>z|utc|gmt|[+-]\d\d:?(?:\d\d)?))?"
_TIME = rf"{_CLOCK}{_HALF}{_ZONE}"
_AFTER = rf"(?:,? +{_TIME})?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"(?P<year>\d{{4}})[-/.](?P<month>\d\d?)[-/.](?P<day>\d\d?)(?:(?:[t_]| +){_TIME})?",
        r"(?P<year>\d{4})[-/](?P<month>\d\d?)",
        r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)"
        rf"t(?P<hour>\d\d)(?P<minute>\d\d)(?P<second>\d\d)?{_ZONE}",
        rf"(?P<first>\d\d?)(?P<mark>[./-])(?P<next>\d\d?)[./-](?P<year>\d{{4}}|\d\d){_AFTER}",
        rf"(?:[a-z]{{3,9}},? )?(?P<day>\d\d?)\.?[ -]{_MONTH}[ ,-]+(?P<year>\d{{4}}){_AFTER}",
        rf"(?:[a-z]{{3,9}},? )?{_MONTH} (?P<day>\d\d?),? (?P<year>\d{{4}}){_AFTER}",
        _TIME,
    )
)
_DIGITS = re.compile(r"[+-]?\d*[.,]?\d*")  # at most a number
_DAY = re.compile(r"(?:19|20)\d{6}")
# Seconds, milliseconds, microseconds and nanoseconds since 1970, between 2001 and 2099.
_EPOCHS = tuple((1e9 * unit, 4.1e9 * unit) for unit in (1, 1e3, 1e6, 1e9))
_CLOCK_NAME = re.compile(
    r"(?:.*[^a-z])?(?:t|ts|times?|timestamps?|datetime|date|day|epoch|unix|unixtime|clock|utc|tick"
    r"|seconds?|secs?|ms|millis|milliseconds?|minutes?|hours?|elapsed|uptime|frame|created|updated"
    r"|zeit|datum|zeitstempel|fecha|heure)(?:[^a-z].*)?",
    re.IGNORECASE,
)


def is_date(text: str) -> bool:
    """Test for a date, a time of day, or both."""
    return _parts(text) is not None


def is_clock_name(name: str) -> bool:
    """Test for a column name that suggests times."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return _CLOCK_NAME.fullmatch(split) is not None


def are_days(texts: Sequence[str]) -> bool:
    """Test that every cell is a day written as 20240131."""
    return bool(texts) and all(_DAY.fullmatch(text) and _compact(text) for text in texts)


def are_epochs(values: Sequence[float]) -> bool:
    """Test for numbers that can all be times since 1970, in one unit."""
    low, high = min(values), max(values)
    return any(start <= low and high <= end for start, end in _EPOCHS)


def has_month_first(texts: Sequence[str]) -> bool | None:
    """Test for dates with the month first, as 3/14/2024; None if the order is ambiguous.

    False if the day comes first, or if no date has another order.
    """
    found = [one for text in texts if (one := _parts(text)) and "first" in one]
    firsts, nexts = ({int(one[part]) for one in found} for part in ("first", "next"))
    if any(day > 12 for day in nexts):
        return None if any(day > 12 for day in firsts) else True
    certain = (
        not found or any(day > 12 for day in firsts) or {one["mark"] for one in found} == {"."}
    )
    return False if certain else None


def moment(text: str, *, month_first: bool) -> float | None:
    """Parse a date to seconds since 1970, or a time to seconds since midnight; None for others."""
    if _DAY.fullmatch(text.strip()):
        text = f"{text.strip()[:4]}-{text.strip()[4:6]}-{text.strip()[6:]}"
    found = _parts(text)
    return None if found is None else _moment(found, month_first=month_first)


def moments(texts: Sequence[str]) -> list[float] | str:
    """Convert the cells of a column to numbers that increase with time.

    If that fails, return a text: the first cell that is neither a date nor a number, or a sentence
    if the order of day and month is ambiguous.
    """
    plain = NumberFormat()
    if not all(_DAY.fullmatch(text.strip()) for text in texts):
        numbers = [plain.number(text) for text in texts]
        if all(number is not None for number in numbers):
            return [number for number in numbers if number is not None]
    month_first = has_month_first(texts)
    if month_first is None:
        return "day and month cannot be told apart; write dates as 2024-01-31"
    made: list[float] = []
    for text in texts:
        when = moment(text, month_first=month_first)
        if when is None:
            return f"{text.strip()!r:.40} is neither a date nor a number"
        made.append(when)
    return made


def _parts(text: str) -> dict[str, str] | None:
    text = text.strip()
    if not 4 <= len(text) <= 40 or _DIGITS.fullmatch(text):
        return None
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            found = {name: part for name, part in match.groupdict().items() if part}
            # While the order of day and month is unknown, either is accepted.
            orders = (False, True) if "first" in found else (False,)
            if any(_moment(found, month_first=order) is not None for order in orders):
                return found
    return None


def _moment(found: dict[str, str], *, month_first: bool) -> float | None:
    """Compute seconds; None for a day or time that does not exist."""
    year = int(found.get("year", "1970"))
    if len(found.get("year", "1970")) == 2:
        year += 2000 if year < 70 else 1900
    month, day = int(found.get("month", 1)), int(found.get("day", 1))
    if "name" in found:
        month = _MONTHS.index(found["name"].lower()) + 1
    if "first" in found:
        day, month = int(found["first"]), int(found["next"])
        if month_first:
            day, month = month, day
    hour = int(found.get("hour", 0))
    if "half" in found:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (found["half"].lower() == "p")
    try:
        clock = time(hour, int(found.get("minute", 0)), int(found.get("second", 0)))
        whole = datetime.combine(datetime(year, month, day, tzinfo=UTC), clock, UTC)
    except ValueError:
        return None
    zone = re.fullmatch(r"([+-])(\d\d):?(\d\d)?", found.get("zone", ""))
    if zone:
        away = timedelta(hours=int(zone[2]), minutes=int(zone[3] or 0))
        whole -= away if zone[1] == "+" else -away
    since = whole - datetime(1970, 1, 1, tzinfo=UTC)
    return since.total_seconds() + float("0." + found.get("part", "0"))


def _compact(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
