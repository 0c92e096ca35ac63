"""Builds everything from settings, and takes it down again. Values are passed down from here; nobody reaches up."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bot import VERSION
from bot.commands import Context, Policy
from bot.conditions import Lexicons
from bot.deliver import Deliverer, Limits, Platform
from bot.enrich import EpssClient
from bot.feeds.apart import Parser
from bot.feeds.fetch import Fetcher
from bot.feeds.fetch import Limits as FetchLimits
from bot.intake import Asking, Intake
from bot.judge import Judge
from bot.lexicons import load_lexicons
from bot.model import Source
from bot.pipeline import Pipeline
from bot.rounds import Rounds
from bot.rules import Rules, load_rules
from bot.settings import Settings, load_sources
from bot.store.engine import Store, open_store
from bot.store.migrate import migrate

log = logging.getLogger(__name__)

TERMINAL = "terminal:"  # the destination of one who reads along


def utc_now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Speaking:
    """Where Wardwatch speaks: platforms by name, and the destinations of alerts and of word to the operators."""

    platforms: Mapping[str, Platform]
    alerts: str
    operators: str
    limits: Limits = field(default_factory=Limits)
    prefix: str = ""  # what is typed before a command there


@dataclass(frozen=True, slots=True)
class App:
    """All parts, ready to work. Nothing runs by itself yet."""

    settings: Settings
    sources: tuple[Source, ...]
    store: Store
    pipeline: Pipeline
    rounds: Rounds
    deliverer: Deliverer
    context: Context
    asking: Asking
    epss: EpssClient | None

    @property
    def enabled(self) -> dict[str, Source]:
        """The sources that are polled, by id."""
        return {source.id: source for source in self.sources if source.enabled}


@asynccontextmanager
async def opened(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[Store]:
    """The database, at the head of its migrations."""
    store = await open_store(settings.database.get_secret_value())
    try:
        await migrate(store, now=clock())
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def built(
    settings: Settings,
    speaking: Speaking,
    *,
    sources: Sequence[Source] | None = None,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[App]:
    """Every part, connected; ``sources`` stand in for those of ``config/``. Raises ConfigError and StoreError."""
    listed = tuple(load_sources(settings.config) if sources is None else sources)
    lexicons = load_lexicons(settings.config / "lexicons")
    rules = load_rules(settings.config / "rules.yaml", lexicons)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(opened(settings, clock=clock))
        fetcher = await stack.enter_async_context(Fetcher(user_agent=settings.user_agent, limits=_limits(settings)))
        parser = await stack.enter_async_context(Parser())
        by_id = {source.id: source for source in listed}
        asking = Asking({speaking.alerts: settings.alert_query}, lexicons, platforms=speaking.platforms)
        await asking.refresh(store)
        deliverer = Deliverer(
            store,
            speaking.platforms,
            sources=by_id,
            rules=rules,
            clock=clock,
            operators=speaking.operators,
            limits=speaking.limits,
        )
        pipeline = Pipeline(
            store,
            fetcher,
            parser,
            Intake(Judge(rules, lexicons), asking.watch),
            clock=clock,
            wake=deliverer.wake,
            first_run_window=settings.first_run_window,
        )
        context = _context(settings, speaking, by_id, store, rules, lexicons, clock, asking, deliverer)
        rounds = Rounds(store, listed, operators=speaking.operators, clock=clock, wake=deliverer.wake)
        epss = EpssClient(store, fetcher, settings.epss_url) if settings.epss_url != "off" else None
        gc.collect()
        gc.freeze()  # lexicons and tries live as long as we do: looking at them again costs a tenth of a second
        stack.callback(gc.unfreeze)
        yield App(settings, listed, store, pipeline, rounds, deliverer, context, asking, epss)


def _context(
    settings: Settings,
    speaking: Speaking,
    sources: Mapping[str, Source],
    store: Store,
    rules: Rules,
    lexicons: Lexicons,
    clock: Callable[[], datetime],
    asking: Asking,
    deliverer: Deliverer,
) -> Context:
    """What commands work with; what they subscribe to is watched at once."""
    return Context(
        store=store,
        rules=rules,
        lexicons=lexicons,
        sources=sources,
        clock=clock,
        started=clock(),
        version=VERSION,
        policy=Policy(frozenset(settings.admins)),
        standing={speaking.alerts: settings.alert_query},
        subscribed=asking.add,
        unsubscribed=asking.remove,
        cautions=lambda: _cautions(speaking, deliverer),
        prefix=speaking.prefix,
    )


def _limits(settings: Settings) -> FetchLimits:
    return FetchLimits(
        total=settings.fetch_timeout.total_seconds(),
        connect=settings.connect_timeout.total_seconds(),
        read=settings.read_timeout.total_seconds(),
        concurrency=settings.fetch_concurrency,
        per_host=settings.fetch_per_host,
    )


def _cautions(speaking: Speaking, deliverer: Deliverer) -> list[str]:
    """What ``status`` must not hide of delivery."""
    lines = [
        f"{name} cannot be asked what became of a message: where an answer is lost, it may come twice"
        for name, platform in speaking.platforms.items()
        if not platform.can_ask and name != "terminal"
    ]
    health = deliverer.health
    lines += [f"{name} refuses our token: {said}" for name, said in health.refused_tokens.items()]
    if health.sent_blind:
        lines.append(f"{health.sent_blind} messages were sent again without knowing whether the first arrived")
    return lines
