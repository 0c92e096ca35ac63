"""Slack's documented limits on a message, as its servers check them (docs.slack.dev, Block Kit reference)."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

KEYS = {  # block or element -> its documented properties
    "rich_text": "elements block_id",
    "section": "text fields accessory expand block_id",
    "context": "elements block_id",
    "actions": "elements block_id",
    "header": "text block_id",
    "divider": "block_id",
    "rich_text_section": "elements",
    "rich_text_quote": "elements border",
    "rich_text_preformatted": "elements border language",
    "rich_text_list": "elements style indent offset border",
    "text": "text style",
    "link": "url text unsafe style",
    "emoji": "name skin_tone unicode url style",
    "button": "text action_id url value style confirm accessibility_label",
    "plain_text": "text emoji",
    "mrkdwn": "text verbatim",
}
STYLES = {"bold", "italic", "strike", "code"}
PINGS = re.compile(r"<!(channel|here|everyone|subteam)|<@[UW]")
FOREIGN_LINK = re.compile(r"<[^!@#][^>]*\|")


def problems(message: dict[str, Any]) -> list[str]:
    """Everything Slack would refuse, and everything that would ping or disguise a link, in words."""
    found: list[str] = []
    text, blocks = message.get("text") or "", message.get("blocks") or []
    if not text:
        found.append("no text: notifications and screen readers get nothing")
    if len(text) > 40_000:
        found.append(f"text of {len(text)} characters")
    found += _mrkdwn(text)
    if len(blocks) > 50:
        found.append(f"{len(blocks)} blocks")
    for block in blocks:
        found += _block(block)
    total = sum(len(value) for value in _texts(blocks))
    if total > 13_200:
        found.append(f"{total} characters in all blocks together")
    if len(json.dumps(message.get("metadata") or {})) > 16_000:
        found.append("metadata too large")
    return found


def texts(message: dict[str, Any]) -> str:
    """Every text a person sees in the blocks, joined."""
    return " ".join(_texts(message.get("blocks") or []))


def addresses(message: dict[str, Any]) -> list[str]:
    """Every address the message leads to."""
    return re.findall(r'"url": "((?:[^"\\]|\\.)*)"', json.dumps(message.get("blocks") or []))


def _texts(value: Any) -> list[str]:
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for part in value.values() for text in _texts(part) if not isinstance(part, str)]
    return []


def _block(block: dict[str, Any]) -> list[str]:
    kind = block.get("type", "")
    found = _keys(block, kind)
    elements = block.get("elements")
    if kind in ("rich_text", "context", "actions") and not elements:
        return [*found, f"{kind} without elements"]
    if kind == "rich_text":
        return found + [problem for part in elements for problem in _rich(part)]
    if kind == "context":
        found += ["more than 10 context elements"] if len(elements) > 10 else []
        return found + [problem for part in elements for problem in _plain(part, 3000, "context")]
    if kind == "actions":
        ids = Counter(part.get("action_id") for part in elements)
        found += [f"action_id {name} stands there twice" for name, count in ids.items() if count > 1]
        found += ["more than 25 buttons"] if len(elements) > 25 else []
        return found + [problem for part in elements for problem in _button(part)]
    if kind == "section":
        return found + _plain(block.get("text") or {}, 3000, "section")
    return found if kind in ("header", "divider") else [*found, f"unknown block {kind}"]


def _rich(part: dict[str, Any]) -> list[str]:
    kind = part.get("type", "")
    found = _keys(part, kind)
    if not kind.startswith("rich_text_"):
        return [*found, f"{kind} inside rich_text"]
    for element in part.get("elements") or []:
        found += _keys(element, element.get("type", ""))
        if element.get("type") not in ("text", "link", "emoji"):
            found.append(f"{element.get('type')} inside {kind}")
        if element.get("type") == "text" and not element.get("text"):
            found.append("empty text in rich_text")
        if element.get("type") == "link" and not re.match(r"https?://[^\s/]", element.get("url", "")):
            found.append(f"link to {element.get('url')!r:.80}")
        style = element.get("style", {})
        if not isinstance(style, dict) or set(style) - STYLES:
            found.append(f"style {style!r}")
    return found


def _plain(part: dict[str, Any], limit: int, where: str) -> list[str]:
    text, kind = part.get("text", ""), part.get("type", "")
    found = _keys(part, kind) + (_mrkdwn(text) if kind == "mrkdwn" else [])
    if kind not in ("plain_text", "mrkdwn"):
        found.append(f"{kind} inside {where}")
    if not 1 <= len(text) <= limit:
        found.append(f"{where} text of {len(text)} characters")
    return found


def _button(part: dict[str, Any]) -> list[str]:
    found = _keys(part, "button") + _plain(part.get("text") or {}, 75, "button")
    if (part.get("text") or {}).get("type") != "plain_text":
        found.append("button text must be plain_text")
    limits = {"action_id": 255, "value": 2000, "url": 3000}
    found += [f"button {name} too long" for name, limit in limits.items() if len(part.get(name, "")) > limit]
    if "url" in part and not re.match(r"https?://[^\s/]", part["url"]):
        found.append(f"button leads to {part['url']!r:.80}")
    if part.get("style") not in (None, "primary", "danger"):
        found.append(f"button style {part['style']}")
    return found


def _keys(part: dict[str, Any], kind: str) -> list[str]:
    return [f"{kind} has no property {key}" for key in part if key not in ("type", *KEYS.get(kind, "").split())]


def _mrkdwn(text: str) -> list[str]:
    found = ["mrkdwn pings someone"] if PINGS.search(text) else []
    return found + (["mrkdwn disguises a link"] if FOREIGN_LINK.search(text) else [])
