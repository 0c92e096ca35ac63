"""``rules``: list them, measure them, see what an edit would have changed."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bot.chat.terminal import terminal_console
from bot.errors import ConfigError
from bot.judge import Judge, load_judge
from bot.settings import Settings, read_settings
from bot.store import advisories
from bot.store.engine import open_store
from bot.trial import Change, RuleReport, describe_rules, judged_otherwise, test_rules

SHOWN = 20  # advisories listed at most


def rules(chosen: argparse.Namespace) -> int:
    """List the rules, or measure them, or compare them with what is stored."""
    settings, _ = read_settings(os.environ)
    console = terminal_console()
    if chosen.ACTION == "test":
        if not chosen.PATH:
            raise ConfigError("rules test needs labelled JSON lines: python -m bot rules test labelled.jsonl")
        return _test(console, load_judge(settings.config), Path(chosen.PATH))
    if chosen.ACTION == "diff":
        return asyncio.run(_diff(console, settings, Path(chosen.PATH or settings.config)))
    return _list(console, load_judge(settings.config))


def _list(console: Console, judge: Judge) -> int:
    table = Table("table", "rule", "gives", "what people read", box=None, pad_edge=False, header_style="bold")
    for line in describe_rules(judge.rules):
        table.add_row(line.table, line.id, line.gives, line.title)
    console.print(table)
    return 0


def _test(console: Console, judge: Judge, path: Path) -> int:
    report = test_rules(path, judge, now=datetime.now(UTC))
    console.print(f"relevance  {report.overall}")
    table = Table("rule", "right", "wrong", "precision", "recall", box=None, pad_edge=False, header_style="bold")
    for name, score in sorted(report.rules.items(), key=lambda pair: -pair[1].right):
        table.add_row(name, str(score.right), str(score.wrong), f"{score.precision:.3f}", f"{score.recall:.3f}")
    console.print(table)
    _print_errors(console, report)
    return 0


def _print_errors(console: Console, report: RuleReport) -> None:
    console.print(f"\nmissed: {len(report.missed)}", markup=False)
    for advisory in report.missed[:SHOWN]:
        console.print(f"  {advisory.title}", markup=False)
    console.print(f"\nnot relevant, yet found: {len(report.false)}", markup=False)
    for advisory, verdict in report.false[:SHOWN]:
        words = ", ".join(dict.fromkeys(reason.words for reason in verdict.reasons[:4]))
        console.print(f"  {advisory.title}  [{words}]", markup=False)


async def _diff(console: Console, settings: Settings, folder: Path) -> int:
    """What the rules of ``folder`` would say otherwise than what is stored."""
    judge, now = load_judge(folder), datetime.now(UTC)
    looked, kinds, shown = 0, Counter[str](), list[Change]()
    store = await open_store(settings.database.get_secret_value())
    try:
        async with store.read() as conn:
            async for stored in advisories.stream(conn):
                looked += 1
                change = judged_otherwise(judge, stored, now=now)
                if change is None:
                    continue
                kinds[change.kind] += 1
                if len(shown) < SHOWN:
                    shown.append(change)
    finally:
        await store.close()
    told = [f"{kinds.total()} of {looked} stored advisories would be judged otherwise"]
    told += [", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))] if kinds else []
    console.print(": ".join(told), markup=False)
    for change in shown:
        console.print(f"  {change}", markup=False)
    if kinds.total() > SHOWN:
        console.print(f"  and {kinds.total() - SHOWN} more", markup=False)
    return 0
