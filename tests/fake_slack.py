"""A stand-in for Slack that keeps state: the Web API Wardwatch calls, Socket Mode, response_url, and faults on demand.

In a test: ``async with FakeSlack() as slack: …``. As a process of its own, for crash drills:

    python -m tests.fake_slack --port 8099 --state slack.jsonl --fault chat.postMessage:lost:0.05

Every stored message goes to the journal as one JSON line before it is answered; a restart reads it back.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import importlib.util
import json
import random
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Literal, Self
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from tests.block_kit import problems

TEAM, BOT_ID, BOT_USER = "T0WARD", "B0WARD", "U0WARD"
TOKEN, APP_TOKEN, SECRET = "xoxb-fake-token", "xapp-fake-token", "fake-signing-secret"
SCOPES = "commands,chat:write,channels:read,groups:read,channels:history,groups:history,channels:join"
NEEDS = {  # method -> scope for a public channel, for a private one
    "chat.postMessage": ("chat:write", "chat:write"),
    "chat.update": ("chat:write", "chat:write"),
    "chat.postEphemeral": ("chat:write", "chat:write"),
    "conversations.history": ("channels:history", "groups:history"),
    "conversations.replies": ("channels:history", "groups:history"),
    "conversations.info": ("channels:read", "groups:read"),
    "conversations.list": ("channels:read", "groups:read"),
    "conversations.join": ("channels:join", "channels:join"),
}


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one call.

    ``lost``: done, and the connection closed without an answer. ``reset``: closed before anything was done.
    ``hang``: no answer within ``seconds``. ``html``: a page with ``status``. ``limited``: 429 with Retry-After
    ``seconds``. ``refused``: ``ok: false`` with ``code``.
    """

    kind: Literal["lost", "reset", "hang", "html", "limited", "refused"]
    seconds: float = 1
    status: int = 500
    code: str = ""


@dataclass
class Channel:
    id: str
    name: str
    private: bool = False
    member: bool = True
    archived: bool = False
    messages: list[dict[str, Any]] = field(default_factory=list)  # oldest first


class Refused(Exception):
    """Slack's ``ok: false``; the argument is its code."""


