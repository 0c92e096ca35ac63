"""Feed text as plain text: HTML and Markdown taken off, nothing invisible left, one line per paragraph."""

from __future__ import annotations

import html
import re
import unicodedata

from selectolax.lexbor import LexborHTMLParser

_LONGEST = 400_000  # characters of markup looked at; the longest real advisory has 140,000
_MANY_TAGS = 4_000  # from here on the depth is counted before a tree is built
_DEEPEST = 1_000  # an HTML tree takes time that grows with the square of its depth
_INVISIBLE = re.compile(  # controls, soft hyphen, zero-width, bidirectional, tags, fillers, surrogates, non-characters
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)
_NAMES = (
    "a|abbr|address|article|aside|b|big|blockquote|body|br|center|code|dd|div|dl|dt|em|figure|font|footer|form|h[1-6]|head|header"
    "|hr|html|i|iframe|img|input|kbd|label|li|link|main|mark|meta|nav|object|ol|option|p|pre|q|s|script|section|select|small"
    "|span|strike|strong|style|sub|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|tt|u|ul|video"
)
_MARKUP = re.compile(rf"</?(?:{_NAMES})(?:\s[^<>]*)?/?>|<!--|<!\[CDATA\[", re.IGNORECASE)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)[^<>]*?(/?)>")
_ANY_TAG = re.compile(r"<[/!?a-zA-Z][^<>]*>")
_HIDDEN = ("script", "style", "template", "noscript", "iframe", "svg", "object", "head", "title")
_VOID = {"br", "hr", "img", "input", "link", "meta", "wbr", "area", "base", "col", "embed", "source", "track"}
_BLOCK = re.compile(
    r"(?=</?(?:p|div|br|li|tr|h[1-6]|ul|ol|dl|dt|dd|table|section|article|blockquote|pre|hr|figure|header|footer)[\s/>])",
    re.IGNORECASE,
)
_CELL = re.compile(r"(<t[dh](?:\s[^<>]*)?>)", re.IGNORECASE)
_BREAK = "\n"  # white space, because HTML moves anything else between two cells out of the table
_BAR = "\x1d"  # stands for the border of a cell until the markup is gone

_MD_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>|~])")
_MD_LINK = re.compile(r"!?\[([^\[\]\n]{1,300})\]\((?:[^()\s]|\([^()\s]{0,200}\)){1,1000}\)")
_MD_STRONG = re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*\n]{1,300})(?<=\S)\1(?![\w*])")
_MD_CODE = re.compile(r"(?<!`)`([^`\n]{1,300})`(?!`)")
_MD_HEADING = re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE)


def cleaned(text: str) -> str:
    """``text`` in NFC without characters that nobody sees but that change how text is shown or compared."""
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


def plain_line(text: str) -> str:
    """``text`` (HTML, Markdown or plain) as one line of plain text."""
    return " ".join(plain_text(text).split())


def plain_text(text: str) -> str:
    """``text`` (HTML, Markdown or plain) as plain text: paragraphs and list points on lines of their own, table cells
    apart by `` | ``, no blank lines. Angle brackets that are no known tag stay: ``< 2.0`` is a version, not markup."""
    text = cleaned(text[:_LONGEST])
    text = _from_html(text) if _MARKUP.search(text) else _from_markdown(html.unescape(text))
    lines = (" ".join(line.split()).strip("| ") for line in cleaned(text).splitlines())
    return "\n".join(line for line in lines if line)


def _from_html(text: str) -> str:
    text = " ".join(text.split())  # line breaks in HTML source are only spaces
    text = _CELL.sub(rf"\1{_BAR}", _BLOCK.sub(_BREAK, text))
    if text.count("<") > _MANY_TAGS and _depth(text) > _DEEPEST:
        text = html.unescape(_ANY_TAG.sub("", text))
    else:
        tree = LexborHTMLParser(text)
        tree.strip_tags(list(_HIDDEN))
        text = tree.body.text() if tree.body else ""
    return text.replace(_BAR, " | ")


def _depth(text: str) -> int:
    depth = deepest = 0
    for close, name, closed in _TAG.findall(text):
        if close:
            depth -= 1
        elif not closed and name.lower() not in _VOID:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


def _from_markdown(text: str) -> str:
    if not any(sign in text for sign in "\\*`#["):
        return text
    text = _MD_LINK.sub(r"\1", text)
    for mark in (_MD_STRONG, _MD_CODE):
        text = mark.sub(lambda match: match[match.lastindex or 0], text)
    return _MD_ESCAPE.sub(r"\1", _MD_HEADING.sub("", text))


def shortened(text: str, limit: int) -> str:
    """``text`` of at most ``limit`` characters; where it was cut, between words if possible, stands an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 2]
    end = max(cut.rfind(" "), cut.rfind("\n"))
    return f"{cut[: end if end > limit - 100 else None].rstrip()} …"
