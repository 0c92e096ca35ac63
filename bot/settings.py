"""Settings from the environment and ``.env``, typed and checked, each with its origin; and the files under ``config/``.

The environment wins over ``.env``, which wins over the default. A name that begins with ``WARDWATCH_`` and is no
setting is refused, because a mistyped setting is a missed alert.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from bot import VERSION
from bot.errors import ConfigError, QueryError
from bot.model import Source, parse_duration
from bot.query import parse
from bot.yamlfile import load

_PASSWORD = re.compile(r"(?i)(?<=password=)[^&]*")  # in a database URL's query

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


def _known_query(text: str) -> str:
    try:
        parse(text)
    except QueryError as error:
        raise ValueError(f"{error} (column {error.column + 1})") from error
    return text


def _commas(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _starts(prefix: str, where: str) -> AfterValidator:
    def check(value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(prefix):
            raise ValueError(f"a token that begins with {prefix} is expected here; {where}")
        return value

    return AfterValidator(check)


class Settings(BaseModel):
    """Every setting; the alias is its name in the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    slack_bot_token: Annotated[
        SecretStr | None,
        _starts("xoxb-", "find it under OAuth & Permissions of your Slack app"),
        Field(alias="SLACK_BOT_TOKEN", description="bot token (xoxb-…); without it alerts are printed in the terminal"),
    ] = None
    slack_app_token: Annotated[
        SecretStr | None,
        _starts("xapp-", "create it under Basic Information > App-Level Tokens"),
        Field(alias="SLACK_APP_TOKEN", description="app-level token (xapp-…) for Socket Mode"),
    ] = None
    slack_signing_secret: Annotated[
        SecretStr | None,
        Field(alias="SLACK_SIGNING_SECRET", description="signing secret, for Slack's requests over HTTP"),
    ] = None
    slack_mode: Annotated[
        Literal["socket", "http"] | None,
        Field(alias="SLACK_MODE", description="socket or http, where tokens for both are set (default socket)"),
    ] = None
    slack_api_url: Annotated[
        str, Field(alias="SLACK_API_URL", description="base of Slack's Web API; another one for a stand-in")
    ] = "https://slack.com/api/"
    port: Annotated[
        int | None,
        Field(alias="PORT", ge=0, le=65535, description="port of the web endpoints: Slack over HTTP, health, metrics"),
    ] = None
    host: Annotated[
        str, Field(alias="WARDWATCH_HOST", description="address the web endpoints listen on (0.0.0.0 for all)")
    ] = "127.0.0.1"
    channel: Annotated[
        str, Field(alias="WARDWATCH_CHANNEL", description="Slack channel for alerts, as id (C…) or #name")
    ] = ""
    operators: Annotated[
        str,
        Field(
            alias="WARDWATCH_OPERATORS_CHANNEL",
            description="channel for word about Wardwatch itself (default: the alert channel)",
        ),
    ] = ""
    alert_query: Annotated[
        str,
        AfterValidator(_known_query),
        Field(alias="WARDWATCH_ALERT_QUERY", description="what the alert channel hears of, in the query language"),
    ] = "relevance:direct (severity:>=high OR threat:vulnerability OR -threat:recall)"
    admins: Annotated[
        tuple[str, ...],
        BeforeValidator(_commas),
        Field(
            alias="WARDWATCH_ADMINS",
            description="Slack user ids who alone may change subscriptions, with commas (default: every member)",
        ),
    ] = ()
    config: Annotated[
        Path, Field(alias="WARDWATCH_CONFIG", description="folder with sources.yaml, rules.yaml and lexicons/")
    ] = Path("config")
    database: Annotated[
        SecretStr,
        Field(alias="WARDWATCH_DATABASE", description="sqlite:///file or postgresql://user:password@host/name"),
    ] = SecretStr("sqlite:///var/wardwatch.db")
    contact: Annotated[
        str,
        Field(alias="WARDWATCH_CONTACT", description="mail address or page told to publishers in the User-Agent"),
    ] = ""
    first_run_window: Annotated[
        Duration,
        Field(
            alias="WARDWATCH_FIRST_RUN_WINDOW",
            description="how old an entry of a first poll may be to alert (0s: none)",
        ),
    ] = timedelta(0)
    fetch_concurrency: Annotated[
        int, Field(alias="WARDWATCH_FETCH_CONCURRENCY", ge=1, le=200, description="sources fetched at once")
    ] = 16
    fetch_per_host: Annotated[
        int, Field(alias="WARDWATCH_FETCH_PER_HOST", ge=1, le=20, description="fetched at once from one host")
    ] = 2
    fetch_timeout: Annotated[
        Duration, Field(alias="WARDWATCH_FETCH_TIMEOUT", description="time limit of one fetch in all")
    ] = timedelta(seconds=60)
    connect_timeout: Annotated[
        Duration, Field(alias="WARDWATCH_CONNECT_TIMEOUT", description="time limit of a connection")
    ] = timedelta(seconds=10)
    read_timeout: Annotated[
        Duration, Field(alias="WARDWATCH_READ_TIMEOUT", description="longest silence within an answer")
    ] = timedelta(seconds=20)
    epss_url: Annotated[
        str, Field(alias="WARDWATCH_EPSS_URL", description="where EPSS scores are asked for; off: nowhere")
    ] = "https://api.first.org/data/v1/epss"
    heartbeat: Annotated[
        time, Field(alias="WARDWATCH_HEARTBEAT", description="time (UTC) of the daily line to the operators")
    ] = time(7, 0)
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"] | None,
        Field(
            alias="WARDWATCH_LOG_LEVEL", description="DEBUG, INFO, WARNING, ERROR (default INFO; ERROR in a terminal)"
        ),
    ] = None

    @property
    def mode(self) -> Literal["terminal", "socket", "http"]:
        """Where Wardwatch speaks, by which tokens are set."""
        if self.slack_bot_token is None:
            return "terminal"
        if self.slack_mode is not None:
            return self.slack_mode
        return "socket" if self.slack_app_token else "http"

    @property
    def user_agent(self) -> str:
        """What publishers see."""
        return f"Wardwatch/{VERSION} (security-advisory reader{'; ' + self.contact if self.contact else ''})"


