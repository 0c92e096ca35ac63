"""A condition tree as a question to the database.

What comes out holds for every advisory that the tree matches, and perhaps for more: ``exact`` tells whether it holds
for no others. Single words, with ``*`` or without, names of one word, codes, numbers and times are exact; of a phrase,
a nearness or a word in a given case the database answers only which words are there at all.
What the database cannot answer exactly is confirmed by the matcher, so the two can never disagree.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, false, or_, true

from bot.conditions import All, Any, Condition, Lexicon, Lexicons, Not, Words
from bot.errors import QueryError
from bot.fields import CODES, NAMES, NUMBERS, RANKED, Field, FieldName, back, name_pattern, time_span
from bot.model import Threat
from bot.store.advisories import folded, threat_bits
from bot.store.columns import storable
from bot.store.index import MARKS, SECOND, TITLE, first_place
from bot.store.schema import advisories, advisory_cves
from bot.terms import Term

_A = advisories.c
_LAST = "\U0010ffff"  # sorts after every character
_SIGNS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
_PARTS = 24
_IN_TEXTS = {"", TITLE, MARKS[FieldName.VENDOR], MARKS[FieldName.PRODUCT]}  # whose words the texts hold, too
_STARS = 3  # of a code; more make LIKE slow


@dataclass(frozen=True, slots=True)
class Word:
    """The index holds this word, or one that begins so."""

    word: str
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """Some word of the texts holds this, or ends so."""

    text: str
    end: bool


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """A test of columns; never NULL, so that its opposite is its opposite."""

    clause: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Both:
    """Every one of these; none: everything."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of these; none: nothing."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Opposite:
    """What this does not hold for."""

    part: Node


Node = Word | Part | Check | Both | Either | Opposite
Answer = tuple[Node, bool]  # and whether it is exact
EVERYTHING = Both(())
NOTHING = Either(())


def both(nodes: Iterable[Node]) -> Node:
    """Every one of ``nodes``, simplified."""
    parts = list(dict.fromkeys(part for node in nodes for part in (node.parts if isinstance(node, Both) else (node,))))
    if NOTHING in parts:
        return NOTHING
    return parts[0] if len(parts) == 1 else Both(tuple(parts))


def either(nodes: Iterable[Node]) -> Node:
    """At least one of ``nodes``, simplified."""
    parts = list(
        dict.fromkeys(part for node in nodes for part in (node.parts if isinstance(node, Either) else (node,)))
    )
    if EVERYTHING in parts:
        return EVERYTHING
    return parts[0] if len(parts) == 1 else Either(tuple(parts))


def compile_condition(condition: Condition, *, now: datetime, lexicons: Lexicons) -> Answer:
    """``condition`` as a question, and whether its answer is exact; QueryError for an unknown lexicon."""
    match condition:
        case Words():
            return _terms(condition.terms, condition.in_)
        case Lexicon():
            if condition.lexicon not in lexicons:
                raise QueryError(f"there is no lexicon {condition.lexicon!r}")
            return _terms(lexicons[condition.lexicon], condition.in_)
        case Field():
            return _field(condition, now)
        case Not():
            node, exact = compile_condition(condition.not_, now=now, lexicons=lexicons)
            return (Opposite(node), True) if exact else (EVERYTHING, False)
        case All():
            answers = [compile_condition(child, now=now, lexicons=lexicons) for child in condition.all]
            return both(node for node, _ in answers), all(exact for _, exact in answers)
        case Any():
            answers = [compile_condition(child, now=now, lexicons=lexicons) for child in condition.any]
            return _one_of(answers)


def _one_of(answers: Iterable[Answer]) -> Answer:
    listed = list(answers)
    return either(node for node, _ in listed), all(exact for _, exact in listed)


def _terms(terms: Sequence[Term], where: str) -> Answer:
    mark = TITLE if where == "title" else ""
    # each part is looked for in each text; of very many the matcher finds all in one pass
    parts = sum(word.startswith("*") for term in terms for word in term.words) <= _PARTS
    return _one_of(_term(term, mark, parts) for term in terms)


def _term(term: Term, mark: str, parts: bool) -> Answer:
    node, exact = _pattern(term.words, mark, parts)
    return node, exact and not term.exact and term.near is None


