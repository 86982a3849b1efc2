"""What the tests of cards ask for: a fresh database, the keys, the service behind its real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.card import keyring
from services.card.crypto import sm2
from services.card.operations import keys as key_operations
from services.card.service import build
from tests.card.batch_desk import Batches, batches_of
from tests.card.builders import Desk
from tests.card.code_desk import Codes, with_profile
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


@pytest.fixture(params=["I", pytest.param("G", marks=pytest.mark.skipif(not sm2.is_available(), reason="no SM2"))])
async def code_desk(request: pytest.FixtureRequest, new_database: NewDatabase, keys: KeyRing) -> AsyncIterator[Codes]:
    """The service with one profile after the other, keys registered as at its start."""
    database = await new_database("card")
    service = with_profile(database.settings, request.param)
    office = service.servicers[0].office  # type: ignore[attr-defined] # of its first edge
    async with serve(service, database=database) as running:
        desk = Codes(database, running, office.keys, office)
        await desk.run(lambda tx: key_operations.register(tx, office.keys))
        yield desk


@pytest.fixture
async def batches(database: Database, keys: KeyRing) -> AsyncIterator[Batches]:
    """The service with its files and a worker that works when it is told to."""
    service = build(database.settings)
    async with serve(service, database=database) as running:
        yield batches_of(database, running, service)
