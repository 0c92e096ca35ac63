"""The command line: what can be typed after ``python -m bot``; each command is one function of a module here.

``COMMANDS`` is the whole list; a command's module is imported only when it is used, so that ``--help`` is quick.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot import VERSION
from bot.errors import WardwatchError


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command, as argparse takes it."""

    name: str
    help: str
    many: bool = False  # any number of words
    flag: bool = False  # on or off
    optional: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """One command: where its function is (``module:function``), what it does, an example."""

    name: str
    function: str
    help: str
    example: str
    arguments: tuple[Argument, ...] = ()


COMMANDS = (
    Command("run", "live:run", "start Wardwatch and keep it running", "python -m bot run"),
    Command(
        "demo",
        "demo:demo",
        "the spring of 2020 through the same pipeline, without internet",
        "python -m bot demo --fast",
        (
            Argument("--fast", "do not pause between events", flag=True),
            Argument("--keep", "keep the demo's database, for `ask` afterwards (under var/demo.db)", flag=True),
        ),
    ),
    Command(
        "poll",
        "live:poll",
        "poll sources now, once (all enabled ones when none is named)",
        "python -m bot poll us-cisa-icsma uk-ncsc-all",
        (Argument("SOURCE", "ids of sources", many=True), Argument("--json", "for machines", flag=True)),
    ),
    Command(
        "ask",
        "live:ask",
        "ask what /ward answers in Slack",
        'python -m bot ask "search ransomware hospital"',
        (Argument("WORDS", "the command, such as: latest, search QUERY, why ID", many=True),),
    ),
    Command(
        "read",
        "reading:read",
        "print the advisories of a feed as JSON lines: try a new source",
        "python -m bot read https://cert.example/feed.xml",
        (
            Argument("FILE_OR_URL", "a file, an address, or - for standard input"),
            Argument("--format", "what it is, where it cannot be told", optional=True),
            Argument("--base-url", "what relative links are relative to", optional=True),
            Argument("--private", "allow loopback and private addresses", flag=True),
        ),
    ),
    Command(
        "classify",
        "reading:classify",
        "judge advisories, JSON lines in and out",
        "python -m bot classify < in.jsonl > out.jsonl",
    ),
    Command(
        "rules",
        "rules:rules",
        "list the rules; `rules test FILE.jsonl` measures them; `rules diff` shows what an edit would have changed",
        "python -m bot rules test labelled.jsonl",
        (
            Argument("ACTION", "list, test or diff", optional=True, choices=("list", "test", "diff")),
            Argument(
                "PATH",
                "test: labelled JSON lines; diff: a configuration folder, if not the one in use",
                optional=True,
            ),
        ),
    ),
    Command(
        "settings", "upkeep:settings", "list every setting, its value and where it comes from", "python -m bot settings"
    ),
    Command(
        "backup",
        "upkeep:backup",
        "copy the database to a file, also while Wardwatch runs",
        "python -m bot backup var/copy.db",
        (Argument("FILE", "where to"),),
    ),
    Command(
        "reconcile",
        "upkeep:reconcile",
        "prove that every entry of the last day was sent, is owed, or was left out for a reason",
        "python -m bot reconcile",
        (Argument("--json", "for machines", flag=True),),
    ),
)


def parser() -> argparse.ArgumentParser:
    """The argument parser for ``COMMANDS``."""
    width = max(len(command.name) for command in COMMANDS)
    listing = "\n".join(f"  {c.name:<{width}}  {c.help}\n  {'':<{width}}  $ {c.example}" for c in COMMANDS)
    top = argparse.ArgumentParser(
        prog="python -m bot",
        description="Wardwatch: security-advisory alerts for the people who defend hospitals.",
        epilog=f"commands:\n{listing}\n\n`python -m bot COMMAND --help` tells more of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="python -m bot COMMAND [...]",
    )
    top.add_argument("--version", action="version", version=f"wardwatch {VERSION}")
    choices = top.add_subparsers(dest="command", required=True, metavar="COMMAND", help=argparse.SUPPRESS)
    for command in COMMANDS:
        one = choices.add_parser(
            command.name,
            description=command.help,
            epilog=f"example:\n  $ {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(function=command.function)
        for argument in command.arguments:
            _add(one, argument)
    return top


def _add(one: argparse.ArgumentParser, argument: Argument) -> None:
    if argument.flag:
        one.add_argument(argument.name, help=argument.help, action="store_true")
    elif argument.name.startswith("--"):
        one.add_argument(argument.name, help=argument.help, default="")
    else:
        nargs = "*" if argument.many else "?" if argument.optional else None
        choices = argument.choices or None
        one.add_argument(argument.name, help=argument.help, nargs=nargs, choices=choices)


def _refuse_unknown(arguments: Sequence[str]) -> None:
    names = [command.name for command in COMMANDS]
    if arguments and not arguments[0].startswith("-") and arguments[0] not in names:
        close = difflib.get_close_matches(arguments[0], names, n=1)
        hint = f'did you mean "{close[0]}"?' if close else "`python -m bot --help` lists them"
        print(f"wardwatch: no command {arguments[0]!r}; {hint}", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit status. 0 done, 1 the command's own "no", 2 something to mend, 130 interrupted."""
    _refuse_unknown(arguments)
    chosen = parser().parse_args(arguments)
    module, name = chosen.function.split(":")
    try:
        function: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f"bot.cli.{module}"), name)
        return function(chosen)
    except WardwatchError as error:
        print(f"wardwatch: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has had enough
        return 0
