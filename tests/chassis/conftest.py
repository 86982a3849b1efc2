"""The database of the tests' own service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.chassis import demo

if TYPE_CHECKING:
    from chassis.database import Database
    from tests.plugins.databases import NewDatabase


@pytest.fixture
async def database(new_database: NewDatabase) -> Database:
    """A producer's database."""
    return await new_database("demo", migrations=demo.MIGRATIONS)
