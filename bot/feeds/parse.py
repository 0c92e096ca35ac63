"""Bytes to ``Entry`` values: what a feed said, as it said it. One function per format."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from bot.errors import NotAFeed
from bot.feeds.csaf import read_csaf
from bot.feeds.csh import read_csh
from bot.feeds.documents import decode, likeness
from bot.feeds.euvd import read_euvd
from bot.feeds.jsonfeed import read_jsonfeed
from bot.feeds.kev import read_kev
from bot.feeds.nhs import read_nhs
from bot.feeds.openfda import read_openfda
from bot.feeds.rss import read_rss
from bot.model import Feed, Format

READERS: Mapping[Format, Callable[[str], Feed]] = {
    Format.RSS: read_rss,
    Format.JSONFEED: read_jsonfeed,
    Format.KEV: read_kev,
    Format.CSAF: read_csaf,
    Format.NHS: read_nhs,
    Format.EUVD: read_euvd,
    Format.OPENFDA: read_openfda,
    Format.CSH: read_csh,
}
_SIGNS: tuple[tuple[Format, re.Pattern[str]], ...] = (  # in the first characters of a JSON document
    (Format.JSONFEED, re.compile(r"jsonfeed\.org\\?/version\\?/")),
    (Format.KEV, re.compile(r'"(?:cveID|catalogVersion)"')),
    (Format.NHS, re.compile(r'"threatId"')),
    (Format.EUVD, re.compile(r'"(?:enisaUuid|enisaIdProduct|enisaIdVendor|EUVD-\d)|"id"\s*:\s*"EUVD-')),
    (Format.OPENFDA, re.compile(r'"(?:cfres_id|product_res_number|res_event_number)"|open\.fda\.gov')),
    (Format.CSAF, re.compile(r'"csaf_version"|"document"\s*:|"feed"\s*:')),
)


def parse(body: bytes, format: Format, *, content_type: str = "", url: str = "") -> Feed:
    """The feed in ``body`` (already decompressed), read as ``format``.

    One bad entry is left out and named in ``Feed.warnings``. Raises NotAFeed for everything that is no feed of that
    format: an empty body, an HTML page, an error object. A valid feed without entries is a feed.
    """
    text = decode(body, content_type)
    if not text.strip():
        raise NotAFeed("an empty body")
    looks_like_json = text.lstrip()[:1] in ("{", "[")
    if looks_like_json == (format is Format.RSS):
        expected = "RSS or Atom" if format is Format.RSS else f"JSON ({format})"
        raise NotAFeed(f"expected {expected}, got {likeness(text)}")
    return READERS[format](text)


def sniff(body: bytes, content_type: str = "") -> Format:
    """The format that ``body`` looks like; RSS when nothing speaks for another."""
    text = decode(body[:200_000], content_type).lstrip()
    if text[:1] not in ("{", "["):
        return Format.RSS
    for format, sign in _SIGNS:
        if sign.search(text):
            return format
    return Format.CSH if text[0] == "[" and '"id"' in text else Format.JSONFEED
