"""Slack's signed requests over HTTP, as one ASGI endpoint: nothing is parsed before the signature is proven.

Bolt's own adapters parse first, so that a stranger's broken JSON or timestamp answers 500; here a stranger gets 401,
413 or nothing. A request that is signed but cannot be read answers 400.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier

log = logging.getLogger(__name__)

BODY_LIMIT = 2**20  # bytes; Slack's own requests stay far below
_PASSED = ("content-type", "x-slack-signature", "x-slack-request-timestamp", "x-slack-retry-num")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Endpoint:
    """Answers ``POST`` from Slack. The body is at most a megabyte, the timestamp at most five minutes away."""

    def __init__(self, app: AsyncApp, signing_secret: str) -> None:
        self._app = app
        self._verifier = SignatureVerifier(signing_secret)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        if answer is None:
            return
        content = answer.body.encode() if isinstance(answer.body, str) else json.dumps(answer.body).encode()
        headers = [(name.encode(), value.encode()) for name, values in answer.headers.items() for value in values]
        headers = [(name, value) for name, value in headers if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Scope, receive: Receive) -> BoltResponse | None:
        body = bytearray()
        while True:
            part = await receive()
            if part["type"] != "http.request":
                return None  # the client went away
            body += part.get("body", b"")
            if len(body) > BODY_LIMIT:
                return BoltResponse(status=413, body="too large")
            if not part.get("more_body", False):
                break
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._signed(bytes(body), headers):
            log.warning("slack=unsigned-request outcome=refused bytes=%d", len(body))
            return BoltResponse(status=401, body="not signed by Slack")
        try:
            request = AsyncBoltRequest(
                body=body.decode(), headers={name: headers[name] for name in _PASSED if name in headers}
            )
            _check_actions(request.body)
        except Exception as error:  # whatever Bolt stumbles over in a body it did not expect
            log.warning("slack=unreadable-request outcome=refused error=%s", type(error).__name__)
            return BoltResponse(status=400, body="cannot be read")
        return await self._app.async_dispatch(request)

    def _signed(self, body: bytes, headers: dict[str, str]) -> bool:
        try:
            return self._verifier.is_valid(
                body, headers.get("x-slack-request-timestamp"), headers.get("x-slack-signature")
            )
        except (ValueError, TypeError):  # a timestamp that is no number, bytes that are no text
            return False


def _check_actions(body: dict[str, Any]) -> None:
    """Bolt stumbles over a pressed button that names no action. Raises ValueError."""
    actions = body.get("actions")
    if body.get("type") == "block_actions" and not (
        isinstance(actions, list) and actions and all(isinstance(action, dict) for action in actions)
    ):
        raise ValueError("no actions")
