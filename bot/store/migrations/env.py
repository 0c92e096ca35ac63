"""Run by Alembic: applies revisions on the connection that ``migrate`` hands over, in its transaction."""

from __future__ import annotations

from typing import Any

from alembic import context

from bot.store.schema import INDEX, metadata


def _ours(thing: Any, name: str | None, kind: str, reflected: bool, other: Any) -> bool:
    return not (kind == "table" and (name or "").startswith(INDEX))  # the full-text index and its shadow tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=_ours,
    render_as_batch=True,
    transactional_ddl=True,  # SQLite can, once BEGIN is said by hand
)
with context.begin_transaction():
    context.run_migrations()
