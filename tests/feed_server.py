"""A publisher on the loopback interface whose feeds tests write, change and break."""

from __future__ import annotations

import asyncio
import hashlib
import json
import xml.etree.ElementTree as ET
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime

from aiohttp import web

HTML_PAGE = b"<!DOCTYPE html><html><head><title>Please wait</title></head><body><p>One moment</p></body></html>"


@dataclass(frozen=True)
class Post:
    """One entry as its publisher writes it; what is empty is left out of the document."""

    title: str = ""
    guid: str = ""
    link: str = ""
    summary: str = ""
    published: datetime | str = ""
    updated: datetime | str = ""


@dataclass
class Feed:
    """One document, and how its server misbehaves. ``body`` stands in for ``posts``; ``cut`` is in bytes."""

    posts: Sequence[Post] = ()
    ttl: int = 0
    etag: bool = False
    last_modified: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    redirect: tuple[int, str] | None = None
    cut: int = 0  # the document ends so early, and its length says so
    cut_transfer: bool = False  # the connection breaks before the length promised
    reset: bool = False
    silent: bool = False  # no answer at all
    requests: list[web.Request] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def document(self) -> bytes:
        body = rss(self.posts, self.ttl) if self.body is None else self.body
        return body[: -self.cut] if self.cut else body


class FeedServer:
    """Feeds by path."""

    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.port = 0
        self.together = self.most_together = 0

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def feed(self, path: str) -> Feed:
        return self.feeds.setdefault(path, Feed())

    async def answer(self, request: web.Request) -> web.StreamResponse:
        feed = self.feeds.get(request.path)
        if feed is None:
            return web.Response(status=404)
        feed.requests.append(request)
        if feed.reset and request.transport:
            request.transport.abort()
        if feed.silent:
            await asyncio.sleep(30)  # longer than any client here waits
        response = await self._respond(feed, request)
        feed.answers.append(response.status)
        return response

    async def _respond(self, feed: Feed, request: web.Request) -> web.StreamResponse:
        headers = dict(feed.headers)
        if feed.redirect:
            return web.Response(status=feed.redirect[0], headers={"Location": feed.redirect[1]})
        body = feed.document()
        if feed.status != 200:
            return web.Response(status=feed.status, headers=headers, body=HTML_PAGE)
        if feed.etag:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if feed.last_modified:
            headers["Last-Modified"] = feed.last_modified
        same = feed.etag and request.headers.get("If-None-Match") == headers["ETag"]
        if same or (feed.last_modified and request.headers.get("If-Modified-Since") == feed.last_modified):
            return web.Response(status=304, headers=headers)
        if feed.cut_transfer:
            return await _broken_off(request, body)
        return web.Response(body=body, headers=headers)


async def _broken_off(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    assert request.transport
    request.transport.close()
    return response


@asynccontextmanager
async def serving() -> AsyncIterator[FeedServer]:
    """A server that listens while the block lasts."""
    server = FeedServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.05, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield server
    finally:
        await runner.cleanup()


def rss(posts: Sequence[Post], ttl: int = 0) -> bytes:
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": "http://www.w3.org/2005/Atom"})
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", "Alerts")
    _add(channel, "ttl", str(ttl) if ttl else "")
    for post in posts:
        node = ET.SubElement(channel, "item")
        _add(node, "title", post.title)
        _add(node, "link", post.link)
        _add(node, "guid", post.guid)
        _add(node, "description", post.summary)
        _add(node, "pubDate", _date(post.published))
        _add(node, "atom:updated", post.updated.isoformat() if isinstance(post.updated, datetime) else post.updated)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _date(when: datetime | str) -> str:
    return format_datetime(when) if isinstance(when, datetime) else when


def _add(parent: ET.Element, name: str, text: str) -> None:
    if text:
        ET.SubElement(parent, name).text = text


def kev(*cves: tuple[str, str], ransomware: Sequence[str] = ()) -> bytes:
    """The catalogue of exploited vulnerabilities with these (CVE, day) in it."""
    listed = [
        {
            "cveID": cve,
            "vendorProject": f"Maker {number % 90}",
            "product": f"Gateway {number}",
            "vulnerabilityName": f"Maker {number % 90} Gateway {number} Code Injection Vulnerability",
            "dateAdded": day,
            "shortDescription": f"Gateway {number} lets a stranger run code with the rights of its service. " * 3,
            "requiredAction": "Apply the maker's update, or take the product out of use where there is none.",
            "dueDate": "2026-12-31",
            "knownRansomwareCampaignUse": "Known" if cve in ransomware else "Unknown",
        }
        for number, (cve, day) in enumerate(cves)
    ]
    return json.dumps({"title": "Catalogue", "catalogVersion": "1", "vulnerabilities": listed}).encode()
