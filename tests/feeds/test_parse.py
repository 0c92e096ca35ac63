"""What a document says, and what is no feed."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta

import pytest

from bot.errors import NotAFeed
from bot.feeds.bodies import Damaged, TooLarge, decompressed
from bot.feeds.parse import parse, sniff
from bot.model import Feed, Format
from tests.feeds.sources import rss

TWO = rss("<title>First</title><guid>1</guid>", "<title>Second</title><guid>2</guid>")


def titles(body: bytes, content_type: str = "") -> list[str]:
    return [entry.title for entry in parse(body, Format.RSS, content_type=content_type).entries]


def complaint(body: bytes, format: Format = Format.RSS) -> str:
    with pytest.raises(NotAFeed) as caught:
        parse(body, format)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_rss_as_it_was_written() -> None:
    item = (
        "<title>Tom &amp;lt;b&amp;gt;</title><link>\n https://a.example/1 \n</link>"
        "<guid isPermaLink='false'>/node/7</guid>"
        "<description>&lt;p&gt;Text&lt;/p&gt;</description><pubDate>Thu, 27 Aug 26 12:00:00 +0000</pubDate>"
    )
    feed = parse(rss(item, head="<language>fr-FR</language>"), Format.RSS)
    (only,) = feed.entries
    assert (only.guid, only.link, only.summary) == ("/node/7", "https://a.example/1", "<p>Text</p>")
    assert only.published == "Thu, 27 Aug 26 12:00:00 +0000"
    assert only.updated == ""
    assert (feed.title, feed.language) == ("Example CERT", "fr-FR")


def test_atom_takes_the_longer_of_summary_and_content() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="nl"><title>T</title><entry><id>urn:x</id>
      <title>A</title><updated>2026-09-23T19:11:24Z</updated><link href="/a"/><summary></summary>
      <content type="html">&lt;p&gt;Long text&lt;/p&gt;</content></entry></feed>"""
    feed = parse(body, Format.RSS)
    (only,) = feed.entries
    assert (only.summary, only.updated, only.published) == ("<p>Long text</p>", "2026-09-23T19:11:24Z", "")
    assert feed.language == "nl"


def test_rdf_entries_are_known_by_their_about() -> None:
    body = """<rdf:RDF xmlns="http://purl.org/rss/1.0/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
      xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="x"><title>病院</title></channel>
      <item rdf:about="https://a.example/1"><title>更新</title><dc:date>2026-02-13T13:27+09:00</dc:date></item></rdf:RDF>"""
    (only,) = parse(body.encode(), Format.RSS).entries
    assert (only.guid, only.title, only.updated) == ("https://a.example/1", "更新", "2026-02-13T13:27+09:00")


def test_the_publishers_pace() -> None:
    sy = "xmlns:sy='http://purl.org/rss/1.0/modules/syndication/'"
    period = f"<sy:updatePeriod {sy}>daily</sy:updatePeriod><sy:updateFrequency {sy}>4</sy:updateFrequency>"
    assert parse(rss(head="<ttl>90</ttl>"), Format.RSS).ttl == timedelta(minutes=90)
    assert parse(rss(head=period), Format.RSS).ttl == timedelta(hours=6)
    assert parse(rss(head="<ttl>99999999</ttl>"), Format.RSS).ttl == timedelta(days=7)
    assert parse(rss(head="<ttl>soon</ttl>"), Format.RSS).ttl is None


def test_an_empty_feed_is_a_feed() -> None:
    assert parse(rss(), Format.RSS) == Feed((), title="Example CERT")


@pytest.mark.parametrize(
    ("body", "looks_like"),
    [
        (b"", "empty body"),
        (b" \n\t", "empty body"),
        (b"\xef\xbb\xbf", "empty body"),
        (
            b"<!DOCTYPE html><html><head><title>Just  a moment...</title></head></html>",
            'an HTML page ("Just a moment...")',
        ),
        (b"<HTML><BODY><H1>Access Denied</H1></BODY></HTML>", "an HTML page"),
        (b'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>x</body></html>', "an HTML page"),
        (b'{"error": "rate limited", "status": 429}', "a JSON object with the keys error, status"),
        (b"[1, 2]", "a JSON list"),
        (b"{broken", "broken JSON"),
        (b"%PDF-1.7", "a PDF document"),
        (b"Service unavailable", "plain text"),
        (b"\x1f\x8b\x08\x00\x00\x00", "binary content"),
        (b"<urlset><url/></urlset>", "XML with the root <urlset>"),
        (b"<opml version='2.0'><body/></opml>", "XML with the root <opml>"),
        (b"<!-- never closed", "incomplete XML"),
    ],
)
def test_what_is_no_feed_is_named(body: bytes, looks_like: str) -> None:
    assert looks_like in complaint(body)


