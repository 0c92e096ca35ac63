"""Fetching from a real server on the loopback interface; names are resolved by the test only where that matters."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from bot.errors import FetchError
from bot.feeds.fetch import Fetched, Fetcher, Limits, Memory, Unchanged

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
FEED = b"<rss version='2.0'><channel><title>t</title></channel></rss>"
AGENT = "Wardwatch/0.1 (+mailto:soc@hospital.example)"


class Site:
    """A loopback server whose paths tests define; remembers the requests it saw."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[web.Request] = []
        self.port = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def serve(self, path: str, body: bytes = FEED, status: int = 200, **headers: str) -> str:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(body=body, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

        self.answers[path] = answer
        return self.url(path)

    async def dispatch(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        return await self.answers[request.path](request)


class Names(AbstractResolver):
    """Resolves each name to the next of its addresses, the last one for ever."""

    def __init__(self, **addresses: list[str]) -> None:
        self.addresses = {name.replace("_", "."): list(some) for name, some in addresses.items()}

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        if host not in self.addresses:
            raise OSError(None, f"no address for {host}")
        some = self.addresses[host]
        address = some.pop(0) if len(some) > 1 else some[0]
        return [ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
                for one in address.split(",")]  # fmt: skip

    async def close(self) -> None: ...


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.dispatch)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    site.port = runner.addresses[0][1]
    yield site
    await runner.cleanup()


def fetcher(
    resolver: AbstractResolver | None = None, proxies: dict[str, str] | None = None, **limits: float
) -> Fetcher:
    return Fetcher(user_agent=AGENT, limits=Limits(**limits), proxies=proxies or {}, resolver=resolver)  # type: ignore[arg-type]


async def fetched(url: str, memory: Memory | None = None, max_bytes: int = 2**20) -> Fetched | Unchanged:
    async with fetcher() as one:
        return await one.fetch(url, memory or Memory(), max_bytes=max_bytes, private=True)


async def refusal(
    url: str, *, private: bool = True, max_bytes: int = 2**20, using: Fetcher | None = None
) -> FetchError:
    async with using or fetcher() as one:
        with pytest.raises(FetchError) as caught:
            await one.fetch(url, max_bytes=max_bytes, private=private)
    assert "\n" not in str(caught.value)
    return caught.value


async def test_a_document_comes_with_what_to_remember(site: Site) -> None:
    url = site.serve("/f", ETag='"a"', Last_Modified="Tue, 24 Nov 2026 10:00:00 GMT", Cache_Control="max-age=600",
                     Content_Type="application/rss+xml; charset=utf-8")  # fmt: skip
    found = await fetched(url)
    assert isinstance(found, Fetched)
    assert (found.body, found.url, found.status, found.max_age) == (FEED, url, 200, timedelta(minutes=10))
    assert found.memory.etag == '"a"'
    assert found.content_type == "application/rss+xml; charset=utf-8"
    assert site.seen[0].headers["User-Agent"] == AGENT
    assert "If-None-Match" not in site.seen[0].headers


async def test_validators_are_sent_back_and_304_means_unchanged(site: Site) -> None:
    url = site.serve("/f", b"", 304, Cache_Control="public, max-age=60")
    memory = Memory('"a"', "Tue, 24 Nov 2026 10:00:00 GMT", "ab")
    assert await fetched(url, memory) == Unchanged("304", memory, None, timedelta(seconds=60))
    assert site.seen[0].headers["If-None-Match"] == '"a"'
    assert site.seen[0].headers["If-Modified-Since"] == "Tue, 24 Nov 2026 10:00:00 GMT"


async def test_304_without_a_question_is_a_failure(site: Site) -> None:
    assert (await refusal(site.serve("/f", b"", 304))).status == 304


async def test_the_same_body_under_a_new_etag_is_unchanged(site: Site) -> None:
    first = await fetched(site.serve("/f", ETag='"a"'))
    again = await fetched(site.serve("/f", gzip.compress(FEED), ETag='"b"', Content_Encoding="gzip"), first.memory)
    assert isinstance(again, Unchanged)
    assert (again.reason, again.memory.etag) == ("same body", '"b"')


@pytest.mark.parametrize("body", [gzip.compress(FEED), zlib.compress(FEED), gzip.compress(gzip.compress(FEED)), FEED])
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "", "identity"])
async def test_every_compression_is_undone_whatever_the_header_says(site: Site, body: bytes, encoding: str) -> None:
    if encoding == "deflate" and body == FEED:
        raw = zlib.compressobj(wbits=-15)
        body = raw.compress(FEED) + raw.flush()
    headers = {"Content_Encoding": encoding} if encoding else {}
    found = await fetched(site.serve("/f.xml.gz", body, **headers))
    assert isinstance(found, Fetched)
    assert found.body == FEED


