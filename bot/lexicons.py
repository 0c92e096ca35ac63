"""Lexicons: named lists of terms, one file each under ``config/lexicons/``, for rules and subscriptions to refer to.

    about: what a term must be to belong here
    terms:
      any: ["=NHS", "MX-800"]
      de: [Krankenhaus*, Klinik*]

Languages only keep a file readable: every term is looked for in every text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic

from bot.conditions import TermText
from bot.errors import ConfigError
from bot.terms import Term, parse_term
from bot.yamlfile import load


class LexiconFile(pydantic.BaseModel):
    """One file; its name without ``.yaml`` is the lexicon's name."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    about: Annotated[str, pydantic.Field(min_length=1, description="what a term must be to belong here")]
    terms: Annotated[
        dict[Annotated[str, pydantic.Field(pattern=r"^(any|[a-z]{2})$")], tuple[TermText, ...]],
        pydantic.Field(description="language (ISO 639-1, or any) -> terms"),
    ]


def load_lexicons(folder: Path) -> dict[str, tuple[Term, ...]]:
    """Every lexicon of ``folder`` by name, each term once. Raises ConfigError with file and line."""
    if not folder.is_dir():
        raise ConfigError(f"{folder}: folder not found; it holds the lexicons that rules refer to")
    files = {path.stem: load(path, LexiconFile) for path in sorted(folder.glob("*.yaml"))}
    return {name: _terms(file) for name, file in files.items()}


def _terms(file: LexiconFile) -> tuple[Term, ...]:
    """The terms of a file, each once; those that a beginning in the same file covers (``ransom*``) are left out."""
    unique = {_meaning(term): term for texts in file.terms.values() for term in map(parse_term, texts)}
    beginnings = {term.words[0] for term in unique.values() if _is_beginning(term)}
    return tuple(term for term in unique.values() if not _is_covered(term, beginnings))


def _is_beginning(term: Term) -> bool:
    return len(term.words) == 1 and not term.exact and term.words[0][-1] == "*" and term.words[0][0] != "*"


def _is_covered(term: Term, beginnings: set[str]) -> bool:
    word = term.words[0]
    if len(term.words) > 1 or word[0] == "*":
        return False
    core = word.rstrip("*")
    return any(f"{core[:length]}*" in beginnings for length in range(2, len(core) + (word[-1] != "*")))


def _meaning(term: Term) -> tuple[object, ...]:
    return term.words, term.exact, term.near, term.touching
