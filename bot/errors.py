"""Every error Wardwatch raises on purpose.

    WardwatchError                 one clear line: what is wrong, where, and what to do
    ├── ConfigError                a setting or a file under config/ is wrong; start refuses
    ├── FetchError                 a source did not answer with a document
    ├── NotAFeed                   a document was fetched, but it is no feed in the expected format
    ├── QueryError                 a typed query cannot be read; knows the column
    ├── StoreError                 the database cannot be used (locked, unwritable, from a newer version)
    └── SendError                  a chat platform did not take a message
        ├── RateLimited            ... and says when to come back
        ├── Unavailable            ... certainly not delivered; worth another try
        ├── OutcomeUnknown         ... or it did, and the answer was lost: ask before sending again
        └── Refused                ... and never will in this form; the reason decides what to do

A class exists only where someone catches it differently. The text of an error is meant for a person.
"""

from __future__ import annotations

from enum import StrEnum


class WardwatchError(Exception):
    """Base of all; ``str(error)`` is one line for a person."""


class ConfigError(WardwatchError):
    """A setting or a configuration file is wrong; the line names file, line and field."""


class FetchError(WardwatchError):
    """A source could not be fetched.

    ``status`` is the HTTP status when there was one; ``retry_after`` is in seconds when the server asked for a pause.
    """

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NotAFeed(WardwatchError):
    """The document is not a feed of the expected format (an HTML error page, an empty body, a refused DOCTYPE)."""


class QueryError(WardwatchError):
    """A query cannot be read. ``column`` counts characters from 0; ``query`` is the text as typed."""

    def __init__(self, message: str, *, query: str = "", column: int = 0) -> None:
        super().__init__(message)
        self.query = query
        self.column = column

    def caret(self) -> str:
        """The query, or what surrounds the error in a long one, with a caret under its place, as two lines."""
        first = max(0, self.column - 60)
        shown = "".join(c if c.isprintable() else " " for c in self.query[first : self.column + 40])
        left, right = "…" if first else "", "…" if len(self.query) > self.column + 40 else ""
        return f"{left}{shown}{right}\n{' ' * (self.column - first + len(left))}^"


class StoreError(WardwatchError):
    """The database cannot be used; the line says what to do."""


class SendError(WardwatchError):
    """A chat platform did not take a message."""


class RateLimited(SendError):
    """The platform asks for a pause of ``retry_after`` seconds; ``everywhere`` if it holds for the whole workspace."""

    def __init__(self, message: str, *, retry_after: float, everywhere: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.everywhere = everywhere


class Unavailable(SendError):
    """Certainly not delivered (connection refused, DNS, a fault before the request was sent); worth another try."""


class OutcomeUnknown(SendError):
    """The request went out and no clear answer came back: the message may or may not be there."""


class Refusal(StrEnum):
    """Why a platform refuses for good; each has its own right answer in ``deliver``."""

    AUTH = "auth"  # the token is invalid, revoked, or lacks a scope: stop everything, tell the operators
    GONE = "gone"  # the channel does not exist or is archived: stop the destination
    NOT_A_MEMBER = "not-a-member"  # the bot is not in the channel and could not join
    FORM = "form"  # the message's form was refused (too long, invalid blocks): send it plain
    OTHER = "other"


class Refused(SendError):
    """The platform answered no. ``reason`` says which kind of no, ``code`` is the platform's own word."""

    def __init__(self, message: str, *, reason: Refusal = Refusal.OTHER, code: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code
