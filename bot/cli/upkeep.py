"""``settings``, ``backup`` and ``reconcile``: looking after an installation."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.settings import read_settings
from bot.store.accounts import Account, account
from bot.store.backup import backup as copy
from bot.store.engine import open_store


def settings(_chosen: argparse.Namespace) -> int:
    """List every setting with its value and origin; secrets masked."""
    listed = read_settings(os.environ)[1]
    for one in listed:
        print(f"{one.name} = {one.value}  [{one.origin}]" if one.value else f"{one.name} is not set")
        print(f"    {one.description}")
    return 0


def backup(chosen: argparse.Namespace) -> int:
    """Copy the database, whole and of one moment."""
    chosen_settings, _ = read_settings(os.environ)
    written = asyncio.run(copy(chosen_settings.database.get_secret_value(), Path(chosen.FILE)))
    print(f"{written}: {written.stat().st_size / 2**20:.1f} MB; to restore it, stop Wardwatch and put it in place")
    return 0


def reconcile(chosen: argparse.Namespace) -> int:
    """Print the account of the last day; 1 when it does not add up."""
    read, _ = read_settings(os.environ)
    found = asyncio.run(_account(read.database.get_secret_value()))
    if chosen.json:
        print(json.dumps(asdict(found) | {"adds_up": found.adds_up}))
    else:
        print("\n".join(_lines(found)))
    return 0 if found.adds_up else 1


async def _account(url: str) -> Account:
    store = await open_store(url)
    try:
        async with store.read() as conn:
            return await account(conn, datetime.now(UTC) - timedelta(days=1))
    finally:
        await store.close()


def _lines(found: Account) -> list[str]:
    lines = [f"{found.seen} advisories stood in documents of the last day"]
    lines += [f"{number:>7}  {state}" for state, number in found.states.items()]
    lines += [
        f"{number:>7}  not sent: {reason}" for reason, number in sorted(found.silent.items(), key=lambda r: -r[1])
    ]
    if found.adds_up:
        return [*lines, "the account adds up: each was sent, is owed, or was left out for a reason"]
    ids = ", ".join(map(str, found.unaccounted))
    return [*lines, f"the account does NOT add up; without a reason: {ids or 'a count differs'}"]