@dataclass(frozen=True, slots=True)
class Listed:
    """One setting as ``python -m bot settings`` shows it; a secret's value is masked."""

    name: str
    value: str
    origin: Literal["environment", ".env", "default"]
    description: str


def read_settings(environment: Mapping[str, str], dotenv: Path | None = Path(".env")) -> tuple[Settings, list[Listed]]:
    """Settings from ``environment`` and the file ``dotenv``, and the list of them with their origins.

    Raises ConfigError with one line that names the setting and what would be right.
    """
    names = {str(field.alias): name for name, field in Settings.model_fields.items()}
    given = {**_filed(dotenv), **environment}
    _refuse_unknown(given, names)
    chosen = {alias: given[alias] for alias in names if given.get(alias, "") != ""}
    try:
        settings = Settings.model_validate(chosen)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        message = mistake["msg"].removeprefix("Value error, ")
        raise ConfigError(f"setting {mistake['loc'][0]}: {message}") from error
    _check_together(settings)
    listed = [
        Listed(
            alias,
            _shown(getattr(settings, name)),
            "default" if alias not in chosen else "environment" if environment.get(alias) else ".env",
            str(Settings.model_fields[name].description),
        )
        for alias, name in names.items()
    ]
    return settings, listed


def _filed(dotenv: Path | None) -> dict[str, str]:
    if dotenv is None or not dotenv.is_file():
        return {}
    try:
        return {name: value for name, value in dotenv_values(dotenv).items() if value is not None}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{dotenv}: cannot be read: {error}") from error


def _refuse_unknown(given: Mapping[str, str], names: Mapping[str, str]) -> None:
    for name in given:
        if name.startswith("WARDWATCH_") and name not in names:
            known = [one.removeprefix("WARDWATCH_") for one in names if one.startswith("WARDWATCH_")]
            close = difflib.get_close_matches(name.removeprefix("WARDWATCH_"), known, n=1)
            hint = f"; did you mean WARDWATCH_{close[0]}?" if close else "; `python -m bot settings` lists them"
            raise ConfigError(f"{name} is no setting{hint}")


def _check_together(settings: Settings) -> None:
    if settings.mode == "terminal":
        if settings.slack_app_token or settings.slack_signing_secret:
            raise ConfigError(
                "SLACK_BOT_TOKEN is missing: set it beside the other Slack settings (it begins with xoxb-)"
            )
        return
    if settings.mode == "socket" and settings.slack_app_token is None:
        raise ConfigError("SLACK_APP_TOKEN is missing: Socket Mode needs it (it begins with xapp-)")
    if settings.mode == "http" and settings.slack_signing_secret is None:
        raise ConfigError(
            "SLACK_APP_TOKEN or SLACK_SIGNING_SECRET is missing: set the first for Socket Mode, the second for HTTP"
        )
    if not settings.channel:
        raise ConfigError("WARDWATCH_CHANNEL is missing: name the Slack channel for alerts, as id (C…) or #name")


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return mask(value.get_secret_value())
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)


def mask(secret: str) -> str:
    """A secret as it may be shown: a token's kind, or a database URL without its passwords."""
    if "://" not in secret:
        return f"{secret[:5]}***" if secret[:5] in ("xoxb-", "xapp-") else "***"
    scheme, rest = secret.split("://", 1)
    if "@" in rest:
        user, place = rest.rsplit("@", 1)
        rest = f"{user.split(':')[0]}:***@{place}"
    return f"{scheme}://{_PASSWORD.sub(r'***', rest)}"


def load_sources(config: Path) -> tuple[Source, ...]:
    """The sources of ``config/sources.yaml``; ids are unique. Raises ConfigError."""
    path = config / "sources.yaml"
    sources = load(path, list[Source])
    seen: set[str] = set()
    for source in sources:
        if source.id in seen:
            raise ConfigError(f"{path}: id: {source.id} stands there twice; ids are unique")
        seen.add(source.id)
    return tuple(sources)
