"""``settings``, ``backup`` and ``reconcile``: looking after an installation."""

from __future__ import annotations

import argparse
import os

from rich.console import Console
from rich.table import Table

from bot.settings import read_settings


def settings(_: argparse.Namespace) -> int:
    """List every setting with its value and origin; secrets masked."""
    _, listed = read_settings(os.environ)
    table = Table("setting", "value", "from", "what it is", box=None, pad_edge=False, header_style="bold")
    for one in listed:
        table.add_row(one.name, one.value or "–", one.origin, one.description)
    Console().print(table)
    return 0
