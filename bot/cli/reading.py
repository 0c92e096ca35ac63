"""``read`` and ``classify``: try a source, judge a file."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import gc
import io
import json
import os
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from bot.classify import classify_stream
from bot.errors import ConfigError, FetchError, NotAFeed
from bot.feeds.bodies import Damaged, TooLarge, decompressed
from bot.feeds.fetch import Fetched, Fetcher, Memory
from bot.feeds.parse import sniff
from bot.feeds.reading import Reading
from bot.feeds.reading import read as read_document
from bot.judge import load_judge
from bot.model import Advisory, Format, Source
from bot.settings import Settings, read_settings

LARGEST = 16 * 2**20  # bytes after decompression, as for a source


def read(chosen: argparse.Namespace) -> int:
    """Print the advisories of a document as JSON lines; 1 and one clear line when it is no feed."""
    settings, _ = read_settings(os.environ)
    place = chosen.FILE_OR_URL
    try:
        fetched = _document(place, settings, private=chosen.private)
        reading = _reading(fetched, _format(chosen.format, fetched), chosen.base_url or fetched.url)
    except (FetchError, NotAFeed) as error:
        print(f"wardwatch: {place}: {error}", file=sys.stderr)
        return 1
    _write_utf8()
    for advisory in reading.advisories:
        print(as_json(advisory))
    for warning in reading.warnings:
        print(f"wardwatch: {place}: {warning}", file=sys.stderr)
    return 0


def _document(place: str, settings: Settings, *, private: bool) -> Fetched:
    if place.startswith(("http://", "https://")):
        return asyncio.run(_fetch(place, settings, private))
    try:
        body = sys.stdin.buffer.read() if place == "-" else Path(place).read_bytes()
    except OSError as error:
        raise ConfigError(f"{place}: cannot be read: {error.strerror}") from error
    return Fetched(_uncompressed(place, body), "", 200, Memory())


def _uncompressed(place: str, body: bytes) -> bytes:
    try:
        return decompressed(body, LARGEST)
    except TooLarge as error:
        raise FetchError(f"larger than {LARGEST >> 20} MB after decompression") from error
    except Damaged as error:
        raise FetchError(str(error)) from error


async def _fetch(url: str, settings: Settings, private: bool) -> Fetched:
    async with Fetcher(user_agent=settings.user_agent) as fetcher:
        fetched = await fetcher.fetch(url, private=private)
    assert isinstance(fetched, Fetched)  # nothing is remembered, so nothing can be unchanged
    return fetched


def _format(name: str, fetched: Fetched) -> Format:
    if not name:
        return sniff(fetched.body, fetched.content_type)
    try:
        return Format(name)
    except ValueError as error:
        raise ConfigError(f"no format {name!r}; use one of {', '.join(Format)}") from error


def _reading(fetched: Fetched, format: Format, base_url: str) -> Reading:
    source = Source(
        id="try",
        name="tried by hand",
        organisation="unknown",
        country="INT",
        language="en",
        format=format,
        url=base_url or "https://localhost/",
    )
    return read_document(
        fetched.body, source, datetime.now(UTC), url=source.url, content_type=fetched.content_type, format=format
    )


def as_json(advisory: Advisory) -> str:
    """One advisory as a line of JSON, without what is empty."""
    fields = dataclasses.asdict(advisory) | {"source": None, "organisation": None, "country": None}
    return json.dumps(
        {k: v for k, v in fields.items() if v not in (None, "", (), False)}, default=_plain, ensure_ascii=False
    )


def _write_utf8() -> None:
    """JSON is UTF-8 wherever it goes; half a character is written as JSON itself would escape it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")


def _plain(value: Any) -> str:
    return (
        value.isoformat() if isinstance(value, datetime) else value.value if isinstance(value, StrEnum) else str(value)
    )


def classify(_: argparse.Namespace) -> int:
    """Judge JSON lines from standard input; 1 when a line could not be read."""
    settings, _listed = read_settings(os.environ)
    complaints = 0

    def complain(text: str) -> None:
        nonlocal complaints
        complaints += 1
        print(f"wardwatch: {text}", file=sys.stderr)

    judge = load_judge(settings.config)
    gc.collect()
    gc.freeze()  # the tries live as long as we do
    _write_utf8()
    sys.stdin.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    for line in classify_stream(sys.stdin, judge, datetime.now(UTC), complain):
        sys.stdout.write(line + "\n")
    return 1 if complaints else 0
