"""Whatever the bytes: a feed or NotAFeed, and advisories that can be stored and sent."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.errors import NotAFeed
from bot.feeds.bodies import Damaged, TooLarge, decompressed
from bot.feeds.dates import read_date
from bot.feeds.identity import advisories
from bot.feeds.normalise import normalise
from bot.feeds.parse import parse, sniff
from bot.model import Advisory, Entry, Feed, Format
from tests.feeds.sources import BASE, NOW, rss, source

FORMATS = st.sampled_from(list(Format))
FRAGMENTS = st.sampled_from(
    [
        "<rss version='2.0'>",
        "<channel>",
        "<item>",
        "</item>",
        "<title>",
        "</title>",
        "<guid>",
        "<link>",
        "<pubDate>",
        "x",
        "&lt;b&gt;",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "<?xml version='1.0' encoding='",
        "utf-16",
        "'?>",
        "<!DOCTYPE rss [",
        "]>",
        "&#0;",
        "&#xD800;",
        "\x00",
        "\ufffe",
        "é",
        "病院",
        "</channel>",
        "</rss>",
        "<feed xmlns='http://www.w3.org/2005/Atom'>",
        "<entry>",
        "<content type='xhtml'>",
        "javascript:",
        "1730000000",
        "Thu, 27 Aug 26",
        "CVE-2026-1234",
        "\u202e",
        "<html>",
        "<base href='http://[::1'>",
    ]
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(advisory: Advisory) -> None:
    assert advisory.title
    assert 0 < len(advisory.key) <= 500
    assert len(advisory.title) <= 500
    assert len(advisory.summary) <= 20_000
    assert not advisory.url or advisory.url.startswith(("http://", "https://"))
    assert all(
        date is None or datetime(1990, 1, 1, tzinfo=UTC) <= date for date in (advisory.published, advisory.updated)
    )
    assert advisory.cvss is None or 0 <= advisory.cvss <= 10
    texts = (
        advisory.title,
        advisory.summary,
        advisory.url,
        advisory.key,
        *advisory.vendors,
        *advisory.products,
        *advisory.sectors,
    )
    for text in texts:
        text.encode("utf-8")  # no surrogate: it could not be stored
        assert not any(ord(letter) < 32 and letter != "\n" for letter in text)
        assert not set(text) & set("\u202a\u202b\u202d\u202e\u200b\ufeff\x7f")


def check_line(line: str) -> None:
    line.encode("utf-8")
    assert line
    assert "\n" not in line


def read(body: bytes, format: Format, content_type: str = "") -> None:
    try:
        feed = parse(body, format, content_type=content_type)
    except NotAFeed as error:
        check_line(str(error))
        return
    assert isinstance(feed, Feed)
    for advisory in advisories(feed, source(), BASE, NOW):
        check(advisory)


@QUICK
@given(
    st.binary(max_size=300),
    FORMATS,
    st.sampled_from(["", "text/xml; charset=utf-16", "text/xml; charset=hex", "x; charset="]),
)
def test_any_bytes(body: bytes, format: Format, content_type: str) -> None:
    read(body, format, content_type)
    assert sniff(body, content_type) in Format


@QUICK
@given(st.lists(FRAGMENTS, max_size=25).map("".join), st.sampled_from(["utf-8", "utf-16", "utf-32-be", "utf-7"]))
def test_any_pile_of_xml(text: str, encoding: str) -> None:
    read(text.encode(encoding, "ignore"), Format.RSS)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = {
    Format.KEV: ["cveID", "vendorProject", "product", "dateAdded", "knownRansomwareCampaignUse", "vulnerabilityName"],
    Format.CSAF: ["id", "title", "link", "summary", "published", "content"],
    Format.NHS: ["threatId", "title", "summary", "severity", "publishedDate", "basePath", "category", "threatAffects"],
    Format.JSONFEED: ["id", "url", "title", "content_html", "date_published", "language"],
    Format.EUVD: ["id", "description", "aliases", "baseScore", "enisaIdProduct", "enisaIdVendor"],
    Format.OPENFDA: ["product_res_number", "cfres_id", "recalling_firm", "product_description", "event_date_posted"],
    Format.CSH: ["id", "title", "content", "url", "publishedAt"],
}
GOOD_IDS = {"cveID": "CVE-2026-1234", "threatId": "CC-7", "id": "EUVD-1", "cfres_id": "7"}
WRAPS = {
    Format.KEV: "vulnerabilities",
    Format.OPENFDA: "results",
    Format.NHS: "items",
    Format.JSONFEED: "items",
    Format.CSAF: "entry",
}


@QUICK
@given(st.data(), st.sampled_from(list(NAMES)))
def test_any_json_records(draw: st.DataObject, format: Format) -> None:
    record = draw.draw(st.dictionaries(st.sampled_from(NAMES[format]), JSON_VALUES | st.text(max_size=30)))
    good = {name: value for name, value in GOOD_IDS.items() if name in NAMES[format]}
    records = [record, {**record, **good}]
    document: object = {WRAPS[format]: records, "total": 2} if format in WRAPS else records
    if format is Format.CSAF:
        document = {"feed": document}
    if format is Format.JSONFEED:
        document = {**document, "version": "https://jsonfeed.org/version/1"}  # type: ignore[dict-item]
    read(json.dumps(document).encode(), format)


@QUICK
@given(st.builds(Entry, *[st.text(max_size=60) for _ in range(7)]))
@example(Entry(guid="\ud800", title="\x00", link="http://a.example/\ud800"))
@example(Entry(guid="\u200b", summary="<p>&#x202e;</p>"))
def test_any_entry(one: Entry) -> None:
    check(normalise(one, source(), base_url=BASE, now=NOW))


@QUICK
@given(st.text(max_size=60))
@example("99 Dec 99 99:99 +9999")
@example("1 jan 2026 10:00 +2400")
def test_any_date(text: str) -> None:
    moment = read_date(text)
    assert moment is None or moment.utcoffset() == datetime(2026, 1, 1, tzinfo=UTC).utcoffset()


@QUICK
@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b\x08\x00", b"\x78\x9c", rss()]))
def test_any_compressed_bytes(body: bytes, head: bytes) -> None:
    with suppress(Damaged, TooLarge):
        assert len(decompressed(head + body, 1000)) <= 1000
