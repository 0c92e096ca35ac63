"""Fetch a source's document: knows HTTP, addresses and limits, and nothing of feeds.

``Fetcher.fetch`` gives ``Fetched`` or ``Unchanged``, or raises FetchError with one line for a person. Whoever calls it
keeps ``Fetched.memory`` only once the document was read and stored; a document that could not be read must come again.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Literal, Self
from urllib.request import getproxies_environment, proxy_bypass_environment  # type: ignore[attr-defined]

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.errors import FetchError
from bot.feeds.addresses import PublicResolver, is_public, literal_address
from bot.feeds.bodies import Body, Damaged, TooLarge
from bot.feeds.failures import explain

MAX_REDIRECTS = 5
_CHUNK = 4096  # compressed bytes between two looks at the limit and at the clock
_PERMANENT = (301, 308)
_REDIRECTS = (301, 302, 303, 307, 308)
_LONGEST_WAIT = timedelta(days=30)
_ACCEPT = (
    "application/atom+xml, application/rss+xml, application/json, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.5"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """What we remember of the document at one url; empty strings where nothing is known."""

    etag: str = ""
    last_modified: str = ""
    body_hash: str = ""  # sha256 of the decompressed body, hexadecimal


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document that is new to us, decompressed. ``moved_to`` is where permanent redirects lead, if there were any."""

    body: bytes
    url: str  # after redirects: relative links are relative to it
    status: int
    memory: Memory
    content_type: str = ""  # as served, with its charset
    moved_to: str | None = None
    max_age: timedelta | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The document is the one we know; ``memory`` is what to remember from now on."""

    reason: Literal["304", "same body"]
    memory: Memory
    moved_to: str | None = None
    max_age: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a fetch may take in all, to connect and between two reads (seconds), and how many run at once."""

    total: float = 60.0
    connect: float = 10.0
    read: float = 20.0
    concurrency: int = 16
    per_host: int = 2


