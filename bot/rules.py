"""The rule file ``config/rules.yaml``: what concerns healthcare, what threatens, how grave it is.

Three tables of rules, each a condition (``conditions.py``) with an id and a title for people:

- ``relevance``: every rule that holds counts, ``direct`` over ``mention``. A rule whose words all stand in a list of
  sectors (``lists``) gives a mention at most.
- ``threats``: the title decides; the text is asked where the title names none (or by rules whose ``text_counts``
  always). Every rule that holds adds its threat; ``instead_of`` takes lesser ones back, save from a ``firm`` rule.
- ``severity``: the highest grade of the rules that hold; they may test ``relevance`` and ``threat``.

``masks`` name lexicons whose words hide what stands beneath them ("health check"), ``text_masks`` the same in running
text only ("health insurance details"). ``denials`` hide the words of threats beneath them ("no data was stolen"), never
who is spoken of. Since they hide all they cover, none of them may hold a nearness. Text after one of ``tails``
("Related:") does not count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pydantic

from bot.conditions import Condition, Lexicons, lexicons_used
from bot.errors import ConfigError
from bot.model import Place, Relevance, Severity, Threat
from bot.yamlfile import load, nearest

Fact = Literal[
    "health-publisher",  # the source serves the health sector only
    "few-sectors",  # the publisher names one or two sectors
    "many-sectors",  # ... three or more
    "known-ransomware",  # CISA knows its use in ransomware campaigns
    "stated-critical",  # the publisher's own grading
    "stated-high",
    "stated-medium",
    "stated-low",
]


PLACES: tuple[Place, ...] = ("title", "text", "field")  # field: the names of vendors and products


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)


class Rule(_Strict):
    """One line of a table: it holds when ``fact`` and ``when`` do, ``unless`` does not, and ``beside`` is near.

    ``places``, ``first`` and ``capital`` say which of the words found by ``when`` count; one must remain.
    """

    id: Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", description="short name, unique")]
    title: Annotated[str, pydantic.Field(min_length=1, description="the reason, as people read it")]
    note: Annotated[str, pydantic.Field(description="why the rule is so")] = ""
    fact: Annotated[Fact | None, pydantic.Field(description="a typed fact of the advisory")] = None
    when: Annotated[Condition | None, pydantic.Field(description="the condition")] = None
    unless: Annotated[Condition | None, pydantic.Field(description="what stops it")] = None
    beside: Annotated[Condition | None, pydantic.Field(description="what must stand near the words of `when`")] = None
    within: Annotated[int, pydantic.Field(ge=0, le=50, description="how near: words between them, at most")] = 8

    places: Annotated[tuple[Place, ...], pydantic.Field(min_length=1, description="where words count")] = PLACES
    first: Annotated[int | None, pydantic.Field(ge=1, description="only so many words of the text count")] = None
    capital: Annotated[bool, pydantic.Field(description="words count only with a capital in them: names")] = False

    @pydantic.model_validator(mode="after")
    def _sensible(self) -> Rule:
        if self.when is None and self.fact is None:
            raise ValueError("a rule needs `when` or `fact`")
        if self.beside is not None and self.when is None:
            raise ValueError("`beside` needs `when`: the words that it stands beside")
        return self

    @property
    def sides(self) -> dict[str, Condition]:
        """What stops the rule, and what must be near, by the name of the part."""
        parts = {"unless": self.unless, "beside": self.beside}
        return {name: part for name, part in parts.items() if part is not None}

    @property
    def conditions(self) -> dict[str, Condition]:
        """Its conditions by the name of their part."""
        return {"when": self.when, **self.sides} if self.when is not None else self.sides


class RelevanceRule(Rule):
    """Says how an advisory concerns healthcare."""

    gives: Annotated[Relevance, pydantic.Field(description="direct or mention")]

    @pydantic.field_validator("gives")
    @classmethod
    def _positive(cls, value: Relevance) -> Relevance:
        if value is Relevance.NONE:
            raise ValueError("none is what remains when no rule holds; use direct or mention")
        return value


class ThreatRule(Rule):
    """Says what kind of danger an advisory speaks of."""

    gives: Annotated[Threat, pydantic.Field(description="the threat")]
    text_counts: Annotated[
        Literal["untitled", "always"],
        pydantic.Field(description="whether words in the text count although the title names another threat"),
    ] = "untitled"
    vague: Annotated[bool, pydantic.Field(description="a title that says only this leaves it to the text")] = False
    firm: Annotated[bool, pydantic.Field(description="no other rule takes it back")] = False
    instead_of: Annotated[tuple[Threat, ...], pydantic.Field(description="weaker threats it replaces")] = ()


class SeverityRule(Rule):
    """Says how grave it is at least."""

    gives: Annotated[Severity, pydantic.Field(description="at least this grade")]


class Lists(_Strict):
    """When a hit is merely one of many: so many other sectors stand near it, or a word that introduces an example."""

    lexicon: Annotated[str, pydantic.Field(description="the names of sectors")]
    others: Annotated[int, pydantic.Field(ge=1, description="how many other sectors make a list")] = 2
    reach: Annotated[int, pydantic.Field(ge=1, le=50, description="within so many words before or after")] = 12
    examples: Annotated[str, pydantic.Field(description="the lexicon of words that introduce an example")] = ""
    titles: Annotated[str, pydantic.Field(description="the lexicon of titles under which all is one of many")] = ""
    after: Annotated[int, pydantic.Field(ge=0, le=10, description="so many words may stand between")] = 2


class Denials(_Strict):
    """Words that take back a threat beneath them."""

    lexicon: Annotated[str, pydantic.Field(description="the words that deny")]
    hides: Annotated[tuple[str, ...], pydantic.Field(description="the lexicons of threats they take back")]


class Rules(_Strict):
    """The whole file."""

    masks: Annotated[tuple[str, ...], pydantic.Field(description="lexicons whose words hide what is beneath")] = ()
    text_masks: Annotated[tuple[str, ...], pydantic.Field(description="the same, in running text only")] = ()
    denials: Denials | None = None
    tails: Annotated[tuple[str, ...], pydantic.Field(description="what begins a tail of unrelated links")] = ()
    lists: Lists | None = None
    relevance: tuple[RelevanceRule, ...] = ()
    threats: tuple[ThreatRule, ...] = ()
    severity: tuple[SeverityRule, ...] = ()

    @property
    def all(self) -> tuple[RelevanceRule | ThreatRule | SeverityRule, ...]:
        """Every rule, in the order of the file."""
        return (*self.relevance, *self.threats, *self.severity)

    @pydantic.model_validator(mode="after")
    def _unique(self) -> Rules:
        seen: set[str] = set()
        for rule in self.all:
            if rule.id in seen:
                raise ValueError(f"two rules have the id {rule.id!r}")
            seen.add(rule.id)
        return self

    @property
    def covering(self) -> dict[str, str]:
        """Names of the lexicons whose words hide others, each with the place that refers to it."""
        named = {"masks": self.masks, "text_masks": self.text_masks}
        if self.denials:
            named["denials"] = (self.denials.lexicon,)
        return {name: place for place, names in named.items() for name in names}

    @property
    def lexicons(self) -> dict[str, str]:
        """Names of the lexicons referred to, each with the place that refers to it."""
        used = self.covering | dict.fromkeys(self.denials.hides if self.denials else (), "denials")
        if self.lists:
            names = (self.lists.lexicon, self.lists.examples, self.lists.titles)
            used |= dict.fromkeys(filter(None, names), "lists")
        for rule in self.all:
            for condition in rule.conditions.values():
                used |= dict.fromkeys(lexicons_used(condition), f"rule {rule.id}")
        return used


def load_rules(path: Path, lexicons: Lexicons) -> Rules:
    """Read and check a rule file. Raises ConfigError that names file, line and what to write instead."""
    names = sorted(lexicons)
    rules = load(path, Rules, names)
    for name, place in rules.lexicons.items():
        if name not in names:
            line = _line_of(path, name)
            raise ConfigError(f"{path}:{line}: {place}: no lexicon {name!r}{nearest(name, names)}")
    for name, place in rules.covering.items():
        wide = next((term for term in lexicons[name] if term.near is not None), None)
        if wide is not None:
            raise ConfigError(
                f"{path}:{_line_of(path, name)}: {place}: lexicon {name!r} holds {wide.text}, which would hide all "
                "between its words; write words in a row"
            )
    return rules


def _line_of(path: Path, name: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if name in line.split("#")[0]), 1)
