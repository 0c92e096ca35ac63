"""Settings: where each comes from, what is refused, what is never shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import ConfigError
from bot.settings import Settings, load_sources, mask, read_settings

SLACK = {
    "SLACK_BOT_TOKEN": "xoxb-canary-1",
    "SLACK_APP_TOKEN": "xapp-canary-2",
    "WARDWATCH_CHANNEL": "#alerts",
}


def _refused(given: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        read_settings(given, None)
    assert "\n" not in str(caught.value)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def test_without_any_setting_alerts_are_printed() -> None:
    settings, listed = read_settings({}, None)
    assert settings.mode == "terminal"
    assert {one.origin for one in listed} == {"default"}
    assert len(listed) == len(Settings.model_fields)


def test_the_environment_wins_over_the_file_and_each_tells_its_origin(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WARDWATCH_CONTACT=file@h.example\nWARDWATCH_FETCH_TIMEOUT=90s\n# a note\nOTHER=1\n")
    settings, listed = read_settings({"WARDWATCH_CONTACT": "soc@h.example", "HOME": "/"}, tmp_path / ".env")
    origins = {one.name: (one.value, one.origin) for one in listed}
    assert origins["WARDWATCH_CONTACT"] == ("soc@h.example", "environment")
    assert origins["WARDWATCH_FETCH_TIMEOUT"] == ("90s", ".env")
    assert origins["WARDWATCH_HOST"] == ("127.0.0.1", "default")
    assert settings.fetch_timeout == timedelta(seconds=90)
    assert "soc@h.example" in settings.user_agent


def test_a_setting_left_empty_is_not_set() -> None:
    settings, _ = read_settings({"WARDWATCH_CONTACT": "", "SLACK_BOT_TOKEN": "", "PORT": ""}, None)
    assert settings.mode == "terminal"
    assert settings.port is None


@pytest.mark.parametrize(("more", "mode"), [
    ({}, "socket"),
    ({"SLACK_SIGNING_SECRET": "s"}, "socket"),
    ({"SLACK_SIGNING_SECRET": "s", "SLACK_MODE": "http"}, "http"),
    ({"SLACK_SIGNING_SECRET": "s", "SLACK_APP_TOKEN": ""}, "http"),
])  # fmt: skip
def test_the_tokens_decide_the_mode(more: dict[str, str], mode: str) -> None:
    assert read_settings({**SLACK, **more}, None)[0].mode == mode


@pytest.mark.parametrize(("given", "told"), [
    ({"WARDWATCH_CHANEL": "x"}, "WARDWATCH_CHANEL is no setting; did you mean WARDWATCH_CHANNEL?"),
    ({"WARDWATCH_QZX": "x"}, "python -m bot settings"),
    ({"SLACK_BOT_TOKEN": "canary"}, "SLACK_BOT_TOKEN: a token that begins with xoxb-"),
    ({**SLACK, "SLACK_APP_TOKEN": "xoxb-canary"}, "SLACK_APP_TOKEN: a token that begins with xapp-"),
    ({"SLACK_APP_TOKEN": "xapp-canary"}, "SLACK_BOT_TOKEN is missing"),
    ({"SLACK_SIGNING_SECRET": "canary"}, "SLACK_BOT_TOKEN is missing"),
    ({**SLACK, "SLACK_APP_TOKEN": ""}, "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET is missing"),
    ({**SLACK, "SLACK_MODE": "http"}, "SLACK_SIGNING_SECRET is missing"),
    ({**SLACK, "SLACK_MODE": "sockets"}, "SLACK_MODE"),
    ({**SLACK, "WARDWATCH_CHANNEL": ""}, "WARDWATCH_CHANNEL is missing"),
    ({"PORT": "99999"}, "PORT"),
    ({"PORT": "http"}, "PORT"),
    ({"WARDWATCH_ALERT_QUERY": "severity:>=awful"}, "WARDWATCH_ALERT_QUERY"),
    ({"WARDWATCH_FETCH_TIMEOUT": "soon"}, "WARDWATCH_FETCH_TIMEOUT"),
    ({"WARDWATCH_HEARTBEAT": "25:00"}, "WARDWATCH_HEARTBEAT"),
    ({"WARDWATCH_LOG_LEVEL": "LOUD"}, "WARDWATCH_LOG_LEVEL"),
    ({"WARDWATCH_FETCH_CONCURRENCY": "0"}, "WARDWATCH_FETCH_CONCURRENCY"),
])  # fmt: skip
def test_a_mistake_is_one_line_that_names_the_setting(given: dict[str, str], told: str) -> None:
    assert told in _refused(given)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"WARDWATCH_CONTACT=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"\.env: cannot be read"):
        read_settings({}, tmp_path / ".env")


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    given = {**SLACK, "SLACK_SIGNING_SECRET": "canary-3", "WARDWATCH_DATABASE": "postgresql://ward:canary-4@db/ward"}
    settings, listed = read_settings(given, None)
    shown = repr(settings) + str(settings) + repr(listed) + settings.model_dump_json() + repr(settings.model_dump())
    assert "canary" not in shown
    values = {one.name: one.value for one in listed}
    assert values["SLACK_BOT_TOKEN"] == "xoxb-***"
    assert values["WARDWATCH_DATABASE"] == "postgresql://ward:***@db/ward"


@pytest.mark.parametrize("url", [
    "postgresql://ward:canary@db/ward",
    "postgresql://ward:can@nary-canary@db/ward",
    "postgresql://db/ward?user=ward&password=canary",
    "postgresql://ward:x@db/ward?sslpassword=canary",
    "postgresql+psycopg://ward:canary@[::1]:5432/ward",
])  # fmt: skip
def test_a_password_is_masked_wherever_it_stands_in_a_url(url: str) -> None:
    assert "canary" not in mask(url)


@pytest.mark.parametrize(("text", "told"), [
    ("- {id: a-b, name: A, organisation: A, country: DE, language: de, url: 'https://a.example/', intervall: 1h}\n",
     r'sources\.yaml:1: .*intervall.*did you mean "interval"'),
    ("- {id: a-b, name: A, organisation: A, country: DE, language: de,\n   url: 'a.example/feed'}\n",
     r"sources\.yaml:2: .*url"),
    ("- {id: a-b, name: A, organisation: A, country: DE, language: de, url: 'https://a.example/', interval: 0s}\n",
     r"sources\.yaml:1: .*interval"),
    ("- {id: a-b, name: A, organisation: A, country: DE, language: de, url: 'https://a.example/'}\n" * 2,
     "a-b stands there twice"),
    ("- {id: 'a b'}\n", r"sources\.yaml:1: "),
    ("- [\n", "not valid YAML"),
    ("", r"sources\.yaml:1: "),
    ("\x00", r"sources\.yaml.*not valid YAML"),
])  # fmt: skip
def test_a_mistake_in_the_sources_names_file_line_and_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "sources.yaml").write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        load_sources(tmp_path)
    assert "\n" not in str(caught.value)
