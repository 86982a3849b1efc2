"""An office: the case RPCs and the worker of one gateway process, in front of services that answer by the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gateway_cases.office import Office

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.plugins.databases import NewDatabase


@pytest.fixture
async def office(new_database: NewDatabase) -> AsyncIterator[Office]:
    """A fresh office; its worker runs when a test asks for it."""
    made = Office(await new_database("gateway"))
    yield made
    await made.close()
