"""Four eyes: another person, the same content, in time, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from chassis import approval
from chassis.principal import Principal
from kernel import ids
from kernel.errors import AlreadyExists, Forbidden, Refused
from tests.chassis.demo import CLERK, run
from tests.plugins.databases import owner_execute, owner_fetch

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database

OTHER = Principal(subject="idp|zhao", client="counter", roles=frozenset({"SUPERVISOR"}), natural_person="idp|p-zhao")
WHAT: dict[str, Any] = {"kind": "determine", "subject": "ben_1", "payload": b"1000.00"}


async def requested(database: Database, principal: Principal = CLERK) -> UUID:
    made: UUID = await run(database, lambda tx: approval.request(tx, **WHAT), principal=principal)
    return made


async def decided(database: Database, approval_id: UUID, *, approve: bool = True, by: Principal = OTHER) -> None:
    await run(database, lambda tx: approval.decide(tx, approval_id, approve=approve), principal=by)


async def executed(database: Database, approval_id: UUID, **changed: Any) -> None:
    await run(database, lambda tx: approval.execute(tx, approval_id, **(WHAT | changed)))


async def test_what_another_person_approved_is_executed_once(database: Database) -> None:
    approval_id = await requested(database)
    await decided(database, approval_id)

    await executed(database, approval_id)

    with pytest.raises(Refused, match="APPROVAL_MISSING"):
        await executed(database, approval_id)
    found = await run(database, lambda tx: approval.get(tx, approval_id))
    assert (found.state, found.maker_person, found.checker_person) == ("EXECUTED", "idp|p-wang", "idp|p-zhao")


async def test_two_logins_of_one_person_are_one_person(database: Database) -> None:
    person = ids.new_id()
    at_the_counter = Principal(subject="idp|a", client="counter", roles=frozenset({"CLERK"}), person_id=person)
    at_home = Principal(subject="idp|b", client="app", roles=frozenset({"SUPERVISOR"}), person_id=person)
    approval_id = await requested(database, at_the_counter)

    with pytest.raises(Forbidden, match="SECOND_PERSON_REQUIRED"):
        await decided(database, approval_id, by=at_home)


async def test_the_database_refuses_one_person_as_both(database: Database) -> None:
    await requested(database)

    with pytest.raises(asyncpg.CheckViolationError):
        await run(
            database, lambda tx: tx.execute("UPDATE approval SET state = 'APPROVED', checker_person = maker_person")
        )


async def test_a_system_is_no_second_person(database: Database) -> None:
    approval_id = await requested(database)

    with pytest.raises(Forbidden, match="NATURAL_PERSON_REQUIRED"):
        await decided(database, approval_id, by=Principal.system("benefits"))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"payload": b"9000.00"}, "APPROVAL_PAYLOAD_DIFFERS"),
        ({"subject": "ben_2"}, "APPROVAL_MISSING"),
        ({"kind": "pay"}, "APPROVAL_MISSING"),
    ],
)
async def test_something_else_than_what_was_approved_is_refused(
    database: Database, changed: dict[str, Any], reason: str
) -> None:
    approval_id = await requested(database)
    await decided(database, approval_id)

    with pytest.raises(Refused, match=reason):
        await executed(database, approval_id, **changed)


async def test_what_was_rejected_or_not_decided_is_not_executed(database: Database) -> None:
    approval_id = await requested(database)
    with pytest.raises(Refused, match="APPROVAL_MISSING"):
        await executed(database, approval_id)

    await decided(database, approval_id, approve=False)

    with pytest.raises(Refused, match="APPROVAL_MISSING"):
        await executed(database, approval_id)
    with pytest.raises(Refused, match="APPROVAL_DECIDED"):
        await decided(database, approval_id)


async def test_one_open_approval_per_subject_until_it_expires(database: Database) -> None:
    first = await requested(database)
    with pytest.raises(AlreadyExists, match="APPROVAL_PENDING"):
        await requested(database)

    await owner_execute(database, "UPDATE approval SET expires = now() - interval '1 s'")

    with pytest.raises(Refused, match="APPROVAL_EXPIRED"):
        await decided(database, first)
    assert await requested(database) != first


async def test_another_login_of_the_same_human_is_no_second_person(database: Database) -> None:
    approval_id = await requested(database)
    other_login = replace(CLERK, subject="idp|staff-supervisor-2", roles=frozenset({"SUPERVISOR"}))

    with pytest.raises(Forbidden, match="SECOND_PERSON_REQUIRED"):
        await decided(database, approval_id, by=other_login)
    with pytest.raises(Forbidden, match="NATURAL_PERSON_REQUIRED"):
        await decided(database, approval_id, by=replace(OTHER, natural_person=""))


async def test_the_audit_says_which_human_acted(database: Database) -> None:
    async def noted(tx: Any) -> None:
        tx.audit("looked")

    await run(database, noted, principal=CLERK)

    rows = await owner_fetch(database, "SELECT acting_person FROM audit WHERE action = 'looked'")
    assert [row["acting_person"] for row in rows] == ["idp|p-wang"]


async def test_an_approval_that_expired_keeps_who_approved_it(database: Database) -> None:
    first = await requested(database)
    await decided(database, first)
    await owner_execute(database, "UPDATE approval SET expires = now() - interval '1 s'")

    await requested(database)

    found = await run(database, lambda tx: approval.get(tx, first))
    assert (found.state, found.checker_person) == ("EXPIRED", "idp|p-zhao")
    assert found.decided is not None
    with pytest.raises(Refused, match="APPROVAL_EXPIRED"):
        await executed(database, first)
    with pytest.raises(Refused, match="APPROVAL_EXPIRED"):
        await decided(database, first)