@pytest.mark.parametrize("format", [format for format in Format if format is not Format.RSS])
@pytest.mark.parametrize(
    "body", [b"", TWO, b"<html></html>", b'{"error": "x"}', b"{}", b"null", b'{"feed": 3}', b"[" * 90_000]
)
def test_every_json_format_refuses_strangers(format: Format, body: bytes) -> None:
    assert complaint(body, format)


def test_a_feed_inside_a_page_is_still_a_feed() -> None:
    atom = b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><id>1</id><title>A</title></entry></feed>"
    assert titles(b"<!DOCTYPE html><html><body>" + atom + b"</body></html>") == ["A"]


BOMB = '<!DOCTYPE rss [<!ENTITY a "x"><!ENTITY b "&a;&a;">]>' + rss("<title>&b;</title>").decode().partition("?>")[2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
@pytest.mark.parametrize("before", ["", "\n\n  ", '<?xml version="1.0"?>', "<!-- <rss> -->", "<?x ?> <!-- - -->\n"])
def test_entity_declarations_are_refused_in_every_disguise(encoding: str, before: str) -> None:
    assert "declares its own entities" in complaint((before + BOMB).encode(encoding))


@pytest.mark.parametrize(
    "doctype",
    ['<!DOCTYPE rss SYSTEM "x>y" [<!ENTITY a "b">]>', "<!doctype rss [ ]>", "<!DOCTYPE rss 'x", "<!ENTITY a 'b'>"],
)
def test_odd_declarations_are_refused(doctype: str) -> None:
    assert "refused" in complaint(doctype.encode() + TWO)


def test_an_external_entity_is_never_read() -> None:
    doctype = b'<!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert "refused" in complaint(doctype + rss("<title>&x;</title>"))


@pytest.mark.parametrize("doctype", [
    '<!DOCTYPE rss PUBLIC "-//Netscape Communications//DTD RSS 0.91//EN" "http://my.netscape.com/publish/formats/rss-0.91.dtd">',
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://dtd.invalid/">', "<!DOCTYPE rss>",
])  # fmt: skip
def test_a_doctype_that_only_names_a_type_is_dropped(doctype: str) -> None:
    assert titles(TWO.replace(b"<rss", doctype.encode() + b"<rss")) == ["First", "Second"]


def test_a_doctype_in_the_text_is_text() -> None:
    quoted = rss("<title>A</title><description><![CDATA[<!DOCTYPE html [x]>]]></description>")
    assert parse(quoted, Format.RSS).entries[0].summary == "<!DOCTYPE html [x]>"


@pytest.mark.parametrize(
    ("cut", "kept"),
    [
        (b"<title>Third</title><guid>3</gu", ["First", "Second"]),
        (b"<title>Th", ["First", "Second"]),
        (b"<title>Third</title><guid>3</guid><description>half a sen", ["First", "Second"]),
    ],
)
def test_the_half_entry_of_a_cut_document_is_left_out(cut: bytes, kept: list[str]) -> None:
    body = TWO.replace(b"</channel></rss>", b"<item>" + cut)
    assert titles(body) == kept
    assert "incomplete entry was left out" in parse(body, Format.RSS).warnings[0]


def test_a_document_cut_between_entries_keeps_them_all() -> None:
    body = TWO.replace(b"</channel></rss>", b"")
    assert titles(body) == ["First", "Second"]
    assert parse(body, Format.RSS).warnings == ("truncated: the end of the document is missing",)


def test_a_document_cut_in_its_first_entry_is_a_failure() -> None:
    assert "cut before the end of its first entry" in complaint(rss("<title>A</title>")[:-30])


def test_broken_xml_is_read_leniently_and_said() -> None:
    body = rss("<title>Fish & chips &eacute;</title><guid>1</guid>", "<title>B\x0b</title>")
    feed = parse(body, Format.RSS)
    assert [entry.title for entry in feed.entries] == ["Fish & chips é", "B"]
    assert feed.warnings[0].startswith("not well-formed XML")


def test_an_entry_that_says_nothing_is_no_entry() -> None:
    assert titles(rss("", "<title> </title>", "<title>A</title>", "<description>only text</description>")) == ["A", ""]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_unicode_in_every_width(encoding: str) -> None:
    text = "<rss version='2.0'><channel><item><title>Müller 病院</title></item></channel></rss>"
    assert titles(text.encode(encoding)) == ["Müller 病院"]


@pytest.mark.parametrize(("encoding", "word"), [
    ("iso-8859-1", "Vulnérabilité"), ("windows-1252", "“Krankenhäuser”"), ("iso-8859-2", "Zranitelnost řízení"),
    ("koi8-r", "Больница"), ("shift_jis", "病院"), ("euc-jp", "病院"), ("gb2312", "医院"),
    ("big5", "醫院"), ("euc-kr", "병원"),
])  # fmt: skip
def test_declared_character_sets(encoding: str, word: str) -> None:
    text = f"<rss version='2.0'><channel><item><title>{word}</title></item></channel></rss>"
    assert titles(f'<?xml version="1.0" encoding="{encoding}"?>{text}'.encode(encoding)) == [word]
    assert titles(text.encode(encoding), f"text/xml; charset={encoding}") == [word]


def test_wrong_character_sets() -> None:
    latin = "<title>Vulnérabilité</title>"
    declared_utf8 = rss("<title>x</title>").replace(b"<title>x</title>", latin.encode("latin-1"))
    assert titles(declared_utf8) == ["Vulnérabilité"]
    assert titles(rss(latin), "text/xml; charset=iso-8859-1") == ["Vulnérabilité"]
    assert titles(rss("<title>a</title>").replace(b"utf-8", b"punycode")) == ["a"]
    assert titles(rss("<title>a</title>").replace(b"utf-8", b"no-such-thing")) == ["a"]


def test_nul_and_control_characters_vanish() -> None:
    assert titles(rss("<title>Pu\x00m\x08p</title>")) == ["Pump"]


def test_deep_and_wide_documents() -> None:
    deep = b"<div>" * 20_000 + b"x" + b"</div>" * 20_000
    assert len(titles(rss("<title>A</title><description>%s</description>").replace(b"%s", deep))) == 1
    wide = parse(rss(*["<title>A</title>"] * 20_005), Format.RSS)
    assert len(wide.entries) == 20_000
    assert "all after the first 20000" in wide.warnings[0]


def test_compressed_files_are_undone_within_a_limit() -> None:
    assert decompressed(gzip.compress(gzip.compress(TWO)), 2**20) == TWO
    with pytest.raises(TooLarge):
        decompressed(gzip.compress(bytes(2**20)), 2**10)
    with pytest.raises(Damaged):
        decompressed(gzip.compress(TWO)[:40], 2**20)
    assert decompressed(gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", 9) == b"ab"


@pytest.mark.parametrize(("document", "format"), [
    ({"version": "https://jsonfeed.org/version/1", "items": []}, Format.JSONFEED),
    ({"catalogVersion": "1", "vulnerabilities": []}, Format.KEV), ({"items": [{"threatId": "CC-1"}]}, Format.NHS),
    ({"feed": {"entry": []}}, Format.CSAF), ({"document": {"csaf_version": "2.0"}}, Format.CSAF),
    ([{"id": "EUVD-2026-1"}], Format.EUVD), ({"results": [{"cfres_id": "1"}]}, Format.OPENFDA),
    ([{"id": "1", "title": "x"}], Format.CSH),
])  # fmt: skip
def test_sniffing_json(document: object, format: Format) -> None:
    assert sniff(json.dumps(document).encode()) is format
    assert sniff(json.dumps(document, indent=1).encode("utf-16")) is format


def test_sniffing_xml() -> None:
    assert sniff(TWO) is sniff(b"") is Format.RSS
