"""The database of the tests' own service, and logs that cost nothing to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog

from tests.chassis import demo

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.plugins.databases import NewDatabase


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Tracebacks as text: drawing them with frames and locals takes longer than the tests that cause them."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """A producer's database."""
    return await new_database("demo", migrations=demo.MIGRATIONS)
