"""The command line as a person meets it: what it prints, its exit status, and one clear line for each mistake."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.cli import COMMANDS, main
from tests.fake_slack import SCOPES, FakeSlack, Fault
from tests.flow.publisher import Publisher, write_config
from tests.flow.running import Running, environment, in_slack, told

FEED = b"""<rss version="2.0"><channel><title>F</title><item><guid>1</guid><title>Ransomware stops hospital</title>
<link>https://c.example/1</link><description>All of it</description></item></channel></rss>"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own to run in: small configuration, no database yet, no source to be polled."""
    for name in [name for name in os.environ if name.startswith(("WARDWATCH_", "SLACK_")) or name == "PORT"]:
        monkeypatch.delenv(name)
    for name, value in environment(tmp_path).items():
        if name.startswith("WARDWATCH_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    write_config(tmp_path / "config", Publisher())
    (tmp_path / "config" / "sources.yaml").write_text(
        "- {id: ex-cert, name: Ex, organisation: Ex, country: DE, language: en, url: 'https://cert.example/f.xml'}\n"
    )
    return tmp_path


@pytest.fixture
def ward(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command here: its exit status, what it printed, what it complained."""

    def run(*arguments: str) -> tuple[int, str, str]:
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(error.code or 0)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def typed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    def give(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


def one_line(error: str) -> str:
    """What a person reads of a mistake: one line that begins with the program's name."""
    lines = error.strip().splitlines()
    assert len(lines) == 1, error
    assert lines[0].startswith("wardwatch: ")
    return lines[0]


# -- what the commands do


def test_help_shows_every_command_with_an_example(ward: Command) -> None:
    status, out, _ = ward("--help")
    assert status == 0
    for command in COMMANDS:
        assert re.search(rf"^  {command.name} .*\n +\$ {re.escape(command.example)}$", out, re.MULTILINE)
        assert ward(command.name, "--help")[0] == 0


def test_a_mistyped_command_is_told_the_nearest(ward: Command) -> None:
    status, _, error = ward("pol")
    assert status == 2
    assert 'did you mean "poll"?' in one_line(error)


def test_settings_lists_each_with_its_origin(ward: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("WARDWATCH_CONTACT=soc@h.example\nWARDWATCH_HOST=::1\n")
    monkeypatch.setenv("WARDWATCH_HOST", "0.0.0.0")
    status, out, _ = ward("settings")
    assert status == 0
    assert "WARDWATCH_CONTACT = soc@h.example  [.env]" in out
    assert "WARDWATCH_HOST = 0.0.0.0  [environment]" in out
    assert "SLACK_BOT_TOKEN is not set" in out


def test_read_prints_json_lines(ward: Command, folder: Path, typed_in: Callable[[bytes], None]) -> None:
    (folder / "feed.xml").write_bytes(FEED)
    status, out, error = ward("read", "feed.xml", "--base-url", "https://c.example/")
    assert (status, error) == (0, "")
    assert json.loads(out)["title"] == "Ransomware stops hospital"
    typed_in(FEED)
    assert ward("read", "-")[1] == out


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 500, b"<html><body>Sorry</body></html>", b"PK\x03\x04", b"{"])
def test_what_is_no_feed_is_one_line_and_status_1(ward: Command, folder: Path, content: bytes) -> None:
    (folder / "f").write_bytes(content)
    status, out, error = ward("read", "f")
    assert (status, out) == (1, "")
    assert "f: " in one_line(error)


def test_read_says_why_it_cannot(ward: Command, folder: Path) -> None:
    assert ward("read", "nowhere.xml")[0] == 2
    assert "cannot be read" in one_line(ward("read", "nowhere.xml")[2])
    assert "cannot be read" in one_line(ward("read", str(folder))[2])
    (folder / "feed.xml").write_bytes(FEED)
    assert "no format 'rrs'" in one_line(ward("read", "feed.xml", "--format", "rrs")[2])
    status, _, error = ward("read", "http://127.0.0.1:9/feed.xml")
    assert status == 1
    assert "loopback" in one_line(error) or "private" in one_line(error)


def test_classify_judges_line_by_line(
    ward: Command, typed_in: Callable[[bytes], None], capsys: pytest.CaptureFixture[str]
) -> None:
    typed_in(b'{"title": "Ransomware stops hospital", "mine": 1}\n\n{"title": "A flaw in a router"}\n')
    status, out, error = ward("classify")
    first, second = map(json.loads, out.splitlines())
    assert (status, error) == (0, "")
    assert (first["relevance"], first["threats"], first["mine"]) == ("direct", ["ransomware"], 1)
    assert first["reasons"][0]["where"] == "title:17-25"
    assert second["relevance"] == "none"


def test_classify_tells_each_line_it_cannot_read(ward: Command, typed_in: Callable[[bytes], None]) -> None:
    deep = b"[" * 100_000
    typed_in(b'\xff\xfe\x00garbage\n[1]\n{"title": 3}\n' + deep + b'\n{"title": "hospital \xff \\ud800"}\n')
    status, out, error = ward("classify")
    assert status == 1
    assert [line[:19] for line in error.splitlines()] == [f"wardwatch: line {n}: "[:19] for n in (1, 2, 3, 4)]
    assert json.loads(out)["relevance"] == "direct"


def test_the_rules_can_be_listed_tried_and_compared(ward: Command, folder: Path) -> None:
    assert "Care is hit" in ward("rules")[1]
    line = {"title": "Hospital down", "relevant": True}
    other = {**line, "title": "Router", "relevant": False}
    (folder / "l.jsonl").write_text(f"{json.dumps(line)}\n{json.dumps(other)}\n")
    status, out, _ = ward("rules", "test", "l.jsonl")
    assert status == 0
    assert "precision 1.000  recall 1.000" in out
    ward("ask", "latest")  # makes the database
    status, out, _ = ward("rules", "diff")
    assert status == 0
    assert "0 of 0 stored advisories" in out
    assert ward("rules", "test")[0] == 2
    assert "nowhere.jsonl" in one_line(ward("rules", "test", "nowhere.jsonl")[2])
    assert ward("rules", "tets")[0] == 2


def test_ask_answers_what_ward_answers(ward: Command) -> None:
    status, out, _ = ward("ask", "sources")
    assert status == 0
    assert "ex-cert" in out
    assert "search" in ward("ask")[1]
    status, out, _ = ward("ask", "serch hospital")
    assert status == 1
    assert "search hospital" in out
    status, out, _ = ward("ask", "search severity:>=awful")
    assert status == 1
    assert "^" in out


def test_nobody_subscribes_a_terminal_that_gets_no_alerts(ward: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "WARDWATCH_CHANNEL": "C1"}.items():
        monkeypatch.setenv(name, value)
    status, _, error = ward("ask", "subscribe hospital")
    assert status == 2
    assert "/ward subscribe" in one_line(error)


@pytest.mark.parametrize("words", [
    "\udcff\udcfe search", "search \udcff", "search \x00", "show 99999999999999999999999", "cve CVE-1-1", "(" * 5000,
    "search " + "a* " * 3000, "subscribe \udce9", "why 1 \x1b[2J", "why \u202e\u200b",
    "search 'x'; drop table advisories", "search [/b]",
])  # fmt: skip
def test_ask_takes_any_bytes(ward: Command, words: str) -> None:
    status, out, error = ward("ask", words)
    assert status in (0, 1)
    assert out.strip()
    assert "Traceback" not in error
    assert "Sorry" not in out, "a fault of ours"


async def test_poll_prints_what_each_source_gave(folder: Path) -> None:
    async with Publisher("north", "south") as publisher:
        write_config(folder / "config", publisher)
        given = environment(folder)
        first = await asyncio.to_thread(told, folder, "poll", given=given)
        assert (first.returncode, first.stderr) == (0, "")
        publisher.add("north", "1", "Ransomware in hospital")
        publisher.feeds["south"].raw = b"<html>[/b] not now</html>"
        second = await asyncio.to_thread(told, folder, "poll", "--json", "north", "south", given=given)
        again = await asyncio.to_thread(told, folder, "poll", "north", given=given)
        polls = [json.loads(line) for line in second.stdout.splitlines()]
    assert second.returncode == 1  # one of them failed
    assert [(one["source"], one["status"], one["new"], one["alerts"]) for one in polls] == [
        ("north", "ok", 1, 1),
        ("south", "failed", 0, 0),
    ]
    assert "Ransomware in hospital" in second.stderr  # the card; the lines for machines stay clean
    assert "unchanged" in again.stdout
    assert "Ransomware in hospital" not in again.stdout
    (folder / "config" / "lexicons" / "care.yaml").write_text("about: care\nterms: {en: [infusion pump]}\n")
    edited = await asyncio.to_thread(told, folder, "rules", "diff", given=given)
    told_of = "1 of 1 stored advisories would be judged otherwise: 1 no longer relevant\n"
    assert edited.stdout.startswith(
        told_of + "  direct/info/ransomware -> none/info/ransomware  Ransomware in hospital"
    )
    account = await asyncio.to_thread(told, folder, "reconcile", given=given)
    assert account.returncode == 0
    assert "adds up" in account.stdout


async def test_a_backup_taken_while_wardwatch_runs_can_be_used(folder: Path) -> None:
    async with Publisher("north") as publisher:
        write_config(folder / "config", publisher)
        async with Running(folder, environment(folder)) as wardwatch:
            await publisher.asked_for("north")
            publisher.add("north", "1", "Ransomware in hospital")
            await wardwatch.says("Ransomware in hospital")
            copied = await asyncio.to_thread(told, folder, "backup", "copy.db")
            assert copied.returncode == 0, copied.stderr
            assert "copy.db" in copied.stdout
            await wardwatch.stop()
    given = environment(folder, WARDWATCH_DATABASE="sqlite:///copy.db")
    found = await asyncio.to_thread(told, folder, "ask", "search ransomware", given=given)
    assert "Ransomware in hospital" in found.stdout


def test_a_reader_who_goes_away_is_no_error(folder: Path) -> None:
    lines = b'{"title": "Ransomware stops hospital"}\n' * 20_000
    (folder / "in.jsonl").write_bytes(lines)
    command = f"set -o pipefail; {sys.executable} -m bot classify < in.jsonl | head -1"
    piped = subprocess.run(["bash", "-c", command], cwd=folder, env=environment(folder), capture_output=True)
    assert (piped.returncode, piped.stderr) == (0, b"")


# -- one clear line for each mistake


@pytest.mark.parametrize(("file", "content", "said"), [
    ("sources.yaml", "- {id: a-b, nam: X}\n", r'sources\.yaml:1: .*nam: unknown name; did you mean "name"\?'),
    ("rules.yaml", "relevance:\n  - {id: a, title: A, gives: direct, wen: {words: [x]}}\n", r'rules\.yaml:2: .*"when"'),
    ("rules.yaml", "relevance:\n  - {id: a, title: A, gives: direct, when: {lexicon: cares}}\n",
     r'rules\.yaml.*cares.*"care"'),
    ("lexicons/care.yaml", "about: x\nterms: {en: ['']}\n", r"care\.yaml:2"),
    ("lexicons/care.yaml", "about: x\nterms: {english: [x]}\n", r"care\.yaml:2"),
    ("lexicons/care.yaml", "\t", r"care\.yaml.*not valid YAML"),
])  # fmt: skip
@pytest.mark.parametrize("command", ["run", "poll"])
def test_a_mistake_in_the_configuration(
    ward: Command, folder: Path, command: str, file: str, content: str, said: str
) -> None:
    (folder / "config" / file).write_text(content)
    status, _, error = ward(command)
    assert status == 2
    assert re.search(said, one_line(error)), error


def test_a_missing_folder_or_file_is_named(ward: Command, folder: Path) -> None:
    shutil.rmtree(folder / "config" / "lexicons")
    assert "lexicons" in one_line(ward("run")[2])
    (folder / "config" / "sources.yaml").unlink()
    assert "sources.yaml: file not found" in one_line(ward("run")[2])


def test_an_unknown_source_is_told_the_nearest(ward: Command) -> None:
    status, _, error = ward("poll", "ex-crt")
    assert status == 2
    assert 'did you mean "ex-cert"?' in one_line(error)


def test_a_mistyped_setting(ward: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARDWATCH_DATABSE", "x")
    status, _, error = ward("run")
    assert status == 2
    assert "did you mean WARDWATCH_DATABASE?" in one_line(error)


def _opened(folder: Path) -> None:
    """Let others look into the test's folder."""
    for parent in (folder, *folder.parents):
        if "pytest-" in parent.name or parent == folder:
            parent.chmod(0o755)


@contextlib.contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may write everywhere; somebody else may not."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _unwritable(folder: Path) -> None:
    (folder / "closed").mkdir()
    (folder / "closed").chmod(0o555)
    os.environ["WARDWATCH_DATABASE"] = f"sqlite:///{folder}/closed/ward.db"


def _no_database(folder: Path) -> None:
    (folder / "ward.db").write_bytes(b"a picture, say" * 500)


def _newer(folder: Path) -> None:
    with contextlib.closing(sqlite3.connect(folder / "ward.db")) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('9999')")


def _strange(folder: Path) -> None:
    os.environ["WARDWATCH_DATABASE"] = "mysql://root:canary@db/ward"


@pytest.mark.parametrize(("spoil", "said"), [
    (_unwritable, "its directory can be written|give Wardwatch's user permission"),
    (_no_database, "no database"),
    (_newer, "newer Wardwatch"),
    (_strange, "use sqlite:///path or postgresql://"),
])  # fmt: skip
@pytest.mark.parametrize("command", [["run"], ["ask", "latest"]])
def test_a_database_that_cannot_be_used(
    ward: Command,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Path], None],
    said: str,
    command: list[str],
) -> None:
    monkeypatch.setenv("WARDWATCH_DATABASE", os.environ["WARDWATCH_DATABASE"])  # and put back at the end
    spoil(folder)
    _opened(folder)
    with _as_nobody() if spoil is _unwritable else contextlib.nullcontext():
        status, _, error = ward(*command)
    assert status == 2
    assert re.search(said, one_line(error))
    assert "canary" not in error


