"""Lenient reading of JSON documents: one strict look at the whole, then each record for itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from bot.errors import NotAFeed
from bot.feeds.documents import likeness
from bot.model import Entry

MOST_ENTRIES = 20_000  # of one document; the largest real feeds have about 5,000


class Record(BaseModel):
    """Base of what strangers write: unknown fields are ignored, numbers may stand for text."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True, frozen=True)


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _as_list(value: object) -> object:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


Text = Annotated[str, BeforeValidator(_or_empty)]  # null is an empty text

R = TypeVar("R", bound=Record)
Many = Annotated[tuple[R, ...], BeforeValidator(_as_list)]  # null is none, one is a list of one


def load(text: str, expected: str) -> Any:
    """The JSON in ``text``; raises NotAFeed that says what it looks like instead of ``expected``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotAFeed(f"expected {expected}, got {likeness(text)}") from error


def foreign(text: str, expected: str) -> NotAFeed:
    """The error for valid JSON that is something else."""
    return NotAFeed(f"expected {expected}, got {likeness(text)}")


def read_entries(
    raw: Sequence[Any], schema: type[R], entry: Callable[[R], Entry]
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The entries of ``raw`` and warnings; a record that does not fit ``schema`` is left out and counted."""
    entries: list[Entry] = []
    bad: list[str] = []
    for one in raw[:MOST_ENTRIES]:
        try:
            entries.append(entry(schema.model_validate(one)))
        except ValidationError as error:
            mistake = error.errors(include_url=False, include_input=False, include_context=False)[0]
            bad.append(f"{'.'.join(str(part) for part in mistake['loc']) or 'entry'}: {mistake['msg']}")
        except (ValueError, OverflowError) as error:
            bad.append(str(error))
    warnings = []
    if bad:
        warnings.append(f"{len(bad)} of {len(raw)} entries cannot be read and were left out ({bad[0][:120]})")
    if len(raw) > MOST_ENTRIES:
        warnings.append(f"{len(raw)} entries: all after the first {MOST_ENTRIES} were left out")
    if raw and not entries:
        raise NotAFeed(f"none of the {len(raw)} entries can be read ({bad[0][:120]})")
    return tuple(entries), tuple(warnings)