class Fetcher:
    """Fetches documents; an async context manager.

    It owns one aiohttp session for public sources, and makes a second one when the first private source is fetched:
    a connection kept open to an internal host must never serve a public source. ``proxies`` maps scheme to proxy url
    and is read from the environment when not given; ``resolver`` replaces the system's (tests).
    """

    def __init__(
        self,
        *,
        user_agent: str,
        limits: Limits = Limits(),
        proxies: Mapping[str, str] | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._user_agent = user_agent
        self._limits = limits
        self._proxies = dict(getproxies_environment() if proxies is None else proxies)
        self._proxy_hosts = frozenset(URL(url).host or "" for url in self._proxies.values() if "://" in url)
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._all = asyncio.Semaphore(limits.concurrency)
        self._hosts: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(limits.per_host))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def fetch(
        self,
        url: str,
        memory: Memory = Memory(),
        *,
        max_bytes: int = 16 * 2**20,
        private: bool = False,
    ) -> Fetched | Unchanged:
        """The document at ``url``, or that it is unchanged since ``memory``.

        ``max_bytes`` limits the decompressed body; ``private`` allows loopback and private addresses.
        Raises FetchError.
        """
        start = _url(url)
        async with self._hosts[start.host or ""], self._all:
            try:
                async with asyncio.timeout(self._limits.total):
                    return await self._follow(start, memory, max_bytes, private)
            except TooLarge as error:
                raise FetchError(f"the document is larger than {max_bytes} bytes after decompression") from error
            except Damaged as error:
                raise FetchError(str(error)) from error
            except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
                raise FetchError(explain(error, self._limits.total)) from error

    async def _follow(self, url: URL, memory: Memory, max_bytes: int, private: bool) -> Fetched | Unchanged:
        moved_to: str | None = None
        permanent = True
        for _ in range(MAX_REDIRECTS + 1):
            self._refuse(url, private)
            async with self._get(url, memory, private) as response:
                location = response.headers.get("Location", "")
                if response.status not in _REDIRECTS or not location:
                    return await self._read(response, memory, max_bytes, moved_to)
                url = response.url.join(_url(location)).with_fragment(None)
                permanent = permanent and response.status in _PERMANENT
                moved_to = str(url) if permanent else moved_to
        raise FetchError(f"more than {MAX_REDIRECTS} redirects; the last led to {url.host}")

    def _refuse(self, url: URL, private: bool) -> None:
        """Raises FetchError for anything but http(s) to a place that a source may be at."""
        if url.scheme not in ("http", "https") or not url.host:
            raise FetchError(f"only http and https addresses are fetched, not {url.scheme or 'a relative address'}")
        address = literal_address(url)
        if private or not (address or url.host in self._proxy_hosts):
            return
        if not address or not is_public(address):
            raise FetchError(f"{url.host} is a private or reserved address; refused unless the source is private: true")

    @asynccontextmanager
    async def _get(self, url: URL, memory: Memory, private: bool) -> AsyncIterator[aiohttp.ClientResponse]:
        headers = {"If-None-Match": memory.etag, "If-Modified-Since": memory.last_modified}
        headers = {name: value for name, value in headers.items() if value}
        proxy = self._proxy(url)
        for_proxy: dict[str, str] = {}
        if proxy and proxy.user:
            # the proxy reads the request itself, or, for https, only the one that opens the tunnel
            opener = for_proxy if url.scheme == "https" else headers
            opener["Proxy-Authorization"] = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
        async with self._session(private).get(
            url,
            headers=headers,
            allow_redirects=False,
            proxy=proxy.with_user(None) if proxy else None,
            proxy_headers=for_proxy or None,
        ) as response:
            yield response

    def _proxy(self, url: URL) -> URL | None:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        if not proxy or proxy_bypass_environment(url.host or "", self._proxies):
            return None
        return URL(proxy if "://" in proxy else f"http://{proxy}")

    def _session(self, private: bool) -> aiohttp.ClientSession:
        if private not in self._sessions:
            resolver = self._resolver or aiohttp.DefaultResolver()
            connector = aiohttp.TCPConnector(
                resolver=resolver if private else PublicResolver(resolver, self._proxy_hosts),
                use_dns_cache=False,  # the address checked must be the address used
                limit=0,  # limited by our own semaphores, which cost no time of a waiting source's limit
            )
            self._sessions[private] = aiohttp.ClientSession(
                connector=connector,
                headers={"User-Agent": self._user_agent, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"},
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=self._limits.connect, sock_read=self._limits.read
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._sessions[private]

    async def _read(
        self, response: aiohttp.ClientResponse, memory: Memory, max_bytes: int, moved_to: str | None
    ) -> Fetched | Unchanged:
        max_age = _max_age(response.headers.get("Cache-Control", ""))
        if response.status == 304:
            if not (memory.etag or memory.last_modified):
                raise FetchError("HTTP 304 although nothing was asked for conditionally", status=304)
            return Unchanged("304", memory, moved_to, max_age)
        retry_after = _retry_after(response.headers.get("Retry-After", ""), datetime.now(UTC))
        if not 200 <= response.status < 300:
            seconds = retry_after.total_seconds() if retry_after is not None else None
            reason = f"HTTP {response.status} {response.reason or ''}".strip()
            raise FetchError(reason, status=response.status, retry_after=seconds)
        body = await _body(response, max_bytes)
        new = Memory(
            etag=response.headers.get("ETag", ""),
            last_modified=response.headers.get("Last-Modified", ""),
            body_hash=hashlib.sha256(body).hexdigest(),
        )
        if body and new.body_hash == memory.body_hash:
            return Unchanged("same body", new, moved_to, max_age)
        content_type = response.headers.get("Content-Type", "")
        return Fetched(body, str(response.url), response.status, new, content_type, moved_to, max_age, retry_after)


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    if (response.content_length or 0) > max_bytes:
        raise TooLarge
    body = Body(max_bytes, content_encoding=response.headers.get("Content-Encoding", ""))
    grown = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        grown += body.push(chunk)
        if grown > 2**20:  # a buffered response never waits by itself: let others run
            grown = 0
            await asyncio.sleep(0)
    return body.finish()


def _url(text: str) -> URL:
    """Kept exactly as written where that is possible: some publishers' odd percent-encoding is right."""
    text = text.strip()
    exact = text.isascii() and text.isprintable() and " " not in text
    try:
        return URL(text, encoded=exact)
    except ValueError as error:
        raise FetchError(f"not a valid address: {error}") from error


def _max_age(cache_control: str) -> timedelta | None:
    if re.search(r"no-store|no-cache", cache_control, re.IGNORECASE):
        return None
    found = re.search(r"(?:^|[\s,])max-age\s*=\s*\"?(\d{1,9})", cache_control, re.IGNORECASE)
    return min(timedelta(seconds=int(found[1])), _LONGEST_WAIT) if found else None


def _retry_after(value: str, now: datetime) -> timedelta | None:
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return min(max(moment - now, timedelta(0)), _LONGEST_WAIT)
