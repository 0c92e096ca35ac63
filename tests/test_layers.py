"""The layers of the house: a module imports only from those above it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = [
    {"bot", "errors", "model", "yamlfile"},
    {"text"},
    {"terms"},
    {"phrases"},
    {"subject", "fields", "conditions", "query", "message", "spans"},
    {
        "feeds",
        "rules",
        "lexicons",
        "judge",
        "watch",
        "stories",
        "changes",
        "route",
        "classify",
        "quality",
        "trial",
        "watchdog",
    }
    | {"spans", "nearness", "findings", "trial"},
    {"store"},
    {"enrich", "intake", "pipeline", "compose", "queue", "deliver", "rounds", "commands"},
    {"chat"},
    {"web", "schedule"},
    {"settings"},
    {"demo", "app", "metrics"},
    {"runner", "speaking"},
    {"cli"},
    {"__main__"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
MODULES = sorted((ROOT / "bot").rglob("*.py"))


def room(module: str) -> str:
    """``bot.chat.slack.app`` -> ``chat``; ``bot`` itself is the lowest."""
    return module.split(".")[1] if "." in module else "bot"


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            found |= {f"bot.{alias.name}" for alias in node.names} if module == "bot" else {module}
    return {name for name in found if name == "bot" or (name.startswith("bot.") and name != "bot.VERSION")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_from_above(path: Path) -> None:
    own = room(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))
    assert own in RANK, f"{own} has no layer: give it one here and in the architecture page"
    for name in imports(path):
        assert RANK[room(name)] <= RANK[own], f"{path.name} ({own}) reaches up to {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_slack_package_knows_slack(path: Path) -> None:
    if "slack" in path.relative_to(ROOT).parts:
        return
    third_party = {n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Import | ast.ImportFrom)}
    names = {getattr(n, "module", "") or "" for n in third_party} | {
        a.name for n in third_party if isinstance(n, ast.Import) for a in n.names
    }
    assert not any(name.startswith(("slack_bolt", "slack_sdk")) for name in names)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_sql_stands_in_the_store_only(path: Path) -> None:
    if "store" in path.relative_to(ROOT).parts:
        return
    assert not any(name.startswith("sqlalchemy") for name in _all_imports(path))


def _all_imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names} | {
        n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)
    }
