"""Feed text as a person should read it."""

from __future__ import annotations

import time

import pytest

from bot.feeds.plain import plain_line, plain_text, shortened


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("<p>One <b>bold</b> word.</p><p>Two<br>three</p>", "One bold word.\nTwo\nthree"),
        ("<ul>\n<li>a</li>\n<li>b &amp; c</li></ul>", "a\nb & c"),
        ("<p>seen</p><script>alert(1)</script><style>x{}</style><template>t</template>", "seen"),
        ("a<!-- hidden -->b <i>c</i>", "ab c"),
        (
            "<table><tr><th>Vendor</th><th>Equipment</th></tr><tr><td>Acme</td><td>Pump</td></tr></table>",
            "Vendor | Equipment\nAcme | Pump",
        ),
        ("Version <8/30/2026 and < 2.0 or <2.1", "Version <8/30/2026 and < 2.0 or <2.1"),
        ("SVR<100M & more", "SVR<100M & more"),
        ("AT&amp;T &#233;", "AT&T é"),
        (
            r"six avis \[1\] de l'agent (*Mail Transfer Agent* ou **MTA**) `exim`",
            "six avis [1] de l'agent (Mail Transfer Agent ou MTA) exim",
        ),
        ("## Résumé\nVoir [le bulletin](https://a.example/b(1)) ou ![logo](x.png)", "Résumé\nVoir le bulletin ou logo"),
        ("snake_case_name, 2 * 3 * 4, a*b*c, vers:all/*", "snake_case_name, 2 * 3 * 4, a*b*c, vers:all/*"),
        ("a\r\n\r\n  b\t c\u00a0d\u2028e", "a\nb c d\ne"),
        (
            "\u202egro.live\u202c \u200bzero\u200bwidth\ufeff \x07bell\x00 soft\u00adhyphen",
            "gro.live zerowidth bell softhyphen",
        ),
        ("&#8238;evil&#8203;", "evil"),
        ("e\u0301te\u0301", "été"),
        ("", ""),
    ],
)
def test_plain_text(text: str, plain: str) -> None:
    assert plain_text(text) == plain


def test_a_title_with_tags() -> None:
    title = "Acme <b>PUMP</b>\n <script>alert(1)</script> &amp; <a href='x' onload=y>co</a>"
    assert plain_line(title) == "Acme PUMP & co"


@pytest.mark.parametrize(
    "bomb",
    [
        "<div>" * 200_000,
        "<b>" * 100_000 + "<p>" * 100_000,
        "<" * 500_000,
        "*a[b](" * 80_000,
        "<script>" * 60_000,
        "<td " * 100_000,
        "[" * 400_000,
        "`a" * 200_000,
    ],
)
def test_bombs_end_soon(bomb: str) -> None:
    start = time.perf_counter()
    plain_text(bomb)
    assert time.perf_counter() - start < 2


def test_deep_html_keeps_its_text() -> None:
    assert plain_text("<div>" * 60_000 + "<p>Deep &amp; down</p>") == "Deep & down"


def test_shortening_says_where_it_cut() -> None:
    assert shortened("one two three", 13) == "one two three"
    assert shortened("one two three", 10) == "one two …"
    assert shortened("x" * 2000, 500) == "x" * 498 + " …"
