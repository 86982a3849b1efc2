"""The seeded city of benefits: real amounts, the same again, and nothing that the rules of the books would find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg

from ops.seed import benefits as seed
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from chassis.database import Database
    from services.benefits.policy import BenefitsPolicy


async def test_a_seeded_city_is_sound_and_the_same_again(database: Database, policy: BenefitsPolicy) -> None:
    connection = await asyncpg.connect(database.settings.database_owner_url)
    try:
        first = await seed.write(connection, 120, 7, policy=policy, sealer=database.sealer, variety=50)
        again = await seed.write(connection, 200, 7, policy=policy, sealer=database.sealer, variety=50)
    finally:
        await connection.close()

    assert (first, again) == (120, 80)
    kinds = {row[0]: row[1] for row in await owner_fetch(database, "SELECT kind, count(*) FROM benefit GROUP BY kind")}
    assert kinds == {"EMPLOYEE_PENSION": 196, "UNEMPLOYMENT": 4}
    amounts = await owner_fetch(database, "SELECT count(DISTINCT amount_fen) FROM benefit_amount")
    assert amounts[0][0] == 50
    assert await violations(database.settings.database_owner_url, policy) == []
