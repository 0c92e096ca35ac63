"""The app's manifest asks for exactly what is used."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from bot.chat.slack.client import HISTORY, SCOPES

ROOT = Path(__file__).parents[3]
NEEDED = {  # SDK method -> scopes of the bot token (docs.slack.dev/reference/methods)
    "auth_test": set(),
    "apps_connections_open": set(),  # connections:write, of the app-level token
    "chat_postMessage": {"chat:write"},
    "chat_update": {"chat:write"},
    "conversations_join": {"channels:join"},
    "conversations_info": {"channels:read", "groups:read"},
    "conversations_list": {"channels:read", "groups:read"},
    "conversations_history": {"channels:history", "groups:history"},
    "conversations_replies": {"channels:history", "groups:history"},
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return json.loads((ROOT / "config" / "slack-manifest.json").read_text(encoding="utf-8"))


def called() -> set[str]:
    """Every method of the SDK's clients that our code names."""
    return {
        node.attr
        for path in (ROOT / "bot" / "chat" / "slack").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in ("reader", "writer")
        and node.attr != "token"
    }


def test_it_asks_for_exactly_the_scopes_that_are_used(manifest: dict[str, Any]) -> None:
    assert called() == set(NEEDED), "name the scopes of every method that is called"
    used = set().union(*NEEDED.values()) | {"commands"}
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == used
    assert used >= SCOPES | HISTORY


def test_it_makes_the_command_and_the_buttons_work(manifest: dict[str, Any]) -> None:
    (command,) = manifest["features"]["slash_commands"]
    assert command["command"] == "/ward"
    assert command["should_escape"] is False
    assert manifest["settings"]["socket_mode_enabled"]
    assert manifest["settings"]["interactivity"]["is_enabled"]
    assert "event_subscriptions" not in manifest["settings"], "no event is listened to"


def test_its_texts_fit(manifest: dict[str, Any]) -> None:
    about = manifest["display_information"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert 175 <= len(about["long_description"]) <= 4000
    assert len(manifest["features"]["bot_user"]["display_name"]) <= 80
