"""A random walk through every room of benefits at once; after each step every rule and the model hold.

Each room has tests of its own; what one room does to another shows only here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.benefits.store.books import prove
from tests.benefits.paying_bureau import Bureau
from tests.benefits.walk_model import faults
from tests.benefits.walk_rooms import Rooms
from tests.plugins.marks import slow

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy
    from tests.benefits.builders import Enrollment

STEPS, FEW = 150, 20


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, *[slow(seed) for seed in range(2, 6)]])
async def test_whatever_the_rooms_do_everybody_has_what_is_owed(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, seed: int
) -> None:
    rooms = Rooms(Bureau(database, policy), enrollment, seed)

    for _ in range(FEW if seed == 1 else STEPS):
        await rooms.step()
        found = [f"{one.rule.code}: {one.first}" for one in await prove(database.settings.database_owner_url)]
        found += await faults(database, rooms.rights, rooms.month, rooms.years)
        assert not found, "\n".join([f"seed {seed}", *rooms.said, *found])
