r"""The words a person types -> a condition tree, and a tree -> the words.

    ransomware (hospital OR clinic) -vmware      both sides of a space must hold; OR binds weaker; - or NOT leaves out
    "patient monitor"  ransom*  *klinik*  =LIS   words in a row, wildcards, exactly this case (terms.py tells more)
    "hospital attack"~5                          near each other
    title:pump  title:"infusion pump"            in the title only;  title:lexicon:NAME  a list, in the title only
    lexicon:care-settings                        any term of a named list
    vendor:philips,"ge healthcare"               a field is one of these;  severity:>=high  cvss:>=7  a field compared
    since:30d  published:2020-05                 time
    https://example.org/advisory                 advisories whose address begins so

Operators are written in capitals; ``or`` is a word like any other. Inside quotes ``\"`` is a quote, ``\\`` a backslash.
``parse(unparse(tree))`` means what ``tree`` means, and ``unparse(parse(text))`` is a fixed point.
"""

from bot.query.reading import MAX_CHARACTERS, hint, parse
from bot.query.writing import unparse

__all__ = ["MAX_CHARACTERS", "hint", "parse", "unparse"]
