"""Reading in a process of its own: a document cannot stall the event loop, fill our memory or take us down with it."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from bot.errors import NotAFeed
from bot.feeds.reading import Reading
from bot.feeds.worker import LENGTH, Answer
from bot.model import Format, Source

log = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[2]
_START = "from bot.feeds.worker import main; main()"  # not -m: its classes must keep their module's name
_LARGE = 256 * 1024  # bytes; larger answers are unpacked in a thread


class Parser:
    """Runs ``reading.read`` in one worker process, one call after the other; an async context manager.

    The worker starts with the first call, lives on between calls, and is replaced when it dies or a call takes longer
    than ``seconds``. ``memory`` is the address space it may use, in bytes.
    """

    def __init__(self, *, seconds: float = 30.0, memory: int = 256 * 2**20) -> None:
        self._seconds = seconds
        self._memory = memory
        self._turn = asyncio.Lock()
        self._worker: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def read(
        self,
        body: bytes,
        source: Source,
        now: datetime,
        *,
        url: str = "",
        content_type: str = "",
        format: Format | None = None,
    ) -> Reading:
        """``reading.read`` of the same arguments. Raises NotAFeed, also for documents too much for it."""
        call = {"body": body, "source": source, "now": now, "url": url, "content_type": content_type, "format": format}
        async with self._turn:
            given = await self._ask(call)
        if given.broken:
            log.error("event=parse_failed source=%s error=%r", source.id, given.broken)
            raise NotAFeed(f"the document cannot be read ({given.broken})")
        if given.foreign:
            raise NotAFeed(given.foreign)
        return cast(Reading, given.result)

    async def _ask(self, call: dict[str, Any]) -> Answer:
        finished = False
        try:
            async with asyncio.timeout(self._seconds):
                given = await self._exchange(pickle.dumps(call, pickle.HIGHEST_PROTOCOL))
            finished = True
            return given
        except TimeoutError as error:
            raise NotAFeed(f"refused: reading the document takes more than {self._seconds:g} s") from error
        except (OSError, EOFError) as error:
            raise NotAFeed("refused: the reading process died of the document") from error
        finally:
            if not finished:  # also when we are cancelled: a late answer must never meet the next call
                await self._stop()

    async def _exchange(self, call: bytes) -> Answer:
        worker = self._worker
        if worker is None or worker.returncode is not None:
            worker = self._worker = await self._start()
        if worker.stdin is None or worker.stdout is None:
            raise EOFError
        worker.stdin.write(LENGTH.pack(len(call)) + call)
        await worker.stdin.drain()
        size = LENGTH.unpack(await worker.stdout.readexactly(LENGTH.size))[0]
        packed = await worker.stdout.readexactly(size)
        loads = pickle.loads
        return cast(Answer, await asyncio.to_thread(loads, packed) if size > _LARGE else loads(packed))

    async def _start(self) -> asyncio.subprocess.Process:
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        arguments = ("-c", _START, str(self._memory), str(int(self._seconds) + 5))
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": path, "PATH": os.environ.get("PATH", "")},  # and no secret
            start_new_session=True,  # Ctrl-C is for us to answer
        )

    async def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        if worker.returncode is None:
            worker.kill()
        if worker.stdin:
            worker.stdin.close()
        await worker.wait()
