"""README tells a user about everything there is."""

import re
from pathlib import Path

import pytest

from bot import VERSION
from bot.cli import COMMANDS
from bot.commands import VERBS
from bot.fields import FieldName
from bot.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_readme_names_every_command(command):
    assert re.search(rf"`{command.name}\b", README)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_readme_names_every_verb(verb):
    assert f"`{verb.usage}" in README or f"`{verb.name}" in README


@pytest.mark.parametrize("field", Settings.model_fields.values(), ids=lambda field: str(field.alias))
def test_readme_names_every_setting_with_its_meaning(field):
    assert f"| `{field.alias}` |" in README
    assert field.description in README


@pytest.mark.parametrize("name", FieldName)
def test_readme_names_every_field_of_the_query_language(name):
    assert f"{name}:" in README


def test_readme_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README) + re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_make_targets_that_readme_names_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make ([a-z]+)`", README)) | set(re.findall(r"^make ([a-z]+)", README, re.MULTILINE))
    assert targets >= {"run", "demo", "test", "lint", "quality", "drill"}
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_the_version_is_one():
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text()
    assert f"## {VERSION}" in (ROOT / "CHANGELOG.md").read_text()


def test_readme_counts_the_sources_right():
    stanzas = (ROOT / "config" / "sources.yaml").read_text()
    total = len(re.findall(r"^- id:", stanzas, re.MULTILINE))
    disabled = len(re.findall(r"^  enabled: false", stanzas, re.MULTILINE))
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert f"Polls {total - disabled} official sources ({total} are described)" in changelog


def test_nothing_leads_to_this_machine():
    """No machine path and no registry host in what is committed."""
    suspect = re.compile(r"/(?:root|home)/[a-z]|^--(?:extra-)?index|file:///")
    files = [*ROOT.glob("*.md"), *ROOT.glob("*.txt"), ROOT / "Makefile", ROOT / "pyproject.toml"]
    assert [file.name for file in files if suspect.search(file.read_text())] == []