@dataclass
class FakeSlack:
    """One workspace with one app. ``problems`` collects what Slack's block rules would refuse; it should stay empty."""

    scopes: str = SCOPES
    enterprise: str = ""
    journal: Path | None = None
    rates: dict[tuple[str, str], float] = field(default_factory=dict)  # (method, kind of fault) -> probability
    seed: int = 0
    channels: dict[str, Channel] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)  # posted to a response_url
    refuse_answers: int = 0  # so many further posts to a response_url get 400

    def __post_init__(self) -> None:
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self._random = random.Random(self.seed)
        self._last_ts = 0.0
        self._sockets: list[web.WebSocketResponse] = []
        self._acks: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._answered = asyncio.Event()
        self._opened = asyncio.Event()
        self.tickets: set[str] = set()
        self._serial = 0
        self.add_channel("C0ALERTS", "security-alerts")
        if self.journal and self.journal.exists():
            self._replay(self.journal)

    def add_channel(self, id: str, name: str, **how: bool) -> Channel:
        self.channels[id] = Channel(id, name, **how)
        return self.channels[id]

    def fail(self, method: str, *faults: Fault) -> None:
        """The next calls of ``method`` go wrong, one after another."""
        self.faults[method].extend(faults)

    def messages(self, channel: str = "C0ALERTS") -> list[dict[str, Any]]:
        return self.channels[channel].messages

    # -- serving

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=8 * 2**20)
        app.router.add_route("*", "/api/{method}", self._api)
        app.router.add_get("/socket", self._socket)
        app.router.add_post("/response/{key}", self._response)
        app.router.add_get("/state", self._state)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        for one in self._sockets:
            await one.close()
        await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """The base of the Web API, as SLACK_API_URL wants it."""
        return f"http://127.0.0.1:{self.port}/api/"

    # -- the Web API

    async def _api(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        arguments: dict[str, Any] = dict(request.query)
        if request.content_type == "application/json":
            arguments |= await request.json()
        else:
            arguments |= dict((await request.post()).items())
        self.calls.append((method, arguments))
        fault = self._fault(method)
        if fault and fault.kind == "limited":
            return web.json_response(
                {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": f"{fault.seconds:g}"}
            )
        if fault and fault.kind == "html":
            page = "<html><body>Something went wrong</body></html>"
            return web.Response(text=page, status=fault.status, content_type="text/html")
        if fault and fault.kind == "hang":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind in ("reset", "hang"):
            return self._cut(request)
        try:
            if fault and fault.kind == "refused":
                raise Refused(fault.code)
            answer = {"ok": True, **self._do(method, arguments, request.headers.get("Authorization", ""))}
        except Refused as error:
            answer = {"ok": False, "error": str(error)}
        if fault and fault.kind == "lost":
            return self._cut(request)
        return web.json_response(answer, headers={"x-oauth-scopes": self.scopes})

    def _fault(self, method: str) -> Fault | None:
        if self.faults[method]:
            return self.faults[method].popleft()
        for (name, kind), rate in self.rates.items():
            if name == method and self._random.random() < rate:
                return Fault(kind)  # type: ignore[arg-type]
        return None

    def _cut(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    def _do(self, method: str, arguments: dict[str, Any], authorization: str) -> dict[str, Any]:
        token = authorization.removeprefix("Bearer ") or arguments.get("token", "")
        if method == "apps.connections.open":
            return self._open(token)
        if token != TOKEN:
            raise Refused("invalid_auth" if token else "not_authed")
        if method == "auth.test":
            who = {"team_id": TEAM, "user_id": BOT_USER, "bot_id": BOT_ID, "team": "Ward", "user": "wardwatch"}
            return {**who, "enterprise_id": self.enterprise} if self.enterprise else who
        if method == "conversations.list":
            return self._list(arguments)
        channel = self.channels.get(arguments.get("channel", ""))
        if channel is None:
            raise Refused("channel_not_found")
        if NEEDS[method][channel.private] not in self.scopes.split(","):
            raise Refused("missing_scope")
        if method == "conversations.info":
            return {"channel": self._shown(channel)}
        if channel.archived:
            raise Refused("is_archived")
        if method == "conversations.join":
            if channel.private:
                raise Refused("method_not_supported_for_channel_type")
            channel.member = True
            return {"channel": self._shown(channel)}
        if not channel.member:
            raise Refused("channel_not_found" if channel.private else "not_in_channel")
        act = {
            "chat.postMessage": self._post,
            "chat.postEphemeral": self._ephemeral,
            "chat.update": self._update,
            "conversations.history": self._history,
            "conversations.replies": self._replies,
        }
        return act[method](channel, arguments)

    def _open(self, token: str) -> dict[str, Any]:
        if token != APP_TOKEN:
            raise Refused("invalid_auth")
        self._serial += 1
        self.tickets.add(str(self._serial))
        return {"url": f"ws://127.0.0.1:{self.port}/socket?ticket={self._serial}"}

    def _shown(self, channel: Channel) -> dict[str, Any]:
        return {
            "id": channel.id,
            "name": channel.name,
            "is_private": channel.private,
            "is_member": channel.member,
            "is_archived": channel.archived,
        }

    def _list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        kinds = arguments.get("types", "public_channel").split(",")
        scopes = {"public_channel": "channels:read", "private_channel": "groups:read"}
        if any(scopes[kind] not in self.scopes.split(",") for kind in kinds):
            raise Refused("missing_scope")
        seen = [
            channel
            for channel in self.channels.values()
            if ("private_channel" if channel.private else "public_channel") in kinds
            and (channel.member or not channel.private)
            and not (channel.archived and arguments.get("exclude_archived") in ("1", "true", True))
        ]
        page, cursor = _page(seen, arguments, 100)
        return {"channels": [self._shown(channel) for channel in page], "response_metadata": {"next_cursor": cursor}}

    def _check(self, arguments: dict[str, Any]) -> None:
        found = problems(arguments)
        if checker := _neighbour():
            given = {name: value for name, value in arguments.items() if name != "blocks" or value}
            found += [f"{path} {text}" for level, path, text, _ in checker.check(given) if level == "ERROR"]
        if found:
            self.problems += found
            raise Refused("invalid_blocks")

    def _post(self, channel: Channel, arguments: dict[str, Any]) -> dict[str, Any]:
        self._check(arguments)
        thread = arguments.get("thread_ts")
        if thread and not any(message["ts"] == thread for message in channel.messages):
            raise Refused("thread_not_found")
        self._last_ts = max(time.time(), self._last_ts + 0.000_001)
        message = {
            "type": "message",
            "ts": f"{self._last_ts:.6f}",
            "user": BOT_USER,
            "bot_id": BOT_ID,
            **{k: arguments[k] for k in ("text", "blocks", "metadata", "thread_ts", "mrkdwn") if k in arguments},
        }
        if arguments.get("reply_broadcast"):
            message["subtype"] = "thread_broadcast"
        self._write({"did": "post", "channel": channel.id, "message": message})
        channel.messages.append(message)
        return {"channel": channel.id, "ts": message["ts"], "message": message}

    def _ephemeral(self, channel: Channel, arguments: dict[str, Any]) -> dict[str, Any]:
        self._check(arguments)
        return {"message_ts": f"{time.time():.6f}"}

    def _update(self, channel: Channel, arguments: dict[str, Any]) -> dict[str, Any]:
        self._check(arguments)
        message = next((one for one in channel.messages if one["ts"] == arguments["ts"]), None)
        if message is None:
            raise Refused("message_not_found")
        changed = {k: arguments[k] for k in ("text", "blocks", "metadata") if k in arguments}
        self._write({"did": "update", "channel": channel.id, "ts": arguments["ts"], "changed": changed})
        message |= changed
        return {"channel": channel.id, "ts": arguments["ts"]}

    def _history(self, channel: Channel, arguments: dict[str, Any]) -> dict[str, Any]:
        top = [one for one in channel.messages if "thread_ts" not in one or one.get("subtype") == "thread_broadcast"]
        return self._told(list(reversed(top)), arguments)

    def _replies(self, channel: Channel, arguments: dict[str, Any]) -> dict[str, Any]:
        thread = [one for one in channel.messages if arguments["ts"] in (one["ts"], one.get("thread_ts"))]
        if not thread:
            raise Refused("thread_not_found")
        return self._told(thread, arguments)

    def _told(self, messages: list[dict[str, Any]], arguments: dict[str, Any]) -> dict[str, Any]:
        oldest = float(arguments.get("oldest") or 0)
        page, cursor = _page([one for one in messages if float(one["ts"]) >= oldest], arguments, 100)
        if arguments.get("include_all_metadata") not in ("1", "true", True):
            page = [{k: v for k, v in one.items() if k != "metadata"} for one in page]
        more = {"has_more": True, "response_metadata": {"next_cursor": cursor}} if cursor else {"has_more": False}
        return {"messages": page, **more}

    # -- the journal

    def _write(self, line: dict[str, Any]) -> None:
        if self.journal:
            with self.journal.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(line) + "\n")

    def _replay(self, journal: Path) -> None:
        for line in map(json.loads, journal.read_text(encoding="utf-8").splitlines()):
            channel = self.channels.get(line["channel"]) or self.add_channel(line["channel"], line["channel"].lower())
            if line["did"] == "post":
                channel.messages.append(line["message"])
                self._last_ts = max(self._last_ts, float(line["message"]["ts"]))
            else:
                next(one for one in channel.messages if one["ts"] == line["ts"]).update(line["changed"])

    async def _state(self, _: web.Request) -> web.Response:
        return web.json_response({channel.id: channel.messages for channel in self.channels.values()})

    # -- response_url

    async def _response(self, request: web.Request) -> web.Response:
        body = await request.json()
        if self.refuse_answers:
            self.refuse_answers -= 1
            return web.json_response({"ok": False, "error": "invalid_blocks"}, status=400)
        with contextlib.suppress(Refused):
            self._check(body)
        self.answers.append({**body, "key": request.match_info["key"]})
        self._answered.set()
        return web.json_response({"ok": True})

    def response_url(self, key: str = "1") -> str:
        return f"http://127.0.0.1:{self.port}/response/{key}"

    async def answered(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait until ``count`` answers have come to a response_url."""
        async with asyncio.timeout(5):
            while len(self.answers) < count:
                self._answered.clear()
                await self._answered.wait()
        return self.answers

    # -- Socket Mode

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("ticket") not in self.tickets:
            return web.Response(status=404)
        self.tickets.discard(request.query["ticket"])  # each is good for one connection
        connection = web.WebSocketResponse(autoping=True)
        await connection.prepare(request)
        await connection.send_json({"type": "hello", "num_connections": len(self._sockets) + 1})
        self._sockets.append(connection)
        self._opened.set()
        try:
            async for frame in connection:
                if frame.type == aiohttp.WSMsgType.TEXT:
                    answer = json.loads(frame.data)
                    if (waiting := self._acks.get(answer.get("envelope_id", ""))) and not waiting.done():
                        waiting.set_result(answer)
        finally:
            self._sockets.remove(connection)
        return connection

    async def connected(self) -> None:
        """Wait until a Socket Mode connection is open."""
        async with asyncio.timeout(5):
            while not self._sockets:
                self._opened.clear()
                await self._opened.wait()

    async def reconnected(self) -> None:
        """Wait until another connection is opened than those there were."""
        async with asyncio.timeout(15):
            self._opened.clear()
            await self._opened.wait()

    async def send(self, kind: Literal["slash_commands", "interactive"], payload: dict[str, Any]) -> dict[str, Any]:
        """Send one envelope over the newest connection; gives its acknowledgement."""
        await self.connected()
        self._serial += 1
        envelope = f"envelope-{self._serial}"
        self._acks[envelope] = asyncio.get_running_loop().create_future()
        await self._sockets[-1].send_json(
            {"type": kind, "envelope_id": envelope, "payload": payload, "accepts_response_payload": True}
        )
        return await asyncio.wait_for(self._acks[envelope], 3)

    async def refresh(self) -> None:
        """Ask the app to reconnect, as Slack does every few hours."""
        await self._sockets[-1].send_json({"type": "disconnect", "reason": "refresh_requested"})

    async def drop(self) -> None:
        """Close every connection without a word."""
        for one in list(self._sockets):
            await one.close()

    # -- what Slack sends

    def command(self, text: str, **fields: str) -> dict[str, Any]:
        """The form of a `/ward` command."""
        self._serial += 1
        return {
            "command": "/ward",
            "text": text,
            "team_id": TEAM,
            "channel_id": "C0ALERTS",
            "user_id": "U0NURSE",
            "response_url": self.response_url(str(self._serial)),
            "trigger_id": f"1.2.{self._serial}",
            "api_app_id": "A0WARD",
            **fields,
        }

    def press(self, action_id: str, value: str = "", *, ephemeral: bool = False, **fields: Any) -> dict[str, Any]:
        """The payload of a pressed button."""
        self._serial += 1
        return {
            "type": "block_actions",
            "team": {"id": TEAM, "domain": "ward"},
            "user": {"id": "U0NURSE", "team_id": TEAM},
            "channel": {"id": "C0ALERTS", "name": "security-alerts"},
            "container": {"type": "message", "is_ephemeral": ephemeral},
            "actions": [{"type": "button", "action_id": action_id, "value": value, "block_id": "b", "action_ts": "1"}],
            "response_url": self.response_url(str(self._serial)),
            "trigger_id": f"1.2.{self._serial}",
            "api_app_id": "A0WARD",
            **fields,
        }


def signed(body: bytes, *, secret: str = SECRET, timestamp: str = "", kind: str = "") -> dict[str, str]:
    """The headers Slack sends with ``body`` (docs.slack.dev/authentication/verifying-requests-from-slack)."""
    timestamp = timestamp or str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "content-type": kind or "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature": f"v0={digest}",
    }


def form(payload: dict[str, Any]) -> bytes:
    """A command or a pressed button as the body of an HTTP request."""
    return urlencode(payload if "command" in payload else {"payload": json.dumps(payload)}).encode()


def _page(found: list[Any], arguments: dict[str, Any], usual: int) -> tuple[list[Any], str]:
    start, count = int(arguments.get("cursor") or 0), int(arguments.get("limit") or usual)
    return found[start : start + count], str(start + count) if start + count < len(found) else ""


def _neighbour() -> ModuleType | None:
    """A fuller block checker where one lies beside the checkout; nothing depends on it."""
    path = Path(__file__).parents[2] / "shared" / "checks" / "check_blocks.py"
    if "module" not in _CHECKER:
        _CHECKER["module"] = None
        if path.is_file() and (spec := importlib.util.spec_from_file_location("check_blocks", path)) and spec.loader:
            _CHECKER["module"] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(_CHECKER["module"])
    return _CHECKER["module"]


_CHECKER: dict[str, ModuleType | None] = {}


async def _serve(port: int, state: Path, rates: list[str], seed: int) -> None:
    chances = {(method, kind): float(rate) for method, kind, rate in (line.split(":") for line in rates)}
    slack = FakeSlack(journal=state, rates=chances, seed=seed)
    await slack.start(port)
    print(f"listening {slack.url}", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_slack", description="A stand-in for Slack.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path, required=True, help="journal: one JSON line for each message")
    parser.add_argument("--fault", action="append", default=[], metavar="METHOD:KIND:RATE")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(chosen.port, chosen.state, chosen.fault, chosen.seed))


if __name__ == "__main__":
    main()
