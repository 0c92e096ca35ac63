"""The condition tree: what a rule, a subscription, a search and an inventory are all made of.

    {all: [...]}   {any: [...]}   {not: {...}}
    {words: [hospital, patient monitor, ransom*], in: title}      any of these terms (terms.py tells their forms)
    {lexicon: care-settings}                                      any term of a named list
    {field: vendor, is: [philips, ge*]}   {field: cvss, at_least: 7}   {field: published, since: 30d}

``match`` decides a tree for one ``Subject`` and says where its evidence stands. ``store.search`` compiles the same tree
to SQL; a property-based test holds the two together. A new kind of condition is one class here and one case in
``match``.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Protocol

import pydantic
from pydantic import BeforeValidator, Discriminator, Tag

from bot.fields import Field, decide, nearest
from bot.phrases import find_term
from bot.subject import Evidence, Subject, Where
from bot.terms import Term, parse_term

Lexicons = Mapping[str, Sequence[Term]]


class _Condition(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class All(_Condition):
    """Every one of them."""

    all: Annotated[tuple[Condition, ...], pydantic.Field(min_length=1)]


class Any(_Condition):
    """At least one of them."""

    any: Annotated[tuple[Condition, ...], pydantic.Field(min_length=1)]


class Not(_Condition):
    """The opposite."""

    not_: Annotated[Condition, pydantic.Field(alias="not")]


def _terms(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _checked_term(value: str) -> str:
    parse_term(value)
    return value


TermText = Annotated[str, BeforeValidator(lambda value: _checked_term(value) if isinstance(value, str) else value)]


class Words(_Condition):
    """Any of these terms, in the title, the text, or the names of vendors and products; or in the title only."""

    words: Annotated[tuple[TermText, ...], BeforeValidator(_terms), pydantic.Field(min_length=1)]
    in_: Annotated[Where, pydantic.Field(alias="in")] = "anywhere"

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        return tuple(parse_term(word) for word in self.words)


class Lexicon(_Condition):
    """Any term of a named list from ``config/lexicons/``."""

    lexicon: str
    in_: Annotated[Where, pydantic.Field(alias="in")] = "anywhere"


KINDS = ("all", "any", "not", "words", "lexicon", "field")


def _kind(value: typing.Any) -> str | None:
    if isinstance(value, dict):
        return next((kind for kind in KINDS if kind in value), None)
    return type(value).__name__.lower()


def _known_kind(value: object) -> object:
    if isinstance(value, dict) and value and _kind(value) is None:
        word = str(next(iter(value)))
        raise ValueError(f"{word!r} is no condition; use one of {', '.join(KINDS)}{nearest(word, KINDS)}")
    if isinstance(value, str):
        raise ValueError(f"a condition is a mapping, such as {{words: [{value}]}}")
    return value


Condition = Annotated[
    Annotated[All, Tag("all")]
    | Annotated[Any, Tag("any")]
    | Annotated[Not, Tag("not")]
    | Annotated[Words, Tag("words")]
    | Annotated[Lexicon, Tag("lexicon")]
    | Annotated[Field, Tag("field")],
    Discriminator(_kind),
    BeforeValidator(_known_kind),
]
for _model in (All, Any, Not):
    _model.model_rebuild()


class Finder(Protocol):
    """Finds terms in the subject at hand; an index that has scanned all terms at once is one, ``Plain`` is another."""

    def words(self, condition: Words) -> Sequence[Evidence]: ...

    def lexicon(self, condition: Lexicon) -> Sequence[Evidence]: ...

    def has(self, condition: Words | Lexicon) -> bool: ...


class Plain:
    """Looks for each term by itself: right for one condition."""

    def __init__(self, subject: Subject, lexicons: Lexicons) -> None:
        self._subject = subject
        self._lexicons = lexicons

    def words(self, condition: Words) -> list[Evidence]:
        return self._find(condition.terms, condition.in_, "")

    def lexicon(self, condition: Lexicon) -> list[Evidence]:
        return self._find(self._lexicons[condition.lexicon], condition.in_, f"lexicon:{condition.lexicon}")

    def has(self, condition: Words | Lexicon) -> bool:
        return bool(self.words(condition) if isinstance(condition, Words) else self.lexicon(condition))

    def _find(self, terms: Iterable[Term], where: Where, clause: str) -> list[Evidence]:
        return [
            Evidence(clause or term.text, text.text[hit.start : hit.end], place, hit.start, hit.end)
            for place, text in self._subject.texts(where)
            for term in terms
            for hit in find_term(term, text)
        ]


def match(
    condition: Condition,
    subject: Subject,
    *,
    now: datetime,
    lexicons: Lexicons | None = None,
    finder: Finder | None = None,
) -> tuple[Evidence, ...] | None:
    """The evidence when ``condition`` holds (empty where there is none to show, as for Not), else None.

    ``now`` is what ``since`` counts back from.
    """
    return _decide(condition, subject, now, finder or Plain(subject, lexicons or {}))


def _decide(condition: Condition, subject: Subject, now: datetime, finder: Finder) -> tuple[Evidence, ...] | None:
    found: Sequence[Evidence]
    match condition:
        case Words():
            found = finder.words(condition)
            return tuple(found) if found else None
        case Lexicon():
            found = finder.lexicon(condition)
            return tuple(found) if found else None
        case Field():
            return decide(condition, subject, now)
        case Not():
            return None if holds(condition.not_, subject, now=now, finder=finder) else ()
        case Any():
            parts = [part for child in condition.any if (part := _decide(child, subject, now, finder)) is not None]
            return tuple(evidence for part in parts for evidence in part) if parts else None
        case All():
            gathered: list[Evidence] = []
            for child in condition.all:
                part = _decide(child, subject, now, finder)
                if part is None:
                    return None
                gathered += part
            return tuple(gathered)


def holds(condition: Condition, subject: Subject, *, now: datetime, finder: Finder) -> bool:
    """Whether ``match`` would find that ``condition`` holds; cheaper where nobody asks for evidence."""
    match condition:
        case Words() | Lexicon():
            return finder.has(condition)
        case Field():
            return decide(condition, subject, now) is not None
        case Not():
            return not holds(condition.not_, subject, now=now, finder=finder)
        case Any():
            return any(holds(child, subject, now=now, finder=finder) for child in condition.any)
        case All():
            return all(holds(child, subject, now=now, finder=finder) for child in condition.all)


def lexicons_used(condition: Condition) -> frozenset[str]:
    """Names of the lexicons that a tree refers to."""
    match condition:
        case Lexicon():
            return frozenset((condition.lexicon,))
        case Not():
            return lexicons_used(condition.not_)
        case All():
            return frozenset().union(*map(lexicons_used, condition.all))
        case Any():
            return frozenset().union(*map(lexicons_used, condition.any))
        case _:
            return frozenset()
