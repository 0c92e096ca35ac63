"""What a condition looks at, an advisory with its verdict and its texts as tokens, and the evidence it finds there."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple

from bot.model import Advisory, Place, Verdict
from bot.text import Tokens, tokens

Where = Literal["anywhere", "title"]


class Evidence(NamedTuple):
    """Where a condition found what it asked for. ``start`` is -1 where a field was tested."""

    clause: str
    words: str
    place: Place
    start: int = -1
    end: int = -1


class Subject:
    """One advisory made ready for matching: its verdict, its time, its three texts as tokens (made when first needed).

    ``seen`` stands in for the publication date where there is none.
    """

    def __init__(self, advisory: Advisory, verdict: Verdict | None = None, *, seen: datetime) -> None:
        self.advisory = advisory
        self.verdict = verdict or Verdict()
        self.at = advisory.published or seen

    @cached_property
    def title(self) -> Tokens:
        return tokens(self.advisory.title)

    @cached_property
    def summary(self) -> Tokens:
        return tokens(self.advisory.summary)

    @cached_property
    def names(self) -> Tokens:
        return tokens(names_text(self.advisory))

    def texts(self, where: Where) -> tuple[tuple[Place, Tokens], ...]:
        """The texts that a word condition looks at."""
        if where == "title":
            return (("title", self.title),)
        return ("title", self.title), ("text", self.summary), ("field", self.names)


def names_text(advisory: Advisory) -> str:
    """Vendors and products as one text; a gap word that nobody types keeps a phrase from crossing names."""
    return " xqzgapzqx ".join((*advisory.vendors, *advisory.products))
