"""The small parts of Block Kit that messages are made of; each keeps within Slack's limits by itself."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bot.message import Button
from bot.text import visible

Block = dict[str, Any]  # Slack's own JSON: leaves this package only over HTTP

MAX_URL = 2_000
_ADDRESS = re.compile(r"://|\bwww\.", re.IGNORECASE)


def escape(text: str) -> str:
    """Text as mrkdwn reads it literally (docs.slack.dev/messaging/formatting-message-text)."""
    return visible(text, keep="\n").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cut(text: str, limit: int, keep: str = "") -> str:
    """At most ``limit`` visible characters, with an ellipsis where something was left out; words stay whole."""
    looked = text[: limit * 4]  # a title of a megabyte must not stop everything else
    shown = visible(looked, keep)
    if len(shown) <= limit and len(looked) == len(text):
        return shown
    shown = shown[: limit - 1]
    space = shown.rfind(" ", limit - 24)
    return (shown[:space] if space > 0 else shown).rstrip(" .,;:") + "…"


def date(moment: datetime) -> str:
    """A time that Slack shows in each reader's own zone."""
    stamp, fallback = int(moment.timestamp()), moment.strftime("%Y-%m-%d %H:%M UTC")
    return f"<!date^{stamp}^{{date_short_pretty}} {{time}}|{fallback}>"


def span(text: str, style: str = "") -> Block:
    block: Block = {"type": "text", "text": text or " "}
    slack = {"strong": "bold", "code": "code", "quiet": "italic"}.get(style)
    return {**block, "style": {slack: True}} if slack else block


def link(text: str, url: str, limit: int, *, strong: bool = False) -> list[Block]:
    """A link where the address is a web address Slack takes, else only its text.

    A text that looks like an address itself is no link, so that it cannot lead elsewhere: the true host follows it.
    """
    text = cut(text, limit)
    if not _is_web(url):
        return [span(text or cut(url, limit), "strong" if strong else "")]
    if _ADDRESS.search(text) and not url.startswith(text.rstrip("…")):
        return [span(text + " ", "strong" if strong else ""), _link_to(url, urlsplit(url).netloc[:100], strong)]
    return [_link_to(url, text or cut(url, limit), strong)]


def _link_to(url: str, text: str, strong: bool) -> Block:
    shown: Block = {"type": "link", "url": url, "text": text}
    return {**shown, "style": {"bold": True}} if strong else shown


def _is_web(url: str) -> bool:
    """Whether Slack takes ``url`` as the address of a link or button."""
    if not url.startswith(("http://", "https://")) or len(url) > MAX_URL or visible(url) != url or " " in url:
        return False
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # e.g. an IPv6 address with one bracket
        return False


def section(elements: list[Block]) -> Block:
    return {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": elements}]}


def context(mrkdwn: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": mrkdwn}]}


def actions(buttons: tuple[Button, ...], story: int) -> list[Block]:
    """The buttons in one block; one that would lead nowhere is left out, and no block stands empty."""
    useful = [button for button in buttons if not button.url or _is_web(button.url)][:5]
    elements = [_button(button, story, number) for number, button in enumerate(useful)]
    return [{"type": "actions", "elements": elements}] if elements else []


def _button(button: Button, story: int, number: int) -> Block:
    block: Block = {
        "type": "button",
        "action_id": f"{button.action}:{story}:{number}"[:255],
        "text": {"type": "plain_text", "text": cut(button.label, 70), "emoji": False},
    }
    if button.value:
        block["value"] = button.value[:2000]
    if button.url:
        block["url"] = button.url
    if button.tone:
        block["style"] = button.tone
    return block
