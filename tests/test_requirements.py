"""The pinned requirements, audited as far as that works without network: hashed, and within what is asked for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
FILES = {
    "requirements.txt": PROJECT["project"]["dependencies"],
    "requirements-dev.txt": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]],
}


def _stanzas(name: str) -> list[str]:
    """One text for each requirement, with the lines of its hashes."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("name", FILES)
def test_every_requirement_is_pinned_with_hashes(name: str) -> None:
    for stanza in _stanzas(name):
        assert PINNED.match(stanza), f"not pinned: {stanza[:80]}"
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", stanza), f"no hash: {stanza[:80]}"
        assert "://" not in stanza, f"from an address: {stanza[:80]}"


@pytest.mark.parametrize(("name", "asked"), FILES.items())
def test_what_is_pinned_fits_what_is_asked_for(name: str, asked: list[str]) -> None:
    pinned = {canonicalize_name(found[1]): found[2] for stanza in _stanzas(name) if (found := PINNED.match(stanza))}
    for requirement in map(Requirement, asked):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in {name}: run make lock"
        assert requirement.specifier.contains(version), f"{requirement} but {version} is pinned: run make lock"


def test_both_files_pin_the_same_versions() -> None:
    """What is tested is what is run."""
    run, developed = ({m[1]: m[2] for line in _stanzas(name) if (m := PINNED.match(line))} for name in FILES)
    assert run.items() <= developed.items()
