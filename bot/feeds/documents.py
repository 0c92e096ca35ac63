"""A fetched body as text: its characters, what stands before its root element, what a stranger looks like.

The text that is looked at here is the text that is parsed afterwards, so no encoding can hide a DOCTYPE from the check.
"""

from __future__ import annotations

import codecs
import json
import re
from dataclasses import dataclass

from bot.errors import NotAFeed
from bot.feeds.plain import cleaned

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PATTERNS = (  # how "<" or "{" begins where no byte order mark says so
    (re.compile(rb"[<{\[\s]\0\0\0"), "utf-32-le"),
    (re.compile(rb"\0\0\0[<{\[\s]"), "utf-32-be"),
    (re.compile(rb"[<{\[\s]\0[^\0]"), "utf-16-le"),
    (re.compile(rb"\0[<{\[\s][^\0]?"), "utf-16-be"),
)
_ALIASES = {  # supersets that publishers mean when they write the smaller name
    "iso8859-1": "cp1252", "ascii": "cp1252", "gb2312": "gb18030", "gbk": "gb18030",
    "shift_jis": "cp932", "euc_kr": "cp949", "utf-16": "utf-8", "utf-32": "utf-8",
}  # fmt: skip
_REFUSED_CODECS = {"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7"}
_DECLARED = re.compile(rb"""<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})["']""")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_ILLEGAL_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DOCTYPE = re.compile(r"""<!DOCTYPE\b(?:[^"'\[>]|"[^"]*"|'[^']*')*([\[>])""", re.IGNORECASE)
_ROOT = re.compile(r"<([A-Za-z_][\w.:-]{0,100})")
_HTML_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{1,200})", re.IGNORECASE)


def decode(body: bytes, content_type: str = "") -> str:
    """``body`` as text without a byte order mark; never fails: bytes that fit nothing become U+FFFD."""
    for mark, encoding in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(encoding, "replace")
    for pattern, encoding in _PATTERNS:
        if pattern.match(body):
            return body.decode(encoding, "replace")
    for encoding in _candidates(body, content_type):
        try:
            return body.decode(encoding)
        except UnicodeDecodeError:
            continue
    return body.decode("cp1252", "replace")


def _candidates(body: bytes, content_type: str) -> list[str]:
    """Encodings worth trying, best first. UTF-8 proves itself, so a declaration of it goes before the header."""
    declared = _DECLARED.search(body[:1024])
    served = _CHARSET.search(content_type)
    names = [_codec(served[1]) if served else "", _codec(declared[1].decode("ascii")) if declared else ""]
    if names[1] == "utf-8":
        names.reverse()
    return [name for name in (*names, "utf-8") if name]


def _codec(name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except LookupError:
        return ""
    if known in _REFUSED_CODECS or not getattr(codecs.lookup(known), "_is_text_encoding", True):
        return ""
    return _ALIASES.get(known, known)


@dataclass(frozen=True, slots=True)
class Xml:
    """An XML document from its root element on; ``root`` is its name as written, empty when there is none."""

    text: str
    root: str

    @property
    def kind(self) -> str:
        """The root's name without prefix, in lower case."""
        return self.root.rpartition(":")[2].lower()


def xml_document(text: str) -> Xml:
    """``text`` without what stands before its root element and without characters XML forbids.

    A DOCTYPE that only names a document type is dropped (RSS 0.91 has one); one with declarations of its own can hold
    an entity bomb and raises NotAFeed.
    """
    text = _ILLEGAL_XML.sub("", text)
    at = 0
    while (at := text.find("<", at)) >= 0:
        if text.startswith("<?", at):
            end, width = text.find("?>", at), 2
        elif text.startswith("<!--", at):
            end, width = text.find("-->", at + 4), 3
        elif text.startswith("<!", at):
            end, width = _doctype(text, at), 0
        elif root := _ROOT.match(text, at):
            return Xml(text[at:], root[1])
        else:
            end, width = at, 1
        if end < 0:
            break
        at = end + width
    return Xml("", "")


def _doctype(text: str, at: int) -> int:
    """The end of the DOCTYPE that begins at ``at``."""
    found = _DOCTYPE.match(text, at)
    if found and found[1] == ">":
        return found.end()
    raise NotAFeed("refused: the document declares its own entities (a DOCTYPE with an internal subset)")


def likeness(text: str) -> str:
    """What a document looks like that is not what was expected, for a person."""
    return cleaned(" ".join(_likeness(text).split()))


def _likeness(text: str) -> str:
    head = text.lstrip()[:5000]
    if not head:
        return "an empty body"
    if head[0] in "{[":
        return _json_likeness(text)
    if head.startswith("%PDF"):
        return "a PDF document"
    if head[0] != "<":
        return "binary content" if "\0" in head or "\ufffd" in head[:100] else "plain text"
    try:
        root = xml_document(text[:200_000]).kind
    except NotAFeed:
        return "XML with a DOCTYPE"
    if root == "html" or re.match(r"<!doctype\s+html|<(?:head|body|meta|script)\b", head, re.IGNORECASE):
        title = _HTML_TITLE.search(head)
        return f'an HTML page ("{" ".join(title[1].split())[:60]}")' if title else "an HTML page"
    return f"XML with the root <{root[:40]}>" if root else "incomplete XML"


def _json_likeness(text: str) -> str:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return "broken JSON"
    if isinstance(content, dict):
        keys = [str(key)[:30] for key in list(content)[:4]]
        return f"a JSON object with the keys {', '.join(keys)}" if keys else "an empty JSON object"
    return "a JSON list"
