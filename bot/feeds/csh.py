"""Posts of the Swiss Cyber Security Hub; the interface is undocumented, so several names for a field are accepted."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from bot.feeds.records import Record, Text, foreign, load, read_entries
from bot.model import Entry, Feed

_EXPECTED = "Cyber Security Hub posts"
_PAGE = "https://security-hub.ncsc.admin.ch/#/posts/"
_LISTS = ("posts", "content", "items", "results")


def _one_language(value: object) -> object:
    """The English text, else the first, of a text given in several languages."""
    if isinstance(value, dict):
        texts = {str(key).lower()[:2]: text for key, text in value.items() if isinstance(text, str) and text}
        return texts.get("en") or next(iter(texts.values()), "")
    return "" if value is None else value


Said = Annotated[str, BeforeValidator(_one_language)]


def _any_of(*names: str) -> Any:
    return Field(default="", validation_alias=AliasChoices(*names))


class _Post(Record):
    id: str = Field(validation_alias=AliasChoices("id", "uuid", "postId", "identifier"))
    title: Said = _any_of("title", "subject", "name")
    text: Said = _any_of("content", "message", "body", "text", "description", "summary")
    url: Text = _any_of("url", "link", "permalink")
    published: Text = _any_of("publishedAt", "published", "publishDate", "createdAt", "created", "date")
    updated: Text = _any_of("updatedAt", "modifiedAt", "updated", "lastModified")
    language: Text = _any_of("language", "lang")


def read_csh(text: str) -> Feed:
    """The posts (a list, or a list under one of a few names) as a feed; raises NotAFeed for other JSON."""
    content = load(text, _EXPECTED)
    if isinstance(content, dict):
        content = next((content[name] for name in _LISTS if isinstance(content.get(name), list)), None)
    if not isinstance(content, list):
        raise foreign(text, _EXPECTED)
    entries, warnings = read_entries(content, _Post, _entry)
    return Feed(entries, title="Cyber Security Hub", warnings=warnings)


def _entry(post: _Post) -> Entry:
    if not (post.title.strip() or post.text.strip()):
        raise ValueError("a post without title and text")
    return Entry(
        guid=post.id,
        link=post.url or f"{_PAGE}{post.id}",
        title=post.title,
        summary=post.text,
        published=post.published,
        updated=post.updated,
        language=post.language,
    )
