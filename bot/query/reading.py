"""A query as typed -> its condition tree; what is wrong is said for a person, with the column."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import NoReturn

import pydantic
from lark import Token, Tree
from lark.exceptions import UnexpectedToken

from bot.conditions import All, Any, Condition, Lexicon, Not, Words
from bot.errors import QueryError
from bot.fields import CHOICES, COMPARISONS, Field, FieldName, nearest
from bot.query.grammar import OPERATORS, QUOTED, QUOTES, grammar, unquoted
from bot.subject import Where
from bot.terms import parse_term
from bot.text import visible

MAX_CHARACTERS, MAX_DEPTH, MAX_NODES, MAX_TERMS = 2000, 12, 200, 100

_FIELD = re.compile(r"([^\W\d_][\w.-]*):(.*)", re.DOTALL)
_UNPARTED = re.compile(r"([a-z]+)([<>]=?|[=≥≤])(.+)", re.IGNORECASE | re.DOTALL)
_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_VALUE = re.compile(rf"=?{QUOTED}(?:~\d+)?|[^,{QUOTES}]+", re.DOTALL)
_TERM = re.compile(rf"(=?)(?:({QUOTED})(~\d+)?|([^{QUOTES}]+))", re.DOTALL)
_SIGN = re.compile(r"([<>]=?|[≥≤=])(.*)", re.DOTALL)
_SIGNS = {sign: name for name, sign in COMPARISONS.items()}
_DURATION = re.compile(r"\d{1,9}[smhdw]", re.ASCII | re.IGNORECASE)
_NAMES = [*(name.value for name in FieldName), "title", "since", "lexicon"]
_SPELLINGS = {"organization": "organisation"}
_EXAMPLES = {"severity": ">=high", "cvss": ">=7", "epss": ">0.5", "kev": "yes", "since": "30d", "published": "2024-05"}


def parse(text: str, *, lexicons: Collection[str] | None = None) -> Condition:
    """The condition that ``text`` describes. Raises QueryError, and nothing else, with the column of the mistake.

    ``lexicons`` are the names that ``lexicon:`` may use; None leaves them unchecked.
    """
    if not text.strip():
        raise QueryError("the query is empty; write a word, such as: ransomware hospital", query="", column=0)
    if len(text) > MAX_CHARACTERS:
        raise QueryError(
            f"the query is longer than {MAX_CHARACTERS:,} characters",
            query=text[:MAX_CHARACTERS],
            column=MAX_CHARACTERS,
        )
    return _Reader(text, lexicons).read()


def hint(text: str) -> str:
    """A line for who wrote an operator in small letters and may have meant it, or an empty string."""
    words = re.sub(QUOTED, " ", text, flags=re.DOTALL).split()
    small = next((word for word in words if word in ("or", "and", "not")), "")
    return f'"{small}" is looked for as a word; the operator is written {small.upper()}' if small else ""


class _Reader:
    """Reads one query; counts what it may cost."""

    def __init__(self, text: str, lexicons: Collection[str] | None) -> None:
        self._text = text
        self._lexicons = lexicons
        self._terms = 0
        self._nodes = 0

    def read(self) -> Condition:
        return self._build(self._tree())

    def _fail(self, message: str, column: int, cause: Exception | None = None) -> NoReturn:
        raise QueryError(message, query=self._text, column=column) from cause

    # -- structure

    def _tree(self) -> Tree[Token]:
        parser = grammar().parse_interactive(self._text)
        before: list[Token] = []  # what is open: parentheses, and operators that wait for their right side
        last: Token | None = None
        try:
            for token in parser.lexer_thread.lex(parser.parser_state):  # type: ignore[no-untyped-call]
                parser.feed_token(token)
                self._nest(token, before)
                last = token
            tree: Tree[Token] = parser.feed_eof(last)  # type: ignore[no-untyped-call]
        except UnexpectedToken as error:
            self._explain(error.token, last, before, error)
        return tree

    def _nest(self, token: Token, before: list[Token]) -> None:
        """Keep ``before``; refuse what is nested too deep, and what is no word."""
        if token.type == "OPEN":
            self._fail("this quote is never closed", _at(token))
        if token.type == "ALONE":
            self._fail("a dash alone; write -word to leave a word out, or put the text in quotes", _at(token))
        if token.type in ("LPAR", "NOT", "MINUS"):
            before.append(token)
            if len(before) > MAX_DEPTH:
                self._fail(f"parentheses and NOTs are nested more than {MAX_DEPTH} deep", _at(token))
            return
        if token.type == "RPAR":
            while before.pop().type != "LPAR":
                pass
        if token.type in ("TERM", "RPAR"):
            while before and before[-1].type != "LPAR":
                before.pop()

    def _explain(self, token: Token, last: Token | None, before: list[Token], cause: Exception) -> NoReturn:
        if last is not None and last.type in (*OPERATORS, "MINUS"):
            self._fail(f'{last} needs something after it; in quotes ("{last.lower()}") it is a word', _at(last), cause)
        if token.type == "RPAR":
            if last is not None and last.type == "LPAR":
                self._fail("nothing between the parentheses", _at(last), cause)
            self._fail("this ) closes nothing", _at(token), cause)
        if token.type == "$END":
            opened = next(one for one in reversed(before) if one.type == "LPAR")
            self._fail("this ( is never closed", _at(opened), cause)
        self._fail(f'{token} needs something before it; in quotes ("{token.lower()}") it is a word', _at(token), cause)

    def _build(self, tree: Tree[Token]) -> Condition:
        parts: list[Condition] = []
        for child in tree.children:
            if isinstance(child, Tree):
                parts.append(self._build(child))
            elif child.type == "TERM":
                parts.append(self._leaf(str(child), _at(child)))
        if tree.data == "not":
            return self._counted(Not(not_=parts[0]))
        joined = _any(parts) if tree.data == "any" else _all(parts)
        return self._counted(joined) if len(parts) > 1 else joined

    def _counted(self, condition: Condition, terms: int = 0, column: int = 0) -> Condition:
        self._nodes += 1
        self._terms += terms
        if self._terms > MAX_TERMS or self._nodes > MAX_NODES:
            self._fail(f"more than {MAX_TERMS} words and values, or {MAX_NODES} parts; split the query", column)
        return condition

    # -- one word, or one test of a field

    def _leaf(self, typed: str, column: int) -> Condition:
        quote = re.search(f"[{QUOTES}]", typed)
        head = quote.start() if quote else len(typed)
        text = visible(typed[:head]) + typed[head:]
        if _ADDRESS.fullmatch(text):
            return self._field(FieldName.URL, column, is_=(text if "*" in text else f"{text}*",))
        named = _FIELD.fullmatch(text)
        if named:
            return self._named(named[1].lower(), named[2], column, column + named.start(2))
        unparted = _UNPARTED.fullmatch(text)
        if unparted and unparted[1].lower() in _NAMES:
            self._fail(f"write {unparted[1]}:{unparted[2]}{unparted[3]}, with a colon", column)
        return self._words([(text, column)], "anywhere")

    def _named(self, typed: str, rest: str, column: int, at: int) -> Condition:
        name = _SPELLINGS.get(typed, typed)
        if name not in _NAMES:
            close = nearest(f"{name}:", [f"{known}:" for known in _NAMES])
            self._fail(f"there is no field {name}:{close or '; put the text in quotes to look for its words'}", column)
        if not rest:
            self._fail(f"{name}: needs a value right behind the colon, such as {_example(name)}", at)
        if name == "title" and rest.lower().startswith("lexicon:"):
            return self._lexicon(rest[8:], "title", at + 8)
        if name == "title":
            return self._words(self._values(rest, at), "title")
        if name == "lexicon":
            return self._lexicon(rest, "anywhere", at)
        if name == "since":
            return self._since(self._bare(rest, at), at)
        return self._test(FieldName(name), rest, at)

    def _since(self, value: str, at: int) -> Condition:
        if _DURATION.fullmatch(value):
            return self._field(FieldName.PUBLISHED, at, since=value.lower())
        if not re.match(r"\d{4}(-|$)", value):
            self._fail("since: takes a span such as 12h, 30d or 2w, or a date such as 2024-05-26", at)
        return self._field(FieldName.PUBLISHED, at, at_least=value)

    def _test(self, name: FieldName, rest: str, at: int) -> Condition:
        signed = _SIGN.fullmatch(rest)
        sign = signed[1].replace("≥", ">=").replace("≤", "<=") if signed else "="
        at, rest = (at + signed.start(2), signed[2]) if signed else (at, rest)
        values = [self._bare(value, column) for value, column in self._values(rest, at)]
        if name in CHOICES or name is FieldName.KEV:
            values = [value.lower() for value in values]
        if name is FieldName.KEV:
            values = [{"true": "yes", "false": "no"}.get(value, value) for value in values]
        if name is FieldName.PUBLISHED and _DURATION.fullmatch(values[0]):
            self._fail(f"published: takes a date; write since:{values[0]} for a span of time", at)
        if sign == "=":
            return self._field(name, at, is_=tuple(values))
        if len(values) > 1:
            self._fail(f"{name}:{sign} takes one value", at)
        return self._field(name, at, **{_SIGNS[sign]: values[0]})

    def _values(self, rest: str, at: int) -> Iterator[tuple[str, int]]:
        """The values between commas, as typed, with their columns."""
        place = 0
        while True:
            found = _VALUE.match(rest, place)
            if not found:
                self._fail("a value is missing here; write several with commas and no spaces: a,b", at + place)
            yield found[0], at + place
            place = found.end()
            if place == len(rest):
                return
            if rest[place] != ",":
                self._fail("a quote in the middle; put the whole value in quotes", at + place)
            place += 1

    def _bare(self, typed: str, column: int) -> str:
        """A value without its quotes."""
        if not re.search(f"[{QUOTES}]", typed):
            return typed
        if not re.fullmatch(QUOTED, typed, re.DOTALL):
            self._fail("a quote in the middle; put the whole value in quotes", column)
        return unquoted(typed)

    def _words(self, typed: Iterable[tuple[str, int]], where: Where) -> Condition:
        texts, column = [], 0
        for text, column in typed:
            texts.append(self._term(text, column))
        return self._counted(Words(words=tuple(texts), in_=where), len(texts), column)

    def _term(self, typed: str, column: int) -> str:
        """A term as ``parse_term`` reads it."""
        form = _TERM.fullmatch(typed)
        if not form:
            wrong = "a quote in the middle of a word; put a space before it" if typed else "nothing that can be seen"
            self._fail(wrong, column)
        exact, quoted, distance, bare = form.groups()
        if bare and "*" in bare.strip("*"):
            self._fail("a * stands at the beginning or the end of a word", column)
        if exact and distance:
            self._fail("= and ~ do not go together", column)
        inner = bare or " ".join(unquoted(quoted).replace('"', "'").split())
        plain = f'"{inner}"' if inner.startswith("=") else inner  # an = inside quotes is no sign
        try:
            return parse_term(f'"{inner}"{distance}' if distance else exact + inner if exact else plain).text
        except ValueError as error:
            self._fail(str(error)[:200], column, error)

    def _lexicon(self, rest: str, where: Where, at: int) -> Condition:
        name = self._bare(rest, at)
        if self._lexicons is not None and name not in self._lexicons:
            known = nearest(name, self._lexicons) or f"; there are: {', '.join(sorted(self._lexicons)) or 'none'}"
            self._fail(f"there is no lexicon {name!r}{known}", at)
        return self._counted(Lexicon(lexicon=name, in_=where), 1, at)

    def _field(self, name: FieldName, column: int, **test: object) -> Condition:
        try:
            condition = Field.model_validate({"field": name, **test})
        except pydantic.ValidationError as error:
            self._fail(error.errors()[0]["msg"].removeprefix("Value error, "), column, error)
        return self._counted(condition, max(1, len(condition.is_)), column)


def _at(token: Token) -> int:
    return token.start_pos or 0


def _example(name: str) -> str:
    return f"{name}:{_EXAMPLES.get(name, 'philips' if name == 'vendor' else 'word')}"


def _flat(parts: Iterable[Condition], kind: type[All] | type[Any]) -> Iterator[Condition]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.all if isinstance(part, All) else part.any
        else:
            yield part


def _all(parts: Iterable[Condition]) -> Condition:
    flat = tuple(_flat(parts, All))
    return flat[0] if len(flat) == 1 else All(all=flat)


def _any(parts: Iterable[Condition]) -> Condition:
    """Words that stand beside each other become one condition."""
    joined: list[Condition] = []
    for part in _flat(parts, Any):
        last = joined[-1] if joined else None
        if isinstance(part, Words) and isinstance(last, Words) and part.in_ == last.in_:
            joined[-1] = Words(words=(*last.words, *part.words), in_=part.in_)
        else:
            joined.append(part)
    return joined[0] if len(joined) == 1 else Any(any=tuple(joined))
