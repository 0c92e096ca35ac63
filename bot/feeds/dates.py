"""Dates as publishers write them: RFC 822 with two-digit years and zone names, ISO 8601, epochs, a few languages."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone

_FUTURE = timedelta(days=2)  # more than any time zone mistake explains
_EARLIEST = 1990  # before the first advisories; what reads as earlier was misread
_LONGEST = 100  # characters

_DAY_MONTH_YEAR = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th|er|º)?[.\s-]+(?:de\s+)?([^\W\d_]{3,12})\.?(?:\s+de)?[,\s-]+(\d{4}|\d{2})(?!\d)"
)
_MONTH_DAY_YEAR = re.compile(r"([^\W\d_]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})(?!\d)")
_ASCTIME = re.compile(r"([^\W\d_]{3})\s+(\d{1,2})\s+(?=\d{1,2}:\d{2}).*?\s(\d{4})\s*$")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_DAY_FIRST = re.compile(r"(?<!\d)(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?!\d)")
_EAST_ASIAN = re.compile(r"(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})")
_REIWA = re.compile(r"令和\s*(\d{1,2}|元)年\s*(\d{1,2})月\s*(\d{1,2})")
_TIME = re.compile(
    r"(?<![\d:+-])(\d{1,2}):(\d{2})(?::(\d{2}))?(?:[.,]\d+)?\s*([AaPp]\.?[Mm]\.?(?![A-Za-z]))?\s*"
    r"\(?([A-Za-z]{1,5}(?![A-Za-z]))?\s*([+-]\d{1,2}:?\d{2}|[+-]\d{1,2})?(?!\d)"
)
_MONTHS = {  # folded names by their beginning; longer beginnings first where the short one is shared
    "jan": 1, "ene": 1, "gen": 1, "led": 1, "sty": 1, "feb": 2, "fev": 2, "uno": 2, "lut": 2, "mar": 3,
    "mae": 3, "mrt": 3, "brez": 3, "bre": 3, "apr": 4, "avr": 4, "abr": 4, "dub": 4, "kwi": 4, "may": 5,
    "mai": 5, "mag": 5, "mei": 5, "maj": 5, "kve": 5, "juin": 6, "jun": 6, "giu": 6, "cerven": 6, "cze": 6,
    "juil": 7, "jul": 7, "lug": 7, "cervenec": 7, "lip": 7, "aug": 8, "aou": 8, "ago": 8, "srp": 8, "sie": 8,
    "sep": 9, "set": 9, "zar": 9, "wrz": 9, "oct": 10, "okt": 10, "ott": 10, "out": 10, "rij": 10, "paz": 10,
    "nov": 11, "lis": 11, "dec": 12, "dez": 12, "dic": 12, "pro": 12, "gru": 12,
}  # fmt: skip
_ZONES = {  # hours from UTC; the rest, and no zone at all, is taken as UTC
    "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3, "TRT": 3, "SAST": 2,
    "IST": 5.5, "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9, "KST": 9, "ACST": 9.5, "AEST": 10, "AEDT": 11, "NZST": 12,
    "NZDT": 13, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8,
    "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10, "BRT": -3,
}  # fmt: skip


def read_date(text: str) -> datetime | None:
    """The moment ``text`` names, in UTC, or None where it names none or one before 1990.

    A date without a time is midnight UTC; a number is an epoch in seconds, milliseconds or microseconds, or YYYYMMDD.
    """
    text = " ".join(unicodedata.normalize("NFKC", text[: 2 * _LONGEST]).split())
    if not text or len(text) > _LONGEST:
        return None
    try:
        moment = _number(text) if re.fullmatch(r"\d+(?:\.\d+)?", text) and text.isascii() else _written(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment and moment.year >= _EARLIEST else None


def is_future(moment: datetime | None, now: datetime) -> bool:
    """Whether ``moment`` is later than any mistake about time zones explains."""
    return moment is not None and moment > now + _FUTURE


def _number(text: str) -> datetime | None:
    digits = text.partition(".")[0]
    if len(digits) == 8:
        return datetime(int(digits[:4]), int(digits[4:6]), int(digits[6:]), tzinfo=UTC)
    if len(digits) == 14 and digits.startswith(("19", "20")):
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    scale = {9: 1, 10: 1, 12: 1000, 13: 1000, 15: 10**6, 16: 10**6}.get(len(digits))
    return datetime.fromtimestamp(int(digits) // scale, UTC) if scale else None


def _written(text: str) -> datetime | None:
    found = _date(text)
    if found is None:
        return None
    year, month, day, rest = found
    clock = _TIME.search(rest)
    if not clock:
        return datetime(year, month, day, tzinfo=UTC)
    hour, minute, second = int(clock[1]), int(clock[2]), min(int(clock[3] or 0), 59)
    if clock[4]:
        hour = hour % 12 + (12 if clock[4][0] in "Pp" else 0)
    local = datetime(year, month, day, hour, minute, second, tzinfo=timezone(_offset(clock[5] or "", clock[6] or "")))
    return local.astimezone(UTC)


def _date(text: str) -> tuple[int, int, int, str] | None:
    """Year, month, day, and the text around them, which may hold a time."""
    if match := _YEAR_FIRST.search(text):
        return int(match[1]), int(match[3]), int(match[4]), _around(text, match)
    if (match := _DAY_MONTH_YEAR.search(text)) and (month := _month(match[2])):
        return _year(match[3]), month, int(match[1]), _around(text, match)
    if (match := _MONTH_DAY_YEAR.search(text)) and (month := _month(match[1])):
        return int(match[3]), month, int(match[2]), _around(text, match)
    if (match := _ASCTIME.search(text)) and (month := _month(match[1])):
        return int(match[3]), month, int(match[2]), text
    if match := _DAY_FIRST.search(text):
        return _day_first(match, _around(text, match))
    if match := _EAST_ASIAN.search(text):
        return int(match[1]), int(match[2]), int(match[3]), _around(text, match)
    if match := _REIWA.search(text):
        year = 1 if match[1] == "元" else int(match[1])
        return 2018 + year, int(match[2]), int(match[3]), _around(text, match)
    return None


def _around(text: str, match: re.Match[str]) -> str:
    return f"{text[match.end() :].removeprefix('T')} {text[: match.start()]}"


def _day_first(match: re.Match[str], rest: str) -> tuple[int, int, int, str] | None:
    """Points mean day first; with slashes only a number above 12 can tell, and nothing is guessed."""
    first, second, year = int(match[1]), int(match[3]), int(match[4])
    if match[2] == "." or first > 12 or first == second:
        return year, second, first, rest
    return (year, first, second, rest) if second > 12 else None


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return year + (2000 if year < 80 else 1900)


def _month(name: str) -> int | None:
    letters = unicodedata.normalize("NFD", name.lower())
    folded = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return next((_MONTHS[folded[:size]] for size in (8, 6, 4, 3) if folded[:size] in _MONTHS), None)


def _offset(zone: str, shift: str) -> timedelta:
    if not shift:
        return timedelta(hours=_ZONES.get(zone.upper(), 0))
    digits = shift[1:].replace(":", "")
    hours, minutes = (int(digits[:-2]), int(digits[-2:])) if len(digits) > 2 else (int(digits), 0)
    return timedelta(hours=hours, minutes=minutes) * (-1 if shift[0] == "-" else 1)
