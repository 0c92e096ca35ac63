"""What a person types becomes the tree they mean; every tree can be written; every mistake is shown in its place."""

from __future__ import annotations

import time
from typing import Any as Anything

import pydantic
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.conditions import All, Any, Condition, Lexicon, Not, Words
from bot.errors import QueryError
from bot.fields import NUMBERS, Field, FieldName
from bot.query import MAX_CHARACTERS, hint, parse, unparse
from bot.terms import parse_term

LEXICONS = ("care-settings", "device-kinds")


def field(name: str, **test: object) -> Field:
    return Field.model_validate({"field": name, **test})


def words(*terms: str, title: bool = False) -> Words:
    return Words(words=terms, in_="title" if title else "anywhere")


READINGS: list[tuple[str, Condition]] = [
    ("ransomware", words("ransomware")),
    ("ransomware hospital", All(all=(words("ransomware"), words("hospital")))),
    ("ransomware AND hospital", All(all=(words("ransomware"), words("hospital")))),
    ("hospital OR clinic", words("hospital", "clinic")),
    ("kev:yes OR hospital", Any(any=(field("kev", **{"is": "yes"}), words("hospital")))),
    ("a1 OR b2 c3", Any(any=(words("a1"), All(all=(words("b2"), words("c3")))))),
    ("(a1 OR b2) c3", All(all=(words("a1", "b2"), words("c3")))),
    ("-vmware", Not(not_=words("vmware"))),
    ("−vmware", Not(not_=words("vmware"))),
    ("NOT vmware esxi", All(all=(Not(not_=words("vmware")), words("esxi")))),
    ("NOT (a1 b2)", Not(not_=All(all=(words("a1"), words("b2"))))),
    ("((hospital))", words("hospital")),
    ('"patient monitor"', words("patient monitor")),
    ("“patient monitor”", words("patient monitor")),
    ("„Patienten Monitor“", words("Patienten Monitor")),
    ('"hospital attack"~5', words('"hospital attack"~5')),
    ("ransom* *klinikum *klinik*", All(all=(words("ransom*"), words("*klinikum"), words("*klinik*")))),
    ("=LIS", words("=LIS")),
    ('="Dr. Web"', words("=Dr. Web")),
    ("CVE-2024-1234", words("CVE-2024-1234")),
    ("x-ray", words("x-ray")),
    ("or", words("or")),
    ("12:30", words("12:30")),
    ("病院", words("病院")),
    ("title:pump", words("pump", title=True)),
    ('title:"infusion pump",=LIS,ransom*', words("infusion pump", "=LIS", "ransom*", title=True)),
    ("lexicon:care-settings", Lexicon(lexicon="care-settings")),
    ("title:lexicon:care-settings", Lexicon(lexicon="care-settings", in_="title")),
    ('vendor:philips,"GE Healthcare"', field("vendor", **{"is": ["philips", "GE Healthcare"]})),
    ("Vendor:philips", field("vendor", **{"is": "philips"})),
    ("organization:bsi", field("organisation", **{"is": "bsi"})),
    ("threat:ransomware,DDoS", field("threat", **{"is": ["ransomware", "ddos"]})),
    ("severity:>=High", field("severity", at_least="high")),
    ("severity:high", field("severity", **{"is": "high"})),
    ("relevance:<direct", field("relevance", below="direct")),
    ("kev:true", field("kev", **{"is": "yes"})),
    ("kev:No", field("kev", **{"is": "no"})),
    ("cvss:>=7", field("cvss", at_least="7")),
    ("cvss:≥7", field("cvss", at_least="7")),
    ("epss:>0.5", field("epss", above="0.5")),
    ("since:30d", field("published", since="30d")),
    ("since:2024-05", field("published", at_least="2024-05")),
    ("published:2020-05", field("published", **{"is": "2020-05"})),
    ("published:<2024-01-01", field("published", below="2024-01-01")),
    ("cve:CVE-2024-*", field("cve", **{"is": "CVE-2024-*"})),
    ("url:*ics-medical*", field("url", **{"is": "*ics-medical*"})),
    ("https://x.example/a,b?c=(d)", field("url", **{"is": "https://x.example/a,b?c=(d)*"})),
    (r'"a \"quoted\" word"', words("a 'quoted' word")),
    (r'url:"*\"*"', field("url", **{"is": '*"*'})),
    ("\u200bvendor:phi\u200blips", field("vendor", **{"is": "philips"})),  # pasted from a web page
]


