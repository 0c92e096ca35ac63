"""A condition tree -> the query a person would type for it."""

from __future__ import annotations

import re
from typing import Literal

from bot.conditions import All, Any, Condition, Lexicon, Not, Words
from bot.fields import NUMBERS, Field
from bot.query.grammar import DASHES, OPERATORS, QUOTES, quoted
from bot.terms import Term
from bot.text import visible

_BARE_TERM = re.compile(rf"\*?[^\s(){QUOTES}{DASHES}:,\\~=<>≥≤*][^\s(){QUOTES}:,\\~=<>≥≤*]*\*?")
_BARE_VALUE = re.compile(rf"[^\s(){QUOTES},\\<>=≥≤][^\s(){QUOTES},\\]*")
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def unparse(condition: Condition) -> str:
    """``condition`` as a person would type it."""
    return _written(condition, "any")


def _written(condition: Condition, within: Literal["any", "all", "not"]) -> str:
    match condition:
        case All():
            if len(condition.all) == 1:
                return _written(condition.all[0], within)
            return _grouped(" ".join(_written(part, "all") for part in condition.all), within == "not")
        case Any():
            if len(condition.any) == 1:
                return _written(condition.any[0], within)
            return _grouped(" OR ".join(_written(part, "any") for part in condition.any), within != "any")
        case Not():
            return "-" + _written(condition.not_, "not")
        case Words(in_="title"):
            return "title:" + ",".join(map(_written_term, condition.terms))
        case Words():
            terms = list(map(_written_term, condition.terms))
            return _grouped(" OR ".join(terms), len(terms) > 1 and within != "any")
        case Lexicon():
            return f"{'title:' if condition.in_ == 'title' else ''}lexicon:{_written_value(condition.lexicon)}"
        case Field():
            return _written_field(condition)


def _grouped(text: str, needed: bool) -> str:
    return f"({text})" if needed else text


def _written_term(term: Term) -> str:
    if term.near is not None:
        return quoted(" ".join(term.text[1 : term.text.rindex('"')].split())) + f"~{term.near}"
    text = " ".join((term.text[1:] if term.exact else term.text.strip('"')).replace('"', "'").split())
    bare = _BARE_TERM.fullmatch(text) and visible(text) == text and (term.exact or text not in OPERATORS)
    return ("=" if term.exact else "") + (text if bare else quoted(text))


def _written_value(value: str) -> str:
    return value if _BARE_VALUE.fullmatch(value) and visible(value) == value else quoted(value)


def _written_field(test: Field) -> str:
    if test.since is not None:
        seconds = int(test.since.total_seconds())
        unit, size = next((unit, size) for unit, size in _UNITS if seconds % size == 0)
        return f"since:{seconds // size}{unit}"
    if test.comparison is None:
        return f"{test.field}:" + ",".join(map(_written_value, test.is_))
    sign, value = test.comparison
    text = str(value).removesuffix(".0") if test.field in NUMBERS else str(value)
    return f"{test.field}:{sign}{_written_value(text)}"
