"""The process that reads hostile documents: takes calls on standard input, gives answers on standard output.

Started by ``apart.Parser`` and by nobody else. It limits its own memory, ends by itself when a call takes too long or
when its parent is gone, and holds no secret.
"""

from __future__ import annotations

import contextlib
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from bot.errors import NotAFeed
from bot.feeds.reading import read

LENGTH = struct.Struct(">Q")  # bytes of the pickle that follows


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call: its result, or why there is none (``foreign``: the document is no feed)."""

    result: Any = None
    foreign: str = ""
    broken: str = ""


def answer(call: dict[str, Any], reader: Callable[..., Any] = read) -> Answer:
    """Run one call; every failure becomes an answer."""
    try:
        return Answer(result=reader(**call))
    except NotAFeed as error:
        return Answer(foreign=str(error))
    except MemoryError:
        return Answer(foreign="refused: reading the document takes too much memory")
    except RecursionError:
        return Answer(foreign="refused: the document is nested too deeply")
    except Exception as error:  # a fault of ours in one document must not stop the others
        return Answer(broken=f"{type(error).__name__}: {error}"[:300])


def serve(calls: BinaryIO, answers: BinaryIO, seconds: int) -> None:
    """Answer calls until their stream ends; the system ends the process when one takes more than ``seconds``."""
    while len(head := calls.read(LENGTH.size)) == LENGTH.size:
        call = pickle.loads(calls.read(LENGTH.unpack(head)[0]))  # noqa: S301  from our own parent
        signal.alarm(seconds)
        given = answer(call)
        signal.alarm(0)
        packed = pickle.dumps(given, pickle.HIGHEST_PROTOCOL)
        answers.write(LENGTH.pack(len(packed)) + packed)
        answers.flush()


def main() -> None:
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing printed by accident may mix with the answers
    with contextlib.suppress(OSError, ValueError):  # not every system can limit it; the time limit still holds
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    serve(sys.stdin.buffer, answers, seconds)