@pytest.mark.parametrize(("text", "tree"), READINGS, ids=[text for text, _ in READINGS])
def test_a_query_means(text: str, tree: Condition) -> None:
    assert parse(text, lexicons=LEXICONS) == tree


MISTAKES = [
    ("", 0, "empty"),
    ("   ", 0, "empty"),
    ("vendr:philips", 0, 'did you mean "vendor:"'),
    ("x foo:bar", 2, "in quotes"),
    ("severity:hihg", 9, 'did you mean "high"'),
    ("cve:>3", 5, "no order"),
    ("cvss:>=11", 7, "between 0 and 10"),
    ("cvss:>=7,8", 7, "one value"),
    ("cvss>=7", 0, "write cvss:>=7"),
    ("kev:maybe", 4, "yes or no"),
    ("published:yesterday", 10, "2024-05-26"),
    ("published:30d", 10, "since:30d"),
    ("since:soon", 6, "30d"),
    ("since:999999999w", 6, "too long"),
    ("since:0d", 6, "at least one"),
    ("lexicon:care-setings", 8, 'did you mean "care-settings"'),
    ("title:lexicon:nothing", 14, "care-settings, device-kinds"),
    ("a1 vendor: philips", 10, "vendor:philips"),
    ("threat:ransomware, ddos", 18, "no spaces"),
    ("a1 OR", 3, "OR needs something after it"),
    ("OR a1", 0, "OR needs something before it"),
    ("a1 AND OR b2", 3, "AND needs something after it"),
    ("a1 NOT", 3, "NOT needs something after it"),
    ("(a1 (b2)", 0, "never closed"),
    ("a1)", 2, "closes nothing"),
    ("a1 ()", 3, "nothing between"),
    ("a1 - b2", 3, "a dash alone"),
    ('a1 "b2', 3, "never closed"),
    ("5“inch", 1, "never closed"),
    ('foo"bar"', 0, "space before"),
    ("*", 0, "no word"),
    ("a1 x*", 3, "two letters"),
    ("vendor:x*", 7, "two letters"),
    ("ran*ware", 0, "beginning or the end"),
    ('"hospital attack"~99', 0, "distance up to 50"),
    ('="a b"~3', 0, "do not go together"),
    ("(" * 13 + "a1" + ")" * 13, 12, "12 deep"),
    ("-" * 2000, 12, "12 deep"),
    ("a1 " * 101, 300, "100 words"),
    ("x" * 2001, 2000, "2,000 characters"),
]


@pytest.mark.parametrize(("text", "column", "says"), MISTAKES, ids=[text[:30] for text, *_ in MISTAKES])
def test_a_mistake_is_shown_in_its_place_with_what_would_be_right(text: str, column: int, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text, lexicons=LEXICONS)
    assert says in str(caught.value)
    assert caught.value.column == column
    assert "\n" not in str(caught.value)


def test_the_caret_stands_under_the_mistake_also_far_out_in_a_long_query() -> None:
    with pytest.raises(QueryError) as caught:
        parse("a1 vendr:x")
    assert caught.value.caret() == "a1 vendr:x\n   ^"
    with pytest.raises(QueryError) as caught:
        parse("hospital\n" * 90 + "vendr:x" + " clinic" * 20)
    query, caret = caught.value.caret().split("\n")
    assert len(query) < 110
    assert query[caret.index("^") :].startswith("vendr:x")


def test_whoever_writes_an_operator_small_gets_a_hint() -> None:
    assert "OR" in hint("hospital or clinic")
    assert "NOT" in hint('"x or y" not z')
    assert hint('hospital OR "this or that" order') == ""


