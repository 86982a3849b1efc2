"""The oracle sees what is wrong: each spoiled row is found, so that its silence means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.card.builders import CANCELLED, ISSUED, LOST
from tests.plugins.databases import owner_execute
from tests.system.oracle_card import violations

if TYPE_CHECKING:
    from tests.card.builders import Desk

SPOILS = {
    "two live": "DROP INDEX card_one_live; UPDATE card SET state = 'ISSUED' WHERE state = 'CANCELLED'",
    "check digits": "UPDATE card SET issue_no = '32061012345678901278' WHERE state = 'ACTIVE'",
    "without an electronic one": (
        "DELETE FROM pin; DELETE FROM binding; DELETE FROM card_notice; DELETE FROM card WHERE state = 'ACTIVE'"
    ),
    "a binding": "UPDATE binding SET status = 2",
    "a place": "DELETE FROM binding",
    "cannot be used": "UPDATE holder SET physical_state = 'LOCKED'",
    "consent": "DELETE FROM pin",
    "last event": "UPDATE holder SET physical_sequence = 99",
    "leads to no card": "UPDATE card SET state = 'REPLACED', replaced_by = card_id WHERE state = 'ACTIVE'",
    "somebody who died": "UPDATE holder SET death_date = '2026-01-01'",
    "never leased": "UPDATE status_list SET next = 0",
    "nobody was asked for": (
        "DELETE FROM binding; UPDATE card SET state = 'QUEUED', issue_no = NULL, reference = NULL, valid_from = NULL,"
        " valid_to = NULL WHERE state = 'ACTIVE'"
    ),
    "nobody reported": "UPDATE card SET suspended_by = 'HOLDER' WHERE state = 'SUSPENDED_TEMP'",
    "was not told": "DELETE FROM card_notice",
    "audit rows": "UPDATE aggregate SET version = version + 1 WHERE kind = 'card'",
}


@pytest.mark.parametrize("what", SPOILS)
async def test_what_is_spoiled_is_found(desk: Desk, what: str) -> None:
    person, other = await desk.person(), await desk.person()
    await desk.active(other)
    await desk.issued(person)
    await desk.announce(person, CANCELLED)
    await desk.announce(person, ISSUED, physical_card_ref="PHYS-0002")
    await desk.announce(person, LOST, physical_card_ref="PHYS-0002")
    url = desk.database.settings.database_owner_url
    assert await violations(url) == []

    await owner_execute(desk.database, SPOILS[what])

    assert what in " ".join(await violations(url))
