"""Spans of statements: what was done to which table, never with which values."""

from __future__ import annotations

import contextlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from sqlalchemy import event

from chassis.telemetry import span

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from sqlalchemy.ext.asyncio import AsyncEngine

_NOTHING: AbstractContextManager[object] = contextlib.nullcontext()
_TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN)\s+(?:ONLY\s+)?\"?([a-z_][a-z0-9_]*)", re.IGNORECASE)


@lru_cache(maxsize=1024)
def _summary(statement: str) -> tuple[str, str]:
    """Operation and first table of a statement."""
    words = statement.split(None, 1)
    table = _TABLE.search(statement)
    return words[0].upper() if words else "SQL", table[1] if table else ""


def statement_span(statement: str, database: str) -> AbstractContextManager[object]:
    """The span of a statement, where the current span is recorded; nothing otherwise, which costs next to nothing."""
    if not trace.get_current_span().is_recording():
        return _NOTHING
    operation, table = _summary(statement)
    attributes = {"db.system.name": "postgresql", "db.namespace": database, "db.operation.name": operation}
    if table:
        attributes["db.collection.name"] = table
    return span(f"{operation} {table}".strip(), kind="client", attributes=attributes)


def trace_statements(engine: AsyncEngine, database: str) -> None:
    """Give every statement that SQLAlchemy runs its span."""

    def before(_connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - SQLAlchemy's signature
        context.hrss_span = statement_span(statement, database)
        context.hrss_span.__enter__()

    def after(_connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: bool) -> None:  # noqa: FBT001 - the same
        context.hrss_span.__exit__(None, None, None)

    def failed(error: Any) -> None:
        opened = getattr(error.execution_context, "hrss_span", None)
        if opened is not None:
            with contextlib.suppress(BaseException):  # the span only passes on what it is shown
                opened.__exit__(type(error.original_exception), error.original_exception, None)

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)