def test_a_locked_database(ward: Command, folder: Path) -> None:
    ward("ask", "latest")
    with contextlib.closing(sqlite3.connect(folder / "ward.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        status, _, error = ward("run")
    assert status == 2
    assert "locked by another program" in one_line(error)


def test_a_database_that_may_only_be_read(ward: Command, folder: Path) -> None:
    ward("ask", "latest")
    _opened(folder)
    (folder / "ward.db").chmod(0o444)
    folder.chmod(0o555)
    try:
        with _as_nobody():
            status, _, error = ward("run")
    finally:
        folder.chmod(0o755)
    assert status == 2
    assert "cannot be written" in one_line(error)


def test_a_port_in_use(ward: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("PORT", str(other.getsockname()[1]))
        status, _, error = ward("run")
    assert status == 2
    assert "is in use: set PORT to another" in one_line(error)


def test_backup_says_why_it_cannot(ward: Command, folder: Path) -> None:
    assert "no database to copy" in one_line(ward("backup", "copy.db")[2])
    ward("ask", "latest")
    assert "the database itself" in one_line(ward("backup", "ward.db")[2])
    assert "could not be written" in one_line(ward("backup", "no/such/folder/copy.db")[2])


REFUSALS: list[tuple[str, dict[str, str], str]] = [  # scopes, settings, what is said
    (SCOPES, {"SLACK_BOT_TOKEN": "xoxb-canary"}, r"Slack refuses SLACK_BOT_TOKEN \(invalid_auth\)"),
    (SCOPES, {"SLACK_APP_TOKEN": "xapp-canary", "SLACK_MODE": "socket"}, r"Slack refuses SLACK_APP_TOKEN"),
    (SCOPES, {"WARDWATCH_CHANNEL": "#nowhere"}, "no Slack channel #nowhere"),
    (SCOPES, {"WARDWATCH_CHANNEL": "C0NOWHERE"}, "Slack knows no channel C0NOWHERE"),
    ("chat:write", {}, "lacks the scope commands"),
]


async def test_what_slack_refuses_is_one_line(folder: Path) -> None:
    async def refused(number: int, scopes: str, how: dict[str, str], said: str) -> None:
        async with FakeSlack(scopes=scopes) as slack:
            given = in_slack(folder, slack.url, WARDWATCH_LOG_LEVEL="ERROR", **how)
            given["WARDWATCH_DATABASE"] = f"sqlite:///{number}.db"
            done = await asyncio.to_thread(told, folder, "run", given=given)
        assert done.returncode == 2
        assert re.search(said, one_line(done.stderr)), done.stderr
        assert "canary" not in done.stderr + done.stdout

    await asyncio.gather(*(refused(number, *one) for number, one in enumerate(REFUSALS)))


async def test_slack_out_of_reach_is_tried_until_it_answers(folder: Path) -> None:
    async with FakeSlack() as slack:
        slack.fail("auth.test", Fault("html", status=503))
        async with Running(folder, in_slack(folder, slack.url)) as wardwatch:
            await wardwatch.says(r"slack=unreachable .*again_in=2s")
            await wardwatch.says("watches 1 sources; alerts go to Slack")
    assert "Traceback" not in wardwatch.text


async def test_while_slack_is_out_of_reach_it_can_be_stopped_and_polling_by_hand_gives_up(folder: Path) -> None:
    given = in_slack(folder, "http://127.0.0.1:9/api/")
    async with Running(folder, given) as wardwatch:
        await wardwatch.says("slack=unreachable")
        assert await wardwatch.stop() < 2
        assert wardwatch.process.returncode == 0
    polled = await asyncio.to_thread(told, folder, "poll", given={**given, "WARDWATCH_LOG_LEVEL": "ERROR"})
    assert polled.returncode == 2
    assert "Slack cannot be reached" in one_line(polled.stderr)
