"""A compiled condition tree as SQL for either database. Whatever a person typed is a bound parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Integer,
    Select,
    Text,
    cast,
    column,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy import not_ as negated
from sqlalchemy.dialects.postgresql import TSQUERY
from sqlalchemy.sql.visitors import replacement_traverse

from bot.store.compile import Both, Check, Either, Node, Opposite, Part, Word, all_of, any_of, both
from bot.store.index import KEY
from bot.store.schema import INDEX, advisories


def advisories_for(dialect: str, node: Node, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The advisories for which ``node`` holds.

    On SQLite the words that must all be there lead: FTS5 gives their places newest first. PostgreSQL chooses itself.
    """
    index = table(INDEX, column(KEY[dialect]), column("words"))
    joined: FromClause
    if dialect == "postgresql":
        joined = advisories.join(index, index.c.place == advisories.c.place)
        return select(*columns).select_from(joined).where(_clause(node, dialect))
    leading, rest = _split(node)
    if leading is None:
        joined = advisories.join(index, index.c.rowid == advisories.c.place) if _has_parts(rest) else advisories
        return select(*columns).select_from(joined).where(_clause(rest, dialect))
    joined = index.join(advisories, advisories.c.place == index.c.rowid)
    return (
        select(*columns).select_from(joined).where(_matching(leading), _by_key(_clause(rest, dialect), index.c.rowid))
    )


def _by_key(clause: ColumnElement[bool], key: ColumnElement[Any]) -> ColumnElement[bool]:
    """A test of an advisory's place as one of the index's key, of which FTS5 can read a span."""

    def key_for_place(one: Any, **_: Any) -> Any:
        return key if one is advisories.c.place else None

    changed: ColumnElement[bool] = replacement_traverse(clause, {}, key_for_place)  # type: ignore[call-overload]
    return changed


def place_of(dialect: str, node: Node) -> ColumnElement[int]:
    """What orders the rows: the key of the index where it leads."""
    if dialect == "sqlite" and _split(node)[0] is not None:
        return literal_column(f"{INDEX}.rowid")
    return advisories.c.place


def _split(node: Node) -> tuple[Node | None, Node]:
    """The part of a tree that asks the index alone, and the rest."""
    parts = node.parts if isinstance(node, Both) else (node,)
    leading = [part for part in parts if _is_words(part)]
    rest = [part for part in parts if not _is_words(part)]
    return (both(leading) if leading else None), both(rest)


def _is_words(node: Node) -> bool:
    match node:
        case Word():
            return True
        case Both(parts) | Either(parts):
            return bool(parts) and all(map(_is_words, parts))
        case _:
            return False


def _has_parts(node: Node) -> bool:
    match node:
        case Both(parts) | Either(parts):
            return any(map(_has_parts, parts))
        case Opposite(part):
            return _has_parts(part)
        case _:
            return isinstance(node, Part)


def _clause(node: Node, dialect: str) -> ColumnElement[bool]:
    if _is_words(node):
        return _has_words(node, dialect)
    match node:
        case Check(clause):
            return clause
        case Part(part, end):
            return literal_column(f"{INDEX}.plain", Text).like(f"%{part}{' ' if end else ''}%")
        case Opposite(part):
            return negated(_clause(part, dialect))
        case Both(parts):
            return all_of([_clause(part, dialect) for part in _grouped(parts, Both)])
        case Either(parts):
            return any_of([_clause(part, dialect) for part in _grouped(parts, Either)])
    raise AssertionError(node)


def _grouped(parts: tuple[Node, ...], kind: type[Both] | type[Either]) -> list[Node]:
    """The parts that ask the index as one question, and the others."""
    asking = tuple(part for part in parts if _is_words(part))
    others = [part for part in parts if not _is_words(part)]
    return [kind(asking), *others] if asking else others


def _has_words(node: Node, dialect: str) -> ColumnElement[bool]:
    if dialect == "postgresql":
        return literal_column(f"{INDEX}.words").bool_op("@@")(cast(literal(_tsquery(node), Text), TSQUERY))
    return advisories.c.place.in_(
        select(literal_column("rowid", Integer)).select_from(table(INDEX)).where(_matching(node))
    )


def _matching(node: Node) -> ColumnElement[bool]:
    return literal_column(INDEX).bool_op("MATCH")(literal(_fts5(node), Text))


def _fts5(node: Node) -> str:
    """Words as FTS5 reads them; quoted, nothing in them has a meaning."""
    match node:
        case Word(word, prefix):
            return f'"{word}"{" *" if prefix else ""}'
        case Both(parts):
            return f"({' AND '.join(map(_fts5, parts))})"
        case Either(parts):
            return f"({' OR '.join(map(_fts5, parts))})"
    raise AssertionError(node)


def _tsquery(node: Node) -> str:
    """Words as PostgreSQL reads them, without any dictionary."""
    match node:
        case Word(word, prefix):
            return f"'{word}'{':*' if prefix else ''}"
        case Both(parts):
            return _balanced(" & ", list(map(_tsquery, parts)))
        case Either(parts):
            return _balanced(" | ", list(map(_tsquery, parts)))
    raise AssertionError(node)


def _balanced(sign: str, parts: list[str]) -> str:
    """Parts joined two by two: PostgreSQL reads and answers by recursion."""
    while len(parts) > 1:
        pairs = [parts[start : start + 2] for start in range(0, len(parts), 2)]
        parts = [f"({sign.join(pair)})" if len(pair) > 1 else pair[0] for pair in pairs]
    return parts[0]
