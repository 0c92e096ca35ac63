"""The real process, `python -m bot …`, with all that it writes, for tests that look at it from outside."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.fake_slack import APP_TOKEN, SECRET, TOKEN

ROOT = Path(__file__).resolve().parents[2]


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """What a process is given: its configuration and database in ``folder``, and nothing of ours."""
    return {
        "PATH": os.environ.get("PATH", ""),
        "PYTHONPATH": str(ROOT),
        "WARDWATCH_CONFIG": str(folder / "config"),
        "WARDWATCH_DATABASE": f"sqlite:///{folder / 'ward.db'}",
        "WARDWATCH_EPSS_URL": "off",
        **settings,
    }


def in_slack(folder: Path, url: str, *, mode: str = "http", **settings: str) -> dict[str, str]:
    """The environment of a process that speaks to the stand-in for Slack at ``url``."""
    tokens = {"SLACK_APP_TOKEN": APP_TOKEN} if mode == "socket" else {"SLACK_SIGNING_SECRET": SECRET, "PORT": "0"}
    usual = {"SLACK_BOT_TOKEN": TOKEN, "SLACK_API_URL": url, "WARDWATCH_CHANNEL": "C0ALERTS"}
    return environment(folder, **{**usual, **tokens, **settings})


class Running:
    """One process; an async context manager that kills it at the end if it still lives."""

    def __init__(self, folder: Path, given: Mapping[str, str], *arguments: str) -> None:
        self._folder, self._given, self._arguments = folder, given, arguments or ("run",)
        self.lines: list[str] = []
        self._more = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "bot", *self._arguments),
            cwd=self._folder,
            env=dict(self._given),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
            limit=2**22,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
            async with self._more:
                self._more.notify_all()
        async with self._more:
            self._more.notify_all()

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    async def says(self, pattern: str, within: float = 15) -> re.Match[str]:
        """Wait for a line in which ``pattern`` is found."""
        looking = re.compile(pattern)

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := looking.search(line))), None)

        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within), self._more:
                await self._more.wait_for(lambda: found() or self._reading.done())
        match = found()
        assert match, f"never said {pattern!r}:\n{self.text[-3000:]}"
        return match

    async def port(self) -> int:
        return int((await self.says(r"web=listening .*port=(\d+)"))[1])

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send a signal; the seconds until the end."""
        begin = time.monotonic()
        self.process.send_signal(number)
        async with asyncio.timeout(15):
            await self.process.wait()
        return time.monotonic() - begin

    def memory(self) -> float:
        """MB of resident memory of the process and its children."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return sum(map(_resident, [str(pid), *children]))


def _resident(pid: str) -> float:
    with contextlib.suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1024 if found else 0.0
    return 0.0


def told(
    folder: Path, *arguments: str, given: Mapping[str, str] | None = None, stdin: bytes = b"", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={**(given or environment(folder)), **settings},
        input=stdin,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
