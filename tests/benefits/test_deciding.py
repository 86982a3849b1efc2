"""The second person: who may decide what, and that nothing else is decided than what was looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hrss.enrollment.v1 import enrollment_pb2 as register
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.benefits.calculation import recompute
from services.benefits.commands import Approve, Reject
from services.benefits.lifecycle import DeterminationState
from services.benefits.operations import deciding, determinations
from tests.benefits.builders import (
    ACCOUNT,
    CLERK,
    SUPERVISOR,
    TODAY,
    Benefits,
    Enrollment,
    a_payee,
    refused,
)
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from chassis.principal import Principal
    from services.benefits.policy import BenefitsPolicy


async def test_the_same_person_may_not_approve_or_reject(enrollment: Enrollment, benefits: Benefits) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    as_supervisor = a_principal(["SUPERVISOR"], subject=CLERK.subject)

    with refused(Forbidden, "SAME_PERSON"):
        await benefits.approve(shown, as_supervisor)
    with refused(Forbidden, "SAME_PERSON"):
        await _reject(benefits, shown.determination.determination_id, CLERK)


async def test_nobody_approves_their_own_benefit(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.about_to_retire()
    shown = await benefits.prepare_pension(person_id)

    with refused(Forbidden, "SAME_PERSON"):
        await benefits.approve(shown, a_principal(["SUPERVISOR"], subject="idp|x", person_id=person_id))


async def test_another_digest_is_refused(enrollment: Enrollment, benefits: Benefits) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    command = Approve(shown.determination.determination_id, b"\x00" * 32)

    with refused(Refused, "STATEMENT_CHANGED"):
        await benefits.run(lambda tx: deciding.approve(tx, command, benefits.policy), SUPERVISOR)


async def test_a_payee_that_was_exchanged_behind_the_back_opens_nothing(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    await owner_fetch(database, "UPDATE payee SET account_index = '\\x00112233445566778899aabbccddeeff'")

    with refused(Refused, "APPROVAL_PAYLOAD_DIFFERS"):
        await benefits.approve(shown)


async def test_a_decided_determination_is_closed(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    rejected = await _reject(benefits, shown.determination.determination_id)

    assert rejected.determination.state is DeterminationState.REJECTED
    assert rejected.determination.rejection_reason == "wrong payee"
    with refused(Refused, "DETERMINATION_CLOSED"):
        await benefits.approve(shown)
    with refused(Refused, "DETERMINATION_CLOSED"):
        await _reject(benefits, shown.determination.determination_id)
    assert await violations(database.settings.database_owner_url, policy) == []


@pytest.mark.parametrize("reason", ["", "x", "x" * 201])
async def test_a_rejection_says_why(enrollment: Enrollment, benefits: Benefits, reason: str) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())

    with refused(InvalidInput, "REJECTION_REASON_REQUIRED"):
        await _reject(benefits, shown.determination.determination_id, reason=reason)


async def test_an_approval_that_is_too_late_is_refused_and_can_be_closed(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    await owner_fetch(database, "UPDATE approval SET expires = now() - interval '1 day'")

    with refused(Refused, "APPROVAL_EXPIRED"):
        await benefits.approve(shown)

    rejected = await _reject(benefits, shown.determination.determination_id)
    assert rejected.determination.state is DeterminationState.REJECTED


async def test_an_unknown_determination_is_not_found(benefits: Benefits) -> None:
    with refused(NotFound, "DETERMINATION_NOT_FOUND"):
        await _reject(benefits, ids.new_id())
    with refused(NotFound, "DETERMINATION_NOT_FOUND"):
        await benefits.run(lambda tx: determinations.show(tx, ids.new_id()))


async def test_partners_and_the_system_prepare_nothing(enrollment: Enrollment, benefits: Benefits) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())
    machine = a_principal(["PARTNER"], subject="app", client="app")

    with refused(Forbidden, "NATURAL_PERSON_REQUIRED"):
        await benefits.approve(shown, machine)


async def test_the_payee_is_sealed_and_only_its_end_is_shown(
    database: Database, enrollment: Enrollment, benefits: Benefits
) -> None:
    shown = await benefits.prepare_pension(await enrollment.about_to_retire())

    (row,) = await owner_fetch(database, "SELECT * FROM payee")
    assert shown.account_tail == ACCOUNT[-4:] == row["account_tail"]
    assert ACCOUNT.encode() not in row["account_sealed"]
    assert "张三".encode() not in row["name_sealed"]
    opened = database.sealer.open_text("payee", "account", row["payee_id"], row["account_sealed"])
    assert opened == ACCOUNT


async def test_an_account_of_somebody_else_is_pointed_out(enrollment: Enrollment, benefits: Benefits) -> None:
    first, second = await enrollment.about_to_retire(), await enrollment.about_to_retire()
    await benefits.approve(await benefits.prepare_pension(first))

    shared = await benefits.prepare_pension(second)
    own = await benefits.prepare_pension(second, payee=a_payee("6222021001112223335"))

    assert any("another person" in note for note in shared.determination.notes)
    assert not any("another person" in note for note in own.determination.notes)


async def test_what_is_stored_is_recomputed_to_the_same_statement(
    policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    pension = await benefits.prepare_pension(await enrollment.about_to_retire())
    lost = await benefits.prepare_unemployment(await enrollment.unemployed())

    for shown in (pension, lost):
        row, made = shown.determination, shown.calculation
        again = recompute(row.kind, made.inputs, row.first_month, policy)
        assert again.digest == row.digest == made.digest
        assert again.statement == made.statement


async def _reject(
    benefits: Benefits, determination_id: UUID, principal: Principal = SUPERVISOR, reason: str = "wrong payee"
) -> determinations.Shown:
    command = Reject(determination_id, reason)
    shown: determinations.Shown = await benefits.run(lambda tx: deciding.reject(tx, command), principal, TODAY)
    return shown


async def test_contributions_that_change_after_preparing_ask_for_a_new_determination(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()
    shown = await benefits.prepare_pension(person_id)
    await enrollment.paid(person_id, "2026-07", "2026-07", "9000")

    with refused(Refused, "STATEMENT_CHANGED"):
        await benefits.approve(shown)

    await benefits.approve(await benefits.prepare_pension(person_id))


async def test_an_account_settled_again_asks_for_a_new_determination(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.about_to_retire()
    shown = await benefits.prepare_pension(person_id)
    await enrollment.settled(person_id, balance="150000.01")

    with refused(Refused, "STATEMENT_CHANGED"):
        await benefits.approve(shown)


async def test_unemployment_months_that_change_after_preparing_ask_for_a_new_determination(
    enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.unemployed()
    shown = await benefits.prepare_unemployment(person_id)
    await enrollment.paid(person_id, "2025-06", "2025-06", state=register.CONTRIBUTION_STATE_UNPAID)

    with refused(Refused, "STATEMENT_CHANGED"):
        await benefits.approve(shown)


async def test_nothing_is_prepared_for_the_dead(enrollment: Enrollment, benefits: Benefits) -> None:
    person_id = await enrollment.person()
    parts = await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2026-07")
    await enrollment.settled(person_id)
    await enrollment.left(person_id, parts, "2026-07", register.END_REASON_DIED)

    with refused(Refused, "PERSON_DIED"):
        await benefits.prepare_pension(person_id)
    with refused(Refused, "PERSON_DIED"):
        await benefits.prepare_unemployment(person_id, "2026-07-03")


async def test_a_death_between_preparing_and_approving_starts_no_pension(
    database: Database, policy: BenefitsPolicy, enrollment: Enrollment, benefits: Benefits
) -> None:
    person_id = await enrollment.person()
    parts = await enrollment.hired(person_id, "1998-08")
    await enrollment.paid(person_id, "1998-08", "2026-07")
    await enrollment.settled(person_id)
    shown = await benefits.prepare_pension(person_id)
    await enrollment.left(person_id, parts, "2026-07", register.END_REASON_DIED)

    with refused(Refused, "PERSON_DIED"):
        await benefits.approve(shown)

    rejected = await _reject(benefits, shown.determination.determination_id)
    assert rejected.determination.state is DeterminationState.REJECTED
    assert await owner_fetch(database, "SELECT 1 FROM benefit") == []
    assert await violations(database.settings.database_owner_url, policy) == []
