"""YAML files that a person edits, read and checked: errors name file, line and field, and propose the nearest name."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from bot.errors import ConfigError

T = TypeVar("T")


class _Loader(yaml.CSafeLoader):
    """Only ``true`` and ``false`` are booleans: ``no`` is Norwegian, and a word that people write."""

    yaml_implicit_resolvers = {  # noqa: RUF012  as PyYAML keeps them
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def load(path: Path, schema: type[T] | TypeAdapter[T], names: Iterable[str] = ()) -> T:
    """Read ``path`` as ``schema``.

    ``names`` are words worth proposing when an unknown one is met, beside the schema's own.
    Raises ConfigError with one line for the first mistake (and how many more there are).
    """
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=_Loader)
        content = _Loader("").construct_document(node) if node else None
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: file not found") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}{_mark(error)}: not valid YAML: {_problem(error)}") from error
    adapter = schema if isinstance(schema, TypeAdapter) else TypeAdapter(schema)
    try:
        return adapter.validate_python(content)
    except ValidationError as error:
        raise ConfigError(_first_mistake(path, node, error, [*_field_names(adapter.json_schema()), *names])) from error


def nearest(word: str, names: Iterable[str]) -> str:
    """``; did you mean "X"?`` for the closest of ``names``, or an empty string."""
    close = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f'; did you mean "{close[0]}"?' if close else ""


def _first_mistake(path: Path, node: yaml.Node | None, error: ValidationError, names: Iterable[str]) -> str:
    mistakes = error.errors(include_url=False)
    # The deepest place is the one a person mistyped; a union reports its other branches too.
    # and an unknown name beside a missing one is the missing one, mistyped.
    mistake = max(mistakes, key=lambda m: (len(m["loc"]), m["type"] == "extra_forbidden"))
    place, where = _locate(node, mistake["loc"])
    message = mistake["msg"].removeprefix("Value error, ")
    if mistake["type"] == "extra_forbidden":
        word = str(mistake["loc"][-1])
        message = f"unknown name{nearest(word, names)}"
    elif mistake["type"] in ("enum", "literal_error"):
        message += nearest(str(mistake["input"]), str(mistake.get("ctx", {}).get("expected", "")).split("'"))
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return f"{path}:{place}: {where or 'document'}: {message}{more}"


def _field_names(schema: Any) -> list[str]:
    """Every property name that a JSON schema mentions."""
    if isinstance(schema, dict):
        return [*schema.get("properties", {}), *(name for part in schema.values() for name in _field_names(part))]
    if isinstance(schema, list):
        return [name for part in schema for name in _field_names(part)]
    return []


def _locate(node: yaml.Node | None, loc: tuple[int | str, ...]) -> tuple[int, str]:
    """The line of the innermost node that ``loc`` reaches, and the field's path as a person reads it."""
    line, words = 1, ""
    if node is not None:
        line = node.start_mark.line + 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            found = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if found is None:
                continue  # a tag of a union, or a missing field: the place is its parent
            line, node = found[0].start_mark.line + 1, found[1]
            words += f".{part}" if words else str(part)
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
            words += f"[{part}]"
    if loc and str(loc[-1]) not in words and isinstance(loc[-1], str):
        words += f".{loc[-1]}" if words else str(loc[-1])
    return line, words


def _mark(error: yaml.YAMLError) -> str:
    mark: Any = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error).splitlines()[0]