async def test_a_gzip_bomb_stops_at_the_limit_with_little_memory(site: Site) -> None:
    bomb = gzip.compress(bytes(60 * 2**20))
    url = site.serve("/bomb", bomb, Content_Encoding="gzip")
    tracemalloc.start()
    try:
        error = await refusal(url, max_bytes=2 * 2**20)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert "larger than 2097152 bytes" in str(error)
    assert peak < 8 * 2**20


async def test_a_bomb_within_a_bomb_stops_too(site: Site) -> None:
    hollow = gzip.compress(b"") * 400_000  # 8 MB of gzip that hold nothing
    assert "larger" in str(await refusal(site.serve("/b", gzip.compress(hollow), Content_Encoding="gzip")))


async def test_a_large_plain_body_stops_at_the_limit(site: Site) -> None:
    assert "larger" in str(await refusal(site.serve("/f", b"x" * 5000), max_bytes=4096))


async def test_a_cut_gzip_body_is_a_failure(site: Site) -> None:
    cut = gzip.compress(FEED * 100)[:-20]
    assert "incomplete" in str(await refusal(site.serve("/f", cut, Content_Encoding="gzip")))


async def test_a_cut_transfer_is_a_failure(site: Site) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"<rss>")
        assert request.transport
        request.transport.close()
        return response

    site.answers["/f"] = answer
    assert "cut" in str(await refusal(site.url("/f")))


async def test_retry_after_in_seconds_and_as_a_date(site: Site) -> None:
    error = await refusal(site.serve("/busy", b"", 429, Retry_After="120"))
    assert (error.status, error.retry_after) == (429, 120.0)
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    error = await refusal(site.serve("/down", b"", 503, Retry_After=later))
    assert error.retry_after == pytest.approx(3600, abs=30)
    assert (await refusal(site.serve("/odd", b"", 503, Retry_After="soon"))).retry_after is None


@pytest.mark.parametrize("status", [401, 403, 404, 410, 500, 502])
async def test_other_statuses_are_named(site: Site, status: int) -> None:
    error = await refusal(site.serve("/f", b"<html>no</html>", status))
    assert error.status == status
    assert str(error).startswith(f"HTTP {status} ")


async def test_redirects_are_followed_and_permanent_ones_noted(site: Site) -> None:
    site.serve("/old", b"", 301, Location="/new")
    site.serve("/new", b"", 308, Location="newer?x=1")
    site.serve("/newer", b"", 302, Location="/today")
    today = site.serve("/today")
    found = await fetched(site.url("/old"))
    assert isinstance(found, Fetched)
    assert (found.url, found.moved_to) == (today, site.url("/newer?x=1"))


async def test_a_temporary_redirect_is_not_a_move(site: Site) -> None:
    site.serve("/a", b"", 302, Location="/b")
    site.serve("/b", b"", 301, Location="/c")
    site.serve("/c")
    found = await fetched(site.url("/a"))
    assert found.moved_to is None


async def test_redirects_have_an_end(site: Site) -> None:
    assert "more than 5 redirects" in str(await refusal(site.serve("/loop", b"", 302, Location="/loop")))
    assert len(site.seen) == 6


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.example/x", "gopher://a.example/", "/relative", "http://"]
)
async def test_only_http_and_https(url: str) -> None:
    assert "http" in str(await refusal(url))


