"""Tests of an advisory's typed fields: names, codes, words with an order, numbers and dates.

{field: vendor, is: [philips, ge*]}   {field: cvss, at_least: 7}   {field: published, since: 30d}
"""

from __future__ import annotations

import difflib
import typing
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Annotated

import pydantic

from bot.model import Relevance, Severity, Threat, Tlp, parse_duration
from bot.subject import Evidence, Subject
from bot.terms import word_matches
from bot.text import is_unspaced, words


class FieldName(StrEnum):
    """What a Field condition can test."""

    SOURCE = "source"
    ORGANISATION = "organisation"
    COUNTRY = "country"
    LANGUAGE = "language"
    VENDOR = "vendor"
    PRODUCT = "product"
    SECTOR = "sector"
    URL = "url"
    CVE = "cve"
    CVSS = "cvss"
    EPSS = "epss"
    SEVERITY = "severity"
    THREAT = "threat"
    RELEVANCE = "relevance"
    KEV = "kev"
    TLP = "tlp"
    PUBLISHED = "published"


NAMES = {
    FieldName.SOURCE,
    FieldName.ORGANISATION,
    FieldName.VENDOR,
    FieldName.PRODUCT,
    FieldName.SECTOR,
}  # words in a row
CODES = {FieldName.COUNTRY, FieldName.LANGUAGE, FieldName.CVE, FieldName.URL}  # a text with * for any characters
CHOICES: dict[FieldName, type[StrEnum]] = {
    FieldName.SEVERITY: Severity,
    FieldName.THREAT: Threat,
    FieldName.RELEVANCE: Relevance,
    FieldName.TLP: Tlp,
}
NUMBERS = {FieldName.CVSS: 10.0, FieldName.EPSS: 1.0}  # field -> highest value
RANKED: dict[FieldName, type[Severity] | type[Relevance]] = {
    FieldName.SEVERITY: Severity,
    FieldName.RELEVANCE: Relevance,
}  # fields whose words have an order
_SHORTEST, _LONGEST = timedelta(seconds=1), timedelta(days=36525)  # what ``since`` takes
COMPARISONS = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}


