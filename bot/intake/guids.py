"""When a publisher gives a guid he has used to another thing. Pure."""

from __future__ import annotations

from bot.feeds.titles import bare_title
from bot.model import Advisory
from bot.stories import own_ids
from bot.text import words

IN_COMMON = 0.25  # share of the shorter title's words; a revision keeps more


def is_another(old: Advisory, new: Advisory) -> bool:
    """Whether ``new`` under the guid of ``old`` is no revision of it: another title, and another link or date.

    One id of the publisher's, or one CVE, in common is enough to make it the same.
    """
    if old.url == new.url and old.published == new.published:
        return False
    if set(old.cves) & set(new.cves) or own_ids(old) & own_ids(new):
        return False
    mine, theirs = set(words(bare_title(old.title))), set(words(bare_title(new.title)))
    return bool(mine and theirs) and len(mine & theirs) < IN_COMMON * min(len(mine), len(theirs))


def put_aside(old: Advisory) -> str:
    """The key under which ``old`` is kept once its guid belongs to another."""
    return f"{old.key}#{old.hash[:16]}"
