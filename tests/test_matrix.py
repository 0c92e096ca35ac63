"""The page of faults names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_test_it_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (TESTS / "README.md").read_text()))
    written = {name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert len(named) > 80
    assert not named - written