async def test_a_redirect_to_another_scheme_is_refused(site: Site) -> None:
    assert "only http and https" in str(await refusal(site.serve("/a", b"", 302, Location="file:///etc/passwd")))


LOCAL = ["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.8",
         "169.254.169.254", "192.168.1.1", "100.64.0.1", "224.0.0.1", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]",
         "[2002:7f00:1::]", "240.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("host", LOCAL)
async def test_private_addresses_are_refused_before_anything_is_sent(site: Site, host: str) -> None:
    error = await refusal(site.url("/f", host), private=False)
    assert "private" in str(error)
    assert not site.seen


async def test_a_name_that_leads_home_is_refused(site: Site) -> None:
    one = fetcher(Names(inner_example=["127.0.0.1"]))
    error = await refusal(site.url("/f", "inner.example"), private=False, using=one)
    assert "inner.example leads to a private or reserved address" in str(error)
    assert not site.seen


async def test_the_same_name_is_reached_when_the_source_is_private(site: Site) -> None:
    site.serve("/f")
    async with fetcher(Names(inner_example=["127.0.0.1"])) as one:
        assert isinstance(await one.fetch(site.url("/f", "inner.example"), private=True), Fetched)
        with pytest.raises(FetchError, match="private"):  # the connection that is still open must not serve it
            await one.fetch(site.url("/f", "inner.example"), private=False)


