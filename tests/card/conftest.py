"""What the tests of cards ask for: a fresh database, the keys, the service behind its real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.card import keyring
from services.card.service import build
from tests.card.builders import Desk
from tests.plugins.grpc_harness import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from chassis.database import Database
    from services.card.keyring import KeyRing
    from tests.plugins.databases import NewDatabase


@pytest.fixture(scope="session")
def keys(keys_dir: Path) -> KeyRing:
    """The keys of the card service, as `hrss migrate` makes them."""
    keyring.create_keys(keys_dir)
    return keyring.KeyRing.load(keys_dir)


@pytest.fixture
async def database(keys: KeyRing, new_database: NewDatabase) -> Database:
    """A fresh database of the card service."""
    return await new_database("card")


@pytest.fixture
async def desk(database: Database, keys: KeyRing) -> AsyncIterator[Desk]:
    """The service, called as everybody calls it."""
    async with serve(build(database.settings), database=database) as running:
        yield Desk(database, running, keys)
