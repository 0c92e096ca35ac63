"""How a query is spelled: its tokens, its structure, and the quotes that reading and writing share."""

from __future__ import annotations

import re
from functools import lru_cache

from lark import Lark

QUOTES = '"“”„‟＂«»'  # any of them opens, any of them closes: phones turn straight quotes into curly ones
DASHES = "\\-–—−"
QUOTED = rf"[{QUOTES}](?:\\.|[^{QUOTES}\\])*+[{QUOTES}]"
OPERATORS = {"AND", "OR", "NOT"}
_GRAMMAR = rf"""
    start: any
    any: all (OR all)*
    all: _one (AND? _one)*
    _one: not | LPAR any RPAR | TERM | OPEN | ALONE
    not: (NOT | MINUS) _one
    LPAR: "("
    RPAR: ")"
    AND.3: /AND(?=[\s(){QUOTES}]|$)/
    OR.3: /OR(?=[\s(){QUOTES}]|$)/
    NOT.3: /NOT(?=[\s(){QUOTES}]|$)/
    MINUS.3: /[{DASHES}](?=[^\s)])/
    ALONE.3: /[{DASHES}](?=[\s)]|$)/
    OPEN.2: /[{QUOTES}](?:\\.|[^{QUOTES}\\])*+(?![{QUOTES}])/s
    TERM.1: /https?:\/\/(?:[^\s(){QUOTES}]|\([^\s(){QUOTES}]*\))+|(?:{QUOTED}|[^\s(){QUOTES}])+/s
    %ignore /\s+/
"""


@lru_cache(maxsize=1)
def grammar() -> Lark:
    """The parser of a query's structure. Every character belongs to some token, so only the order can be wrong."""
    return Lark(_GRAMMAR, parser="lalr", lexer="basic", maybe_placeholders=False)


def quoted(text: str) -> str:
    """``text`` in quotes, with its own quotes and the backslashes that would mislead escaped."""
    return '"' + re.sub(rf"([{QUOTES}]|\\(?=[{QUOTES}\\]|$))", r"\\\1", text) + '"'


def unquoted(text: str) -> str:
    """What stands between the quotes."""
    return re.sub(rf"\\([{QUOTES}\\])", r"\1", text[1:-1])