async def test_a_name_that_answers_differently_the_second_time_gains_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address that was checked is the one connected to; it stands for the public internet here."""
    names = Names(rebind_example=["192.0.2.7", "127.0.0.1"])
    checked: list[str] = []

    def is_public(address: str) -> bool:
        checked.append(address)
        return address == "192.0.2.7"

    connected: list[str] = []

    async def connect(*arguments: object, addr_infos: list[tuple[object, ...]], **options: object) -> socket.socket:
        connected.extend(str(info[4][0]) for info in addr_infos)  # type: ignore[index]
        raise OSError(111, "Connection refused")

    monkeypatch.setattr("bot.feeds.addresses.is_public", is_public)
    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", connect)
    async with fetcher(names) as one:
        for _ in range(2):
            with pytest.raises(FetchError):
                await one.fetch(site.url("/f", "rebind.example"), private=False)
    assert checked == ["192.0.2.7", "127.0.0.1"]
    assert connected == ["192.0.2.7"]
    assert not site.seen


async def test_a_mixed_answer_keeps_only_public_addresses() -> None:
    from bot.feeds.addresses import PublicResolver

    found = await PublicResolver(Names(mixed_example=["127.0.0.1,8.8.8.8,10.0.0.1"])).resolve("mixed.example", 80)
    assert [one["host"] for one in found] == ["8.8.8.8"]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.1:{port}/secret", "http://inner.example:{port}/secret", "//[::1]:{port}/secret"]
)
async def test_a_redirect_to_a_private_address_is_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    site.serve("/f", b"", 302, Location=target.format(port=site.port))
    site.serve("/secret")
    answers = iter([True])  # the first hop stands for a public server
    monkeypatch.setattr("bot.feeds.addresses.is_public", lambda address: next(answers, False))
    one = fetcher(Names(public_example=["127.0.0.1"], inner_example=["127.0.0.1"]))
    assert "private" in str(await refusal(site.url("/f", "public.example"), private=False, using=one))
    assert [request.path for request in site.seen] == ["/f"]


async def test_a_proxy_is_used_with_its_password_and_may_be_internal(site: Site) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=FEED)

    site.answers["/f"] = answer
    proxies = {"http": site.url("", "me:secret@127.0.0.1")}
    async with fetcher(proxies=proxies) as one:
        found = await one.fetch("http://feeds.example/f", private=False)
    assert isinstance(found, Fetched)
    assert site.seen[0].headers["Host"] == "feeds.example"
    assert site.seen[0].headers["Proxy-Authorization"].startswith("Basic ")
    assert "private" in str(await refusal("http://127.0.0.1/f", private=False, using=fetcher(proxies=proxies)))


async def test_no_proxy_is_respected(site: Site) -> None:
    site.serve("/f")
    async with fetcher(proxies={"http": "http://127.0.0.1:1", "no": "127.0.0.1"}) as one:
        assert isinstance(await one.fetch(site.url("/f"), private=True), Fetched)


async def test_proxies_come_from_the_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.serve("/f")
    monkeypatch.setenv("http_proxy", site.url(""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with Fetcher(user_agent=AGENT) as one:
        assert isinstance(await one.fetch("http://feeds.example/f"), Fetched)
    assert site.seen[0].headers["Host"] == "feeds.example"


async def drip(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"<")
            await asyncio.sleep(0.02)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def flood(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    try:
        while True:
            await response.write(b"<!-- -->" * 8192)
    except (ConnectionError, asyncio.CancelledError):
        return response


async def silent(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_dripping_server_ends_by_the_total_limit(site: Site) -> None:
    site.answers["/f"] = drip
    assert "no complete answer within 0.3 s" in str(await refusal(site.url("/f"), using=fetcher(total=0.3)))


async def test_a_silent_server_ends_by_the_read_limit(site: Site) -> None:
    site.answers["/f"] = silent
    assert "silent" in str(await refusal(site.url("/f"), using=fetcher(read=0.2)))


async def test_an_endless_stream_ends_by_the_size_limit(site: Site) -> None:
    site.answers["/f"] = flood
    assert "larger" in str(await refusal(site.url("/f"), max_bytes=2**20))


async def test_at_most_so_many_at_once_in_all_and_per_host(site: Site) -> None:
    running = {"one.example": 0, "two.example": 0}
    most = {"host": 0, "all": 0}

    async def answer(request: web.Request) -> web.Response:
        host = request.host.partition(":")[0]
        running[host] += 1
        most["host"] = max(most["host"], running[host])
        most["all"] = max(most["all"], sum(running.values()))
        await asyncio.sleep(0.02)
        running[host] -= 1
        return web.Response(body=FEED)

    site.answers["/f"] = answer
    async with fetcher(Names(one_example=["127.0.0.1"], two_example=["127.0.0.1"]), concurrency=3, per_host=2) as one:
        urls = [site.url("/f", host) for host in ("one.example", "two.example") for _ in range(6)]
        await asyncio.gather(*(one.fetch(url, private=True) for url in urls))
    assert most == {"host": 2, "all": 3}


async def test_waiting_for_a_turn_costs_no_time_of_the_limit(site: Site) -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.15)
        return web.Response(body=FEED)

    site.answers["/f"] = answer
    async with fetcher(per_host=1, total=0.4) as one:
        found = await asyncio.gather(*(one.fetch(site.url("/f"), private=True) for _ in range(4)))
    assert len(found) == 4


async def test_nobody_listening_and_no_such_name(unused_tcp_port: int) -> None:
    assert "cannot connect to 127.0.0.1" in str(await refusal(f"http://127.0.0.1:{unused_tcp_port}/"))
    assert "DNS: the name gone.example" in str(await refusal("http://gone.example/", using=fetcher(Names())))


async def test_plain_http_on_a_tls_address_is_a_tls_failure(site: Site) -> None:
    error = await refusal(f"https://127.0.0.1:{site.port}/f")
    assert str(error).startswith("TLS: 127.0.0.1")
    assert isinstance(error.__cause__, ssl.SSLError | OSError)


async def test_something_that_is_not_http() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        assert "not valid HTTP" in str(await refusal(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))


async def test_an_odd_address_is_sent_exactly_as_written(site: Site) -> None:
    site.answers["/index.html?feed=rss"] = site.answers["/x"] = flood
    site.serve("/index.html?feed=rss")
    await fetched(site.url("/index.html%3Ffeed=rss"))
    assert site.seen[0].raw_path == "/index.html%3Ffeed=rss"
