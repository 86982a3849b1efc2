"""How many sealed records a human of the staff may open within an hour."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from chassis import look, transaction, unsealing
from chassis.principal import Principal
from kernel.errors import Busy
from tests.chassis.demo import CLERK, MIGRATIONS, TODAY
from tests.plugins.databases import owner_execute, owner_fetch

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.transaction import Transaction
    from tests.plugins.databases import NewDatabase

OTHER_LOGIN = replace(CLERK, subject="idp|wang-at-home", client="desk")
COLLEAGUE = replace(CLERK, subject="idp|zhao", natural_person="idp|p-zhao")
BANK = Principal(subject="svc|bank", client="bank", roles=frozenset({"PARTNER"}))
MIXED = replace(CLERK, roles=frozenset({"CLERK", "PARTNER"}))  # a partner system with rights of a clerk


async def opened(
    database: Database, *records: str, principal: Principal = CLERK, read_only: bool = True, is_shown: bool = True
) -> list[str]:
    """Open the name of records in one transaction, as services do."""

    async def work(tx: Transaction) -> list[str]:
        sealer = tx.database.sealer
        tx.audit("looked")
        return [
            sealer.open_text("note", "name", one, sealer.seal("note", "name", one, one), is_shown=is_shown)
            for one in records
        ]

    return await transaction.run(
        database, work, principal=principal, today=TODAY, method="/demo/Get", read_only=read_only
    )


async def refused(database: Database, *records: str, principal: Principal = CLERK, read_only: bool = True) -> float:
    with pytest.raises(Busy) as error:
        await opened(database, *records, principal=principal, read_only=read_only)
    assert error.value.reason == unsealing.REASON
    assert error.value.retry_after is not None
    return error.value.retry_after


async def test_threat_04_record_201_within_an_hour_is_refused_and_everybody_hears_of_it(database: Database) -> None:
    for page in range(20):
        await opened(database, *(f"r{page}-{number}" for number in range(10)))

    assert 3500 < await refused(database, "one-more") <= 3600
    await refused(database, "one-more", principal=OTHER_LOGIN)  # the same human
    await refused(database, "one-more", read_only=False)
    assert await opened(database, "r3-3", "r0-0") == ["r3-3", "r0-0"]  # who was looked at may be looked at again
    assert await opened(database, "one-more", principal=COLLEAGUE)

    alarms = await owner_fetch(database, "SELECT * FROM unseal_alarm")
    assert [(one["subject"], one["method"], one["count"]) for one in alarms] == [("idp|p-wang", "/demo/Get", 3)]
    said = await owner_fetch(database, "SELECT subject, method FROM audit WHERE action = 'unseal_refused'")
    assert [(one["subject"], one["method"]) for one in said] == [("idp|wang", "/demo/Get")]
    assert len(await owner_fetch(database, "SELECT 1 FROM audit WHERE action = 'looked'")) == 22
    async with database.connection() as connection:
        assert await unsealing.alarms(connection) == 1
    await owner_execute(database, "UPDATE unsealed SET at = at - interval '61 minutes'")
    assert await opened(database, "one-more", "r3-3")


async def test_only_what_humans_of_the_staff_are_shown_is_counted(new_database: NewDatabase) -> None:
    database = await new_database("demo", migrations=MIGRATIONS, unsealed_per_hour=2)
    many = [f"r{number}" for number in range(9)]
    person = Principal(subject="idp|li", client="app", roles=frozenset({"CITIZEN"}))

    for principal in (person, BANK, MIXED, Principal.system("demo")):
        assert await opened(database, *many, principal=principal) == many
    assert await opened(database, *many, is_shown=False) == many
    await opened(database, "a", "b", read_only=False)
    await refused(database, "c", read_only=False)
    assert not await owner_fetch(database, "SELECT 1 FROM audit WHERE action = 'looked' AND subject = 'nobody'")
    assert (await owner_fetch(database, "SELECT count(*) AS n FROM unsealed"))[0]["n"] == 2


async def test_a_look_is_counted_and_calls_side_by_side_do_not_pass_together(new_database: NewDatabase) -> None:
    database = await new_database("demo", migrations=MIGRATIONS, unsealed_per_hour=5)

    async def work(tx: look.Look, name: str) -> str:
        await tx.fetchrow("SELECT 1")
        sealer = tx.database.sealer
        return sealer.open_text("note", "name", name, sealer.seal("note", "name", name, name))

    async def one(name: str) -> str:
        return await look.run(database, lambda tx: work(tx, name), principal=CLERK, today=TODAY, method="/demo/Look")

    answers = await asyncio.gather(*(one(f"r{number}") for number in range(12)), return_exceptions=True)

    assert sum(isinstance(answer, str) for answer in answers) == 5
    assert sum(isinstance(answer, Busy) for answer in answers) == 7


async def test_several_rows_of_one_person_count_as_one(new_database: NewDatabase) -> None:
    database = await new_database("demo", migrations=MIGRATIONS, unsealed_per_hour=1)
    person = (await owner_fetch(database, "SELECT gen_random_uuid() AS id"))[0]["id"]

    async def work(tx: Transaction) -> None:
        sealer = tx.database.sealer
        for row in ("v1", "v2", "v3"):
            sealer.open("version", "name", row, sealer.seal("version", "name", row, "x"), of=person)
        sealer.open("note", "name", person, sealer.seal("note", "name", person, "x"))

    await transaction.run(database, work, principal=CLERK, today=TODAY, read_only=True)

    assert len(await owner_fetch(database, "SELECT 1 FROM unsealed")) == 1