class Field(pydantic.BaseModel):
    """A test of one typed field: ``is`` any of these values, one comparison, or ``since`` a span of time before now."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    field: FieldName
    is_: Annotated[tuple[str, ...], pydantic.Field(alias="is")] = ()
    at_least: str | float | None = None
    above: str | float | None = None
    at_most: str | float | None = None
    below: str | float | None = None
    since: timedelta | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _as_written(cls, values: object) -> object:
        """YAML reads ``2024`` as a number and ``2024-05-26`` as a date; people leave out ``CVE-``."""
        if not isinstance(values, dict):
            return values
        values = {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}
        if values.get("field") == FieldName.PUBLISHED:
            values |= {name: str(values[name]) for name in COMPARISONS if isinstance(values.get(name), int)}
        if values.get("field") == FieldName.CVE:
            wanted = values.pop("is_", values.pop("is", ()))
            texts = (wanted,) if isinstance(wanted, str) else tuple(wanted)
            values["is"] = tuple(f"CVE-{text}" if str(text)[:1].isdigit() else text for text in texts)
        return values

    @pydantic.field_validator("is_", mode="before")
    @classmethod
    def _words_of_yaml(cls, value: object) -> object:
        values = value if isinstance(value, (list, tuple)) else (value,)
        return tuple({True: "yes", False: "no"}[v] if isinstance(v, bool) else str(v) for v in values)

    @pydantic.field_validator("since", mode="before")
    @classmethod
    def _duration(cls, value: object) -> object:
        try:
            return parse_duration(value)
        except OverflowError as error:
            raise ValueError(f"{value} is too long a time") from error

    @cached_property
    def comparison(self) -> tuple[str, str | float] | None:
        """(``>=``, value) for the one comparison given, or None."""
        for name, sign in COMPARISONS.items():
            value = getattr(self, name)
            if value is not None:
                return sign, value
        return None

    @pydantic.model_validator(mode="after")
    def _sensible(self) -> Field:
        given = [bool(self.is_), self.since is not None, *(getattr(self, name) is not None for name in COMPARISONS)]
        if sum(given) != 1:
            raise ValueError(f"{self.field} needs exactly one of: is, {', '.join(COMPARISONS)}, since")
        _check_values(self)
        return self

    @cached_property
    def bound(self) -> float | datetime:
        """The value of the comparison as a number (a rank for words with an order) or an aware time."""
        assert self.comparison is not None
        value = self.comparison[1]
        if self.field in NUMBERS:
            return float(value)
        if self.field in RANKED:
            return float(RANKED[self.field](str(value)).rank)
        return parse_time(str(value))


def _check_values(test: Field) -> None:
    """ValueError with one line when a test could never be meant so."""
    name, comparison = test.field, test.comparison
    if test.since is not None and name is not FieldName.PUBLISHED:
        raise ValueError(f"since belongs to published, not to {name}")
    if test.since is not None and (not _SHORTEST <= test.since <= _LONGEST or test.since % _SHORTEST):
        raise ValueError("since is a whole number of seconds, at least one and at most 100 years")
    if comparison and name not in NUMBERS and name not in RANKED and name is not FieldName.PUBLISHED:
        raise ValueError(f"{name} has no order; use is")
    if name in CHOICES:
        allowed = [str(choice) for choice in CHOICES[name]]
        for value in test.is_ or ((str(comparison[1]),) if comparison else ()):
            if value not in allowed:
                raise ValueError(f"{name} is one of {', '.join(allowed)}, not {value!r}{nearest(value, allowed)}")
    elif name is FieldName.KEV and any(value not in ("yes", "no") for value in test.is_):
        raise ValueError("kev is yes or no")
    elif name in NUMBERS:
        for number in test.is_ or ((comparison[1],) if comparison else ()):
            if not 0 <= _number(number, name) <= NUMBERS[name]:
                raise ValueError(f"{name} lies between 0 and {NUMBERS[name]:g}, not {number}")
    elif name is FieldName.PUBLISHED:
        for value in test.is_ or ((str(comparison[1]),) if comparison else ()):
            parse_time(str(value))
    elif name in NAMES and any(not words(value) for value in test.is_):
        raise ValueError(f"{name} needs a word")
    elif name in NAMES and any(_too_short(word) for value in test.is_ for word in name_pattern(value)):
        raise ValueError("a * needs at least two letters beside it")


def _too_short(word: str) -> bool:
    return "*" in word and len(word.strip("*")) < 2 and not is_unspaced(word.strip("*"))


def nearest(word: str, names: Iterable[str]) -> str:
    """``; did you mean "X"?`` for the closest of ``names``, or an empty string."""
    close = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _number(value: object, name: FieldName) -> float:
    try:
        return float(str(value))
    except ValueError as error:
        raise ValueError(f"{name} needs a number, not {value!r}") from error


def parse_time(text: str) -> datetime:
    """``2024``, ``2024-05``, ``2024-05-26`` or an ISO time as the aware UTC moment it begins at; ValueError else."""
    padded = {4: f"{text}-01-01", 7: f"{text}-01"}.get(len(text), text)
    try:
        moment = (
            datetime.fromisoformat(padded) if "T" in padded else datetime.combine(date.fromisoformat(padded), time())
        )
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"not a date: {text!r} (write 2024-05-26)") from error


def time_span(text: str) -> tuple[datetime, datetime]:
    """The stretch of time that ``2024``, ``2024-05`` or ``2024-05-26`` names: first moment, and the moment after it."""
    begin = parse_time(text)
    try:
        if len(text) == 4:
            return begin, begin.replace(year=begin.year + 1)
        if len(text) == 7:
            return begin, (begin.replace(day=28) + timedelta(days=4)).replace(day=1)
        return begin, begin + timedelta(days=1)
    except (ValueError, OverflowError):  # the end of the year 9999
        return begin, datetime.max.replace(tzinfo=UTC)


def back(now: datetime, span: timedelta) -> datetime:
    """``span`` before ``now``, or the beginning of time."""
    beginning = datetime.min.replace(tzinfo=UTC)
    return now - span if span < now - beginning else beginning


def decide(test: Field, subject: Subject, now: datetime) -> tuple[Evidence, ...] | None:
    """Decide one field test; its evidence is the value that fitted."""
    for value in field_values(test.field, subject):
        if _fits(test, value, now):
            return (Evidence(f"{test.field}", str(value), "field"),)
    return None


def field_values(name: FieldName, subject: Subject) -> tuple[str | float | datetime, ...]:
    """What an advisory holds under a field's name; empty where it says nothing."""
    return _VALUES[name](subject)