WRITINGS = [
    ("ransomware AND (hospital OR clinic)", "ransomware (hospital OR clinic)"),
    ("NOT vmware", "-vmware"),
    ("NOT (a1 OR kev:yes)", "-(a1 OR kev:yes)"),
    ("((a1 b2) OR c3)", "a1 b2 OR c3"),
    ("“patient   monitor”", '"patient monitor"'),
    ('"hospital"', "hospital"),
    ("severity:>=HIGH cvss:>=7.0", "severity:>=high cvss:>=7"),
    ("since:48h", "since:2d"),
    ("since:90m", "since:90m"),
    ('vendor:"philips","ge healthcare"', 'vendor:philips,"ge healthcare"'),
    ('"OR" "-x" "a:b" "=LIS"', '"OR" "-x" "a:b" "=LIS"'),
]


@pytest.mark.parametrize(("text", "written"), WRITINGS)
def test_a_query_is_written_short(text: str, written: str) -> None:
    assert unparse(parse(text)) == written


# -- any tree, any text

scraps = st.text(
    st.one_of(
        st.sampled_from(list("aAbz019 *\"“”«\\-–=~:,()<>\n\u200b'病院éß")),
        st.characters(exclude_categories=("Cs",)),
    ),
    max_size=12,
)
values = st.one_of(st.sampled_from(["philips", "GE Health*", "CVE-2024-*", "OR", "a,b", '"q"', ""]), scraps)


def _valid(text: str) -> bool:
    try:
        parse_term(text)
    except ValueError:
        return False
    return True


near = st.builds(lambda inner, n: f'"{inner}"~{n}', scraps.map(lambda s: s.replace('"', "") + " x"), st.integers(0, 50))
terms = st.one_of(
    st.sampled_from(["hospital", "patient monitor", "ransom*", "*klinik*", "=LIS", "=Dr. Web", "OR", "-x", "x:y"]),
    scraps,
    scraps.map(lambda text: f"={text}"),
    near,
).filter(_valid)


@st.composite
def fields(draw: st.DrawFn) -> Field:
    name = draw(st.sampled_from(FieldName))
    choice = draw(
        st.sampled_from(["is", "at_least", "above", "at_most", "below", "since"])
        if name in (FieldName.SEVERITY, FieldName.RELEVANCE, FieldName.PUBLISHED, *NUMBERS)
        else st.just("is")
    )
    known: dict[FieldName, st.SearchStrategy[Anything]] = {
        FieldName.SEVERITY: st.sampled_from(["info", "high", "critical"]),
        FieldName.RELEVANCE: st.sampled_from(["direct", "none"]),
        FieldName.THREAT: st.sampled_from(["ransomware", "data-theft"]),
        FieldName.TLP: st.sampled_from(["clear", "amber+strict"]),
        FieldName.KEV: st.sampled_from(["yes", "no"]),
        FieldName.CVSS: st.one_of(st.floats(0, 10).map(str), st.floats(0, 10)),
        FieldName.EPSS: st.one_of(st.sampled_from(["0.5", "1", " 1e-3 "]), st.floats(0, 1)),
        FieldName.PUBLISHED: st.sampled_from(["2024", "2020-05", "2024-05-26", "2024-05-26T10:00:00+02:00"]),
    }
    value = known.get(name, values)
    test: object
    if choice == "since":
        test = draw(st.sampled_from(["90s", "30d", "36h", "2w"]))
    else:
        test = draw(st.lists(value, min_size=1, max_size=3)) if choice == "is" else draw(value)
    try:
        return Field.model_validate({"field": name, choice: test})
    except pydantic.ValidationError:
        return Field.model_validate({"field": "kev", "is": "yes"})


where = st.sampled_from(["anywhere", "title"])
leaves = st.one_of(
    st.builds(lambda t, w: Words(words=tuple(t), in_=w), st.lists(terms, min_size=1, max_size=3), where),
    st.builds(lambda n, w: Lexicon(lexicon=n, in_=w), st.one_of(st.sampled_from(LEXICONS), scraps), where),
    fields(),
)


