"""What the demo tells: sources and dated events, read from ``config/demo/`` and checked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, TypeAdapter, model_validator

from bot.errors import ConfigError
from bot.model import Source
from bot.yamlfile import load, nearest


def _absolute(link: str) -> str:
    TypeAdapter(HttpUrl).validate_python(link)
    return link


Text = Annotated[str, Field(min_length=1)]


class Event(BaseModel):
    """One thing that happens: an entry appears in a source's feed, or (``revises``) an entry of it changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: Annotated[AwareDatetime, AfterValidator(lambda moment: moment.astimezone(UTC))]
    source: Text
    guid: str = ""
    revises: str = ""
    title: Text
    link: Annotated[str, AfterValidator(_absolute)]
    summary: Text

    @model_validator(mode="after")
    def _one_name(self) -> Event:
        if bool(self.guid) == bool(self.revises):
            raise ValueError("an event has either a guid (a new entry) or revises (the guid of an earlier one)")
        return self

    @property
    def entry(self) -> tuple[str, str]:
        """The entry it writes: source id and guid."""
        return self.source, self.guid or self.revises


@dataclass(frozen=True, slots=True)
class Script:
    """Sources as written (their urls lack the port) and events in the order they happen."""

    sources: tuple[Source, ...]
    events: tuple[Event, ...]


def read_script(config_dir: Path) -> Script:
    """The demo's content under ``config_dir/demo``.

    Raises ConfigError with one line: what is wrong, in which file, in which stanza.
    """
    cast, timeline = config_dir / "demo" / "sources.yaml", config_dir / "demo" / "timeline.yaml"
    sources = load(cast, tuple[Source, ...])
    events = load(timeline, tuple[Event, ...])
    _check_sources(cast, sources)
    _check_events(timeline, events, {source.id for source in sources})
    return Script(sources, events)


def _check_sources(path: Path, sources: tuple[Source, ...]) -> None:
    ids: set[str] = set()
    paths: set[str] = set()
    for source in sources:
        url = urlsplit(source.url)
        if source.id in ids:
            raise ConfigError(f"{path}: {source.id}: the id stands twice")
        if url.path in paths:
            raise ConfigError(f"{path}: {source.id}.url: another source has the path {url.path}")
        if not (source.private and url.netloc == "127.0.0.1" and len(url.path) > 1):
            raise ConfigError(f"{path}: {source.id}: needs private: true and a url such as http://127.0.0.1/name.xml")
        ids.add(source.id)
        paths.add(url.path)


def _check_events(path: Path, events: tuple[Event, ...], ids: set[str]) -> None:
    told: set[tuple[str, str]] = set()
    before = datetime.min.replace(tzinfo=UTC)
    for number, event in enumerate(events, 1):
        where = f"{path}: event {number} ({event.entry[1]})"
        if event.source not in ids:
            raise ConfigError(f'{where}: unknown source "{event.source}"{nearest(event.source, ids)}')
        if event.at < before:
            raise ConfigError(f"{where}: happens at {event.at:%Y-%m-%d %H:%M}, before the event above it")
        if event.revises and event.entry not in told:
            names = [guid for source, guid in told if source == event.source]
            raise ConfigError(f"{where}: revises what {event.source} has not told{nearest(event.revises, names)}")
        if event.guid and event.entry in told:
            raise ConfigError(f"{where}: {event.source} has this guid already; use revises to change the entry")
        told.add(event.entry)
        before = event.at