def _stated(number: float | None) -> tuple[float, ...]:
    return () if number is None else (number,)


_VALUES: dict[FieldName, Callable[[Subject], tuple[str | float | datetime, ...]]] = {
    FieldName.SOURCE: lambda subject: (subject.advisory.source,),
    FieldName.ORGANISATION: lambda subject: (subject.advisory.organisation,),
    FieldName.COUNTRY: lambda subject: (subject.advisory.country,),
    FieldName.LANGUAGE: lambda subject: (subject.advisory.language,),
    FieldName.VENDOR: lambda subject: subject.advisory.vendors,
    FieldName.PRODUCT: lambda subject: subject.advisory.products,
    FieldName.SECTOR: lambda subject: subject.advisory.sectors,
    FieldName.URL: lambda subject: (subject.advisory.url,),
    FieldName.CVE: lambda subject: subject.advisory.cves,
    FieldName.CVSS: lambda subject: _stated(subject.advisory.cvss),
    FieldName.EPSS: lambda subject: _stated(subject.advisory.epss),
    FieldName.SEVERITY: lambda subject: (subject.verdict.severity.value,),
    FieldName.THREAT: lambda subject: tuple(threat.value for threat in subject.verdict.threats),
    FieldName.RELEVANCE: lambda subject: (subject.verdict.relevance.value,),
    FieldName.KEV: lambda subject: ("yes" if subject.advisory.kev else "no",),
    FieldName.TLP: lambda subject: (subject.advisory.tlp.value,),
    FieldName.PUBLISHED: lambda subject: (subject.at,),
}


def _fits(test: Field, value: str | float | datetime, now: datetime) -> bool:
    if isinstance(value, datetime):
        return _fits_time(test, value, now)
    if test.comparison is not None:
        number = value if isinstance(value, float | int) else RANKED[test.field](value).rank
        return compare(float(number), test.comparison[0], test.bound)
    if isinstance(value, float | int):
        return any(float(wanted) == value for wanted in test.is_)
    if test.field in NAMES:
        return any(name_fits(wanted, value) for wanted in test.is_)
    if test.field in CODES:
        return any(code_fits(wanted, value) for wanted in test.is_)
    return value in test.is_


def _fits_time(test: Field, value: datetime, now: datetime) -> bool:
    if test.since is not None:
        return value >= back(now, test.since)
    if test.comparison is not None:
        return compare(value, test.comparison[0], test.bound)
    return any(begin <= value < end for begin, end in map(time_span, test.is_))


def compare(value: typing.Any, sign: str, bound: typing.Any) -> bool:
    """``value sign bound``."""
    if sign == ">=":
        return bool(value >= bound)
    if sign == ">":
        return bool(value > bound)
    return bool(value <= bound) if sign == "<=" else bool(value < bound)


def name_fits(wanted: str, value: str) -> bool:
    """Whether the words of ``wanted`` (with ``*`` at an end of it) stand in a row in ``value``."""
    pattern, held = name_pattern(wanted), _held(value)
    return any(
        all(map(word_matches, pattern, held[start : start + len(pattern)]))
        for start in range(len(held) - len(pattern) + 1)
    )


@lru_cache(maxsize=8192)
def _held(value: str) -> tuple[str, ...]:
    return words(value)


@lru_cache(maxsize=8192)
def name_pattern(wanted: str) -> tuple[str, ...]:
    """``"becton dick*"`` -> ``("becton", "dick*")``."""
    pattern = list(words(wanted))
    if wanted.startswith("*"):
        pattern[0] = "*" + pattern[0]
    if wanted.endswith("*"):
        pattern[-1] += "*"
    return tuple(pattern)


def code_fits(wanted: str, value: str) -> bool:
    """Whether ``value`` is ``wanted``, ignoring ASCII case, with ``*`` for any characters."""
    return _glob(wanted.lower().split("*"), value.lower())


def _glob(parts: list[str], value: str) -> bool:
    if len(parts) == 1:
        return value == parts[0]
    if not value.startswith(parts[0]):
        return False
    at = len(parts[0])
    for part in parts[1:-1]:
        found = value.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return len(value) - at >= len(parts[-1]) and value.endswith(parts[-1])