def _pattern(words: Sequence[str], mark: str, parts: bool) -> Answer:
    """Words in a row, some of them with ``*``: the index knows which are there, not how they stand."""
    known: list[Node] = [Word(mark + word.removesuffix("*"), word.endswith("*")) for word in words if word[0] != "*"]
    if parts and mark in _IN_TEXTS:
        known += [Part(word.strip("*"), not word.endswith("*")) for word in words if word[0] == "*"]
    single = len(words) == len(known) == 1
    return both(known), single and not (mark and isinstance(known[0], Part))


def _field(test: Field, now: datetime) -> Answer:
    name = test.field
    if name in NAMES:
        return _one_of(_pattern(name_pattern(wanted), MARKS[name], len(test.is_) <= _PARTS) for wanted in test.is_)
    if name in CODES:
        return _codes(test)
    if name is FieldName.PUBLISHED:
        return Check(or_(false(), *_times(test, now))), True
    return Check(_plain_field(test)), True


def _plain_field(test: Field) -> ColumnElement[bool]:
    """Numbers, and words of a fixed choice."""
    name = test.field
    if name is FieldName.KEV:
        return _A.kev.in_([value == "yes" for value in test.is_])
    if name is FieldName.THREAT:
        return _A.threats.bitwise_and(threat_bits([Threat(value) for value in test.is_])) != 0
    column = _A[name.value]
    if test.comparison is not None:
        sign, _ = test.comparison
        return and_(column.is_not(None), _SIGNS[sign](column, test.bound))
    if name in NUMBERS:
        return and_(column.is_not(None), column.in_([float(value) for value in test.is_]))
    if name in RANKED:
        return column.in_([RANKED[name](value).rank for value in test.is_])
    return column.in_(test.is_)


def _times(test: Field, now: datetime) -> Iterator[ColumnElement[bool]]:
    if test.since is not None:
        yield _from(back(now, test.since))
    elif test.comparison is not None:
        bound = test.bound
        assert isinstance(bound, datetime)
        sign = test.comparison[0]
        near = _A.place >= first_place(bound) if sign in (">=", ">") else _A.place < first_place(bound) + SECOND
        yield and_(near, _SIGNS[sign](_A.at, bound))
    else:
        for begin, end in map(time_span, test.is_):
            yield and_(_from(begin), _A.at < end)


def _from(moment: datetime) -> ColumnElement[bool]:
    return and_(_A.place >= first_place(moment), _A.at >= moment)


def _codes(test: Field) -> Answer:
    """Codes as they are written or, with ``*``, as LIKE; CVEs stand in a table of their own."""
    exact = all(_is_plain(value) for value in test.is_)
    wanted = [storable(value.lower()) for value in test.is_]
    whole = [value for value in wanted if "*" not in value]
    globs = [value for value in wanted if "*" in value]
    if test.field is FieldName.CVE:
        c = advisory_cves.c
        fits = [c.cve.in_([folded(value) for value in whole]), *(_like(c.cve, glob) for glob in globs)]
        return Check(exists().where(c.advisory_id == _A.id, any_of(fits)).correlate(advisories)), exact
    column = _A[f"{test.field.value}_folded"]
    fits = [column.in_(whole), *(_like(column, glob) for glob in globs)]
    if test.field is FieldName.URL:
        fits[0] = and_(_A.url_identity.in_([folded(value) for value in whole]), fits[0])
    return Check(any_of(fits)), exact


def _is_plain(value: str) -> bool:
    return storable(value) == value and value.count("*") <= _STARS and len(value) < 1000


def _like(column: ColumnElement[str], glob: str) -> ColumnElement[bool]:
    """What fits ``glob``; of one too long or with too many stars, what begins as it does."""
    parts = glob.split("*") if _is_plain(glob) else [glob.split("*")[0][:500], ""]
    if column is advisory_cves.c.cve and len(parts) == 2 and not parts[1]:
        return and_(column >= parts[0], column < parts[0] + _LAST)  # a range of the index
    return column.like("%".join(map(_escaped, parts)), escape="\\")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def any_of(clauses: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """OR of many."""
    return _paired("OR", clauses) if clauses else false()


def all_of(clauses: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """AND of many."""
    return _paired("AND", clauses) if clauses else true()


def _paired(sign: str, clauses: list[ColumnElement[bool]]) -> ColumnElement[bool]:
    """Joined two by two, in brackets: SQLite refuses an expression that is a thousand deep."""
    while len(clauses) > 1:
        pairs = [clauses[start : start + 2] for start in range(0, len(clauses), 2)]
        clauses = [pair[0].bool_op(sign)(pair[1]) if len(pair) > 1 else pair[0] for pair in pairs]
    return clauses[0]
