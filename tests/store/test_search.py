"""Search and matcher never disagree: for any tree and any advisories, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import text as text_of
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.conditions import Condition, match
from bot.errors import QueryError
from bot.fields import CHOICES, CODES, NAMES, FieldName
from bot.model import Advisory, Relevance, Severity, Threat, Tlp, Verdict
from bot.store import advisories, search, stories
from bot.store.engine import Store
from bot.store.guard import guard
from bot.subject import Subject
from bot.terms import parse_term

NOW = datetime(2024, 5, 26, 12, tzinfo=UTC)
TREE: TypeAdapter[Condition] = TypeAdapter(Condition)

VOCABULARY = (
    "hospital Hospital Klinikum klinik Universitätsklinikum ransomware ransom MX-800 mx800 "
    "MX 800 x_y 病院 病 院 が ข่าว 한국 "
    "Łódź lodz Große grosse ﬁle file İstanbul ÆON aeon "
    "LIS lis CVE-2024-3400 3400 patient monitor no NOT or "
    "AND 0 "
)
WORDS = VOCABULARY.split()
GAPS = [" ", " ", " ", "-", "_", ", ", ". ", "", "\u2010", "\n", " \u241e0 "]
STARS = ["{}", "{}", "{}", "{}*", "*{}", "*{}*", "={}"]
PAIRS = ["{} {}", "{}-{}", "{}* {}", "{} {}*", "*{} {}", "={} {}", '"{} {}"~0', '"{} {}"~2', '"{}* {}"~1']
NAME = ["Philips", "Becton Dickinson", "BD", "GE-Healthcare", "Philips Lighting", "病院", "becton", "Żubr"]
CODE = [
    "CVE-2024-3400",
    "cve-2024-34001",
    "CVE-2023-1",
    "DE",
    "de",
    "US",
    "https://a.example/x_%y",
    "https://A.example/",
]
GLOBS = ["{}", "{}", "*{}", "{}*", "*{}*", "*", "c*3*0", "c*2*3*4*0", "%", "_E", "CVE-2024-*", "https://*.example/*"]
TIMES = [NOW - timedelta(days=days, microseconds=micro) for days in (0, 1, 40, 400) for micro in (0, 1, 700_000)]
TIMES += [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOW + timedelta(days=36_500)]
DATES = ["2024", "2024-05", "2024-05-26", "2024-05-26T12:00:00", "2023", "0001", "9999", "9999-12-31", "9999-12"]
SPANS = ["0s", "1d", "30d", "60w", "999999999d", "99999w"]
NUMBER = [0.0, 0.1, 0.5, 1.0, 7.0, 9.8, 10.0]

text = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GAPS)), max_size=8).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)
names = st.lists(st.sampled_from(NAME), max_size=2).map(tuple)
moments = st.sampled_from(TIMES)

advisory = st.builds(
    Advisory,
    source=st.sampled_from(["cisa", "cert-fr", "bsi"]),
    key=st.just(""),
    title=text,
    summary=text,
    url=st.sampled_from(["", *CODE[-2:]]),
    published=st.none() | moments,
    language=st.sampled_from(["de", "EN", ""]),
    organisation=st.sampled_from(["CISA", "CERT-FR", "Bundesamt für Sicherheit"]),
    country=st.sampled_from(["DE", "US", ""]),
    cves=st.lists(st.sampled_from(CODE[:3]), max_size=2).map(tuple),
    cvss=st.none() | st.sampled_from(NUMBER),
    epss=st.none() | st.sampled_from(NUMBER[:4]),
    kev=st.booleans(),
    vendors=names,
    products=names,
    sectors=st.sampled_from([(), ("Healthcare and Public Health",), ("Energy", "Water")]),
    tlp=st.sampled_from(Tlp),
    hash=st.just(""),
)
verdict = st.builds(
    Verdict,
    relevance=st.sampled_from(Relevance),
    threats=st.lists(st.sampled_from(Threat), max_size=2, unique=True).map(tuple),
    severity=st.sampled_from(Severity),
)


def valid(tree: dict[str, Any]) -> bool:
    try:
        TREE.validate_python(tree)
    except (ValidationError, ValueError):
        return False
    return True


def values(name: FieldName) -> st.SearchStrategy[Any]:
    if name in NAMES:
        forms = st.sampled_from(["{}", "{}*", "*{}", "*{}*"])
        word = st.sampled_from([*NAME, *WORDS, "cert", "fr", "energy", "healthcare and", "h", "CISA"])
        return st.builds(str.format, forms, word)
    if name in CODES:
        return st.builds(str.format, st.sampled_from(GLOBS), st.sampled_from([*CODE, "", "EN"]))
    if name in CHOICES:
        return st.sampled_from([str(choice) for choice in CHOICES[name]])
    if name is FieldName.KEV:
        return st.sampled_from(["yes", "no"])
    return st.sampled_from(DATES if name is FieldName.PUBLISHED else NUMBER)


def field_leaves(name: FieldName) -> st.SearchStrategy[dict[str, Any]]:
    forms = [st.builds(lambda found: {"field": name, "is": found}, st.lists(values(name), min_size=1, max_size=3))]
    if name not in NAMES | CODES:
        sign = st.sampled_from(["at_least", "above", "at_most", "below"])
        forms.append(st.builds(lambda sign, value: {"field": name, sign: value}, sign, values(name)))
    if name is FieldName.PUBLISHED:
        forms.append(st.sampled_from(SPANS).map(lambda span: {"field": name, "since": span}))
    return st.one_of(forms).filter(valid)


single = st.builds(str.format, st.sampled_from(STARS), st.sampled_from(WORDS))
pair = st.builds(str.format, st.sampled_from(PAIRS), st.sampled_from(WORDS), st.sampled_from(WORDS))
places = st.sampled_from(["anywhere", "anywhere", "title"])
words_leaf = st.builds(
    lambda found, where: {"words": found, "in": where}, st.lists(single | pair, min_size=1, max_size=3), places
).filter(valid)
lexicon_leaf = st.builds(lambda name, where: {"lexicon": name, "in": where}, st.sampled_from(["care", "it"]), places)
leaf = st.one_of(words_leaf, words_leaf, lexicon_leaf, st.sampled_from(FieldName).flatmap(field_leaves))
tree = st.recursive(
    leaf,
    lambda below: st.one_of(
        below.map(lambda one: {"not": one}),
        st.lists(below, min_size=1, max_size=3).map(lambda several: {"all": several}),
        st.lists(below, min_size=1, max_size=3).map(lambda several: {"any": several}),
    ),
    max_leaves=5,
)
LEXICONS = {
    "care": tuple(map(parse_term, ["hospital", "klinik*", "patient monitor", "病院"])),
    "it": tuple(map(parse_term, ["*klinikum", "=LIS", "mx 800"])),
}


async def keep(conn: AsyncConnection, told: list[tuple[Advisory, Verdict, datetime]]) -> dict[int, Subject]:
    kept = {}
    for number, (one, judged, seen) in enumerate(told):
        one = Advisory(**{name: getattr(one, name) for name in Advisory.__slots__} | {"key": str(number)})
        story = await stories.create(conn, seen)
        kept[await advisories.insert(conn, one, judged, story, seen)] = Subject(one, judged, seen=seen)
    return kept


async def agree(conn: AsyncConnection, kept: dict[int, Subject], condition: Condition) -> None:
    matched = [i for i, one in kept.items() if match(condition, one, now=NOW, lexicons=LEXICONS) is not None]
    matched.sort(key=lambda i: (kept[i].at.replace(microsecond=0), i), reverse=True)
    page = await search.search(conn, condition, now=NOW, lexicons=LEXICONS, limit=50)
    assert [one.id for one in page.found] == matched
    assert not page.more
    assert await search.count(conn, condition, now=NOW, lexicons=LEXICONS) == len(matched)


ALLOWED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]  # each example leaves the store empty
told_advisories = st.lists(st.tuples(advisory, verdict, moments), min_size=1, max_size=5)


@given(told=told_advisories, trees=st.lists(tree, min_size=4, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=ALLOWED)
async def test_search_finds_exactly_what_matches(store: Store, told: Any, trees: list[Any]) -> None:
    try:
        async with store.begin() as conn:
            kept = await keep(conn, told)
            for each in trees:
                await agree(conn, kept, TREE.validate_python(each))
            raise LookupError
    except LookupError:
        pass  # the next example begins with an empty store


async def filled(conn: AsyncConnection, number: int) -> dict[int, Subject]:
    told = [
        (Advisory("cisa", "", f"Pump {n} of {n % 3}", "infusion pump " * (n % 4)), Verdict(), NOW - timedelta(hours=n))
        for n in range(number)
    ]
    return await keep(conn, told)


@pytest.mark.parametrize("words", ["pump", "infusion pump"])  # answered by the database; confirmed by the matcher
async def test_pages_follow_each_other(store: Store, words: str) -> None:
    condition = TREE.validate_python({"words": words})
    async with store.begin() as conn:
        kept = await filled(conn, 30)
        matched = [i for i, one in kept.items() if match(condition, one, now=NOW) is not None]
        read: list[int] = []
        after, more = None, True
        while more:
            page = await search.search(conn, condition, now=NOW, limit=4, after=after)
            assert len(page.found) <= 4
            skipped = await search.search(conn, condition, now=NOW, limit=4, skip=len(read))
            assert skipped == page
            read += [one.id for one in page.found]
            after, more = page.after, page.more
        assert read == matched
        assert await search.count(conn, condition, now=NOW, cap=7) == 7


async def test_a_lexicon_of_thousands_of_terms_is_searched(store: Store) -> None:
    terms = [f"word{n}" for n in range(4000)] + [f"pre{n}*" for n in range(500)] + [f"two words{n}" for n in range(500)]
    lexicons = {"large": tuple(map(parse_term, terms))}
    tree = TREE.validate_python({"all": [{"lexicon": "large"}, {"not": {"words": "pump 7"}}]})
    async with store.begin() as conn:
        await filled(conn, 10)
        for key, title in enumerate(["has word3999 in it", "pre499x", "two of words3", "two words3"]):
            story = await stories.create(conn, NOW)
            await advisories.insert(conn, Advisory("bsi", str(key), title), Verdict(), story, NOW)
        page = await search.search(conn, tree, now=NOW, lexicons=lexicons)
    assert [one.advisory.title for one in page.found] == ["two words3", "pre499x", "has word3999 in it"]


async def test_a_search_that_takes_too_long_says_so_and_hurts_nobody(store: Store) -> None:
    slow = TREE.validate_python({"words": ["*nothing*"]})
    hard = TREE.validate_python({"any": [{"field": "url", "is": f"*{n}*x*"} for n in range(50)]})
    async with store.begin() as conn:
        await filled(conn, 60)
        for condition in (slow, hard):
            with pytest.raises(QueryError, match="looks at too much at once; add a word"):
                await search.search(conn, condition, now=NOW, seconds=0.0)
        found = await search.search(conn, TREE.validate_python({"words": "pump"}), now=NOW)
    assert found.more


async def test_the_database_itself_is_stopped(store: Store) -> None:
    async with store.begin() as conn:
        with pytest.raises(QueryError, match="too much at once"):
            async with guard(conn, 0.05):
                await conn.execute(text_of(NEVER_ENDING))
        assert (await conn.execute(text_of("SELECT 1"))).scalar() == 1


NEVER_ENDING = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.mark.parametrize(
    "tree",
    [
        {"words": ["' OR 1=1 --x", '"x" AND (y', "xy:* | y & !z", "{col}: y", "x\x00y", "NEAR(a b)"]},
        {"field": "url", "is": ["%' OR '1'='1", "a\x00b", "*x" * 2000, "x" * 100_000, "\\*"]},
        {"field": "cve", "is": ["CVE-2024-1", "\ud800", *(f"CVE-2024-{n}*" for n in range(300))]},
        {"field": "country", "is": [f"*{n}*" for n in range(1500)]},
        {"field": "vendor", "is": ["'; DROP TABLE advisories; --", "\\'x"]},
    ],
)
async def test_whatever_is_typed_stays_text(store: Store, tree: dict[str, Any]) -> None:
    async with store.begin() as conn:
        await filled(conn, 2)
        assert (await search.search(conn, TREE.validate_python(tree), now=NOW)).found == ()
        assert await advisories.total(conn) == 2


async def test_an_unknown_lexicon_is_told(store: Store) -> None:
    async with store.read() as conn:
        with pytest.raises(QueryError, match="there is no lexicon 'none'"):
            await search.search(conn, TREE.validate_python({"lexicon": "none"}), now=NOW)
