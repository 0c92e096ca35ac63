"""The shipped source catalogue is what an operator may rely on."""

from __future__ import annotations

import locale
from datetime import timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from bot.model import Format, Source
from bot.yamlfile import load

CATALOGUE = Path(__file__).parents[1] / "config" / "sources.yaml"


@pytest.fixture(scope="module")
def sources() -> dict[str, Source]:
    stanzas = load(CATALOGUE, list[Source])
    by_id = {source.id: source for source in stanzas}
    assert len(by_id) == len(stanzas), "an id stands twice"
    return by_id


def test_most_of_the_catalogue_is_polled(sources: dict[str, Source]) -> None:
    assert sum(source.enabled for source in sources.values()) >= 75
    assert len(sources) >= 100


def test_the_sources_a_hospital_counts_on_are_enabled(sources: dict[str, Source]) -> None:
    wanted = """us-cisa-all us-cisa-ics us-cisa-icsma us-cisa-kev us-ic3-psa us-fda-medwatch uk-ncsc-all
        uk-nhs-cyberalerts-api uk-mhra-alerts fr-certfr-alerte de-certbund-wid de-bsi-csw eu-certeu-adv cz-nukib
        jp-jpcert-ja jp-jvn au-acsc-alerts ca-cccs es-incibe-avisos hisac"""
    assert [id for id in wanted.split() if not sources[id].enabled] == []


@pytest.mark.parametrize("id", ["us-cisa-all", "us-cisa-ics", "us-cisa-icsma", "us-cisa-kev"])
def test_cisa_has_a_way_round_its_403(sources: dict[str, Source], id: str) -> None:
    assert sources[id].fallbacks
    assert all("://www.cisa.gov/" not in fallback.url for fallback in sources[id].fallbacks)


def test_a_disabled_source_says_why(sources: dict[str, Source]) -> None:
    assert [source.id for source in sources.values() if not source.enabled and not source.note] == []


def test_no_document_is_polled_by_two_enabled_sources(sources: dict[str, Source]) -> None:
    urls = [source.url for source in sources.values() if source.enabled]
    assert len(set(urls)) == len(urls)


def test_everything_is_fetched_over_tls_from_public_addresses(sources: dict[str, Source]) -> None:
    urls = [url for s in sources.values() for url in (s.url, *(fallback.url for fallback in s.fallbacks))]
    assert [url for url in urls if not url.startswith("https://")] == []
    assert not any(source.private for source in sources.values())


def test_countries_and_languages_exist(sources: dict[str, Source]) -> None:
    table = files("tzdata").joinpath("zoneinfo/iso3166.tab").read_text(encoding="utf-8")
    countries = {line[:2] for line in table.splitlines() if not line.startswith("#")} | {"EU", "INT"}
    languages = {alias[:2] for alias in locale.locale_alias if alias[2:3] == "_"}
    assert {source.country for source in sources.values()} <= countries
    assert {source.language for source in sources.values()} <= languages


def test_sources_are_visited_often_enough_and_not_too_often(sources: dict[str, Source]) -> None:
    for source in sources.values():
        assert timedelta(minutes=30) <= source.interval <= timedelta(days=1), source.id
        assert source.interval * 4 <= source.rhythm, source.id
    # Its window covers about 25 hours: several polls must fit, or entries are lost.
    assert sources["de-certbund-wid"].interval <= timedelta(hours=2)


def test_structured_documents_have_their_own_reader(sources: dict[str, Source]) -> None:
    used = {source.format for source in sources.values() if source.enabled}
    assert {Format.RSS, Format.KEV, Format.CSAF, Format.NHS, Format.EUVD, Format.OPENFDA, Format.CSH} <= used
    assert all(f.format is Format.CSAF for f in sources["us-cisa-icsma"].fallbacks)


def test_only_health_bodies_are_trusted_to_speak_of_health(sources: dict[str, Source]) -> None:
    enabled = {source.id for source in sources.values() if source.health and source.enabled}
    assert enabled == {
        "us-fda-medwatch",
        "us-openfda-device-recall",
        "uk-nhs-cyberalerts-api",
        "uk-mhra-alerts",
        "hisac",
    }


def test_an_odd_address_is_kept_as_written(sources: dict[str, Source]) -> None:
    assert sources["sk-skcert"].url.endswith("/index.html%3Ffeed=rss")