def _branch(children: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    some = st.lists(children, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        some.map(lambda c: All(all=c)), some.map(lambda c: Any(any=c)), children.map(lambda c: Not(not_=c))
    )


trees = st.recursive(leaves, _branch, max_leaves=6)


def meaning(condition: Condition) -> Anything:
    """What a tree means, without how it is grouped or spelled."""
    match condition:
        case Words():
            kinds = [(term.words, term.exact, term.near, condition.in_) for term in condition.terms]
            return kinds[0] if len(kinds) == 1 else ("any", *kinds)
        case Lexicon():
            return "lexicon", condition.lexicon, condition.in_
        case Field():
            sign = condition.comparison[0] if condition.comparison else ""
            return condition.field, condition.is_, condition.since, sign and (sign, condition.bound)
        case Not():
            return "not", meaning(condition.not_)
        case All() | Any():
            kind, children = ("all", condition.all) if isinstance(condition, All) else ("any", condition.any)
            parts: list[Anything] = []
            for part in map(meaning, children):
                parts += part[1:] if part[0] == kind else [part]
            return parts[0] if len(parts) == 1 else (kind, *parts)


@settings(max_examples=500, deadline=None)
@given(trees)
@example(Words(words=('"=LIS"', "=*ab cd", "AND", "=NOT", "-OR", "ab\\*")))
@example(Words(words=(' "xy*" ',)))
@example(Words(words=('"a “b"~5', "=“x", "c:\\", "ab*cd", "a\u200bb", 'a\\"b')))
@example(Field.model_validate({"field": "url", "is": ["", "\\", '\\"', "a\\\\", " x ", "=x", ">x", "\u200bx", "a,b"]}))
@example(Not(not_=Not(not_=Any(any=(Words(words=("a1", "b2")), Words(words=("c3",)))))))
def test_every_tree_can_be_written_and_read_again(tree: Condition) -> None:
    text = unparse(tree)
    if len(text) <= MAX_CHARACTERS:
        assert meaning(parse(text)) == meaning(tree)


PIECES = ["hospital", '"patient monitor"', "OR", "AND", "NOT", "-", "(", ")", " ", " ", "vendor:", "since:30d", '"']
PIECES += ["cvss:>=7", "kev:yes", "title:", ",", "=LIS", "“", "\\", "*", "~5", "https://x.example/(", ":", ">=", "ab*"]
typed = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=20).map("".join))


def _tree_or_mistake(text: str) -> Condition | QueryError:
    try:
        return parse(text, lexicons=LEXICONS)
    except QueryError as error:
        return error


@settings(max_examples=1000, deadline=None)
@given(typed)
@example("x\ny")
@example('"\n')
@example("-\n")
@example("\x00")
@example("²:x since:²d cvss:²")
@example("since:9999-12 published:0001")
@example('"a b"~99999999999999999999')
@example('"a b"~²')
@example("published:>=0001-01-01T00:00+14:00")
def test_any_text_is_a_query_or_a_mistake_and_what_is_written_stays(text: str) -> None:
    tree = _tree_or_mistake(text)
    if isinstance(tree, QueryError):
        assert 0 <= tree.column <= len(text)
        assert tree.caret().endswith("^")
        return
    written = unparse(tree)
    assert unparse(parse(written)) == written
    assert meaning(parse(written)) == meaning(tree)


HOSTILE = ["(", ")", "-", '"', "“", "*", "\\", '\\"', ":", "a:", "~", "=", ",", "(a OR ", "-(", "a ", "OR ", "title:a,"]
HOSTILE += ['"a"', "https://(", "x(", "NOT ", "\u200b", "é", "病", "a-", "NOT(", "~5", '"~', "vendor:a,"]


@pytest.mark.parametrize("piece", HOSTILE)
def test_two_thousand_hostile_characters_take_no_time(piece: str) -> None:
    parse("warm")
    for text in ((piece * 2000)[:2000], ('"' + piece * 2000)[:2000], ("vendor:" + piece * 2000)[:2000]):
        begin = time.process_time()
        tree = _tree_or_mistake(text)
        assert len(str(tree)) < 400 if isinstance(tree, QueryError) else unparse(tree)
        assert time.process_time() - begin < 0.25
