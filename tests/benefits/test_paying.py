"""The payroll of a city: gates and releases, differences, the bank's files, what comes back."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import TYPE_CHECKING

import pytest

from kernel import ids
from kernel.calendar import Month
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.benefits.entitlement import End
from services.benefits.lifecycle import Answer, EndReason, PayrollState
from services.benefits.operations import paying_bank, paying_gates, paying_returns
from services.benefits.operations.ending import end
from services.benefits.paying import Gate, PrepareRelease
from services.benefits.store import decisions
from tests.benefits.builders import CLERK, SUPERVISOR, refused
from tests.benefits.paying_bureau import Bureau, answer_of
from tests.plugins.databases import owner_fetch
from tests.system.oracle_benefits import violations

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.database import Database
    from chassis.transaction import Transaction
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import PayrollRow


@pytest.fixture
async def bureau(database: Database, policy: BenefitsPolicy) -> Bureau:
    made = Bureau(database, policy)
    await made.city(30)
    return made


async def sound(bureau: Bureau) -> None:
    assert await violations(bureau.database.settings.database_owner_url, bureau.policy) == []


async def spoil(bureau: Bureau, statement: str, *parameters: object) -> None:
    await owner_fetch(bureau.database, statement, *parameters)


async def held(bureau: Bureau, row: PayrollRow) -> list[tuple[UUID, str]]:
    return [(benefit_id, gate) for benefit_id, gate, effect, _ in await bureau.findings(row) if effect == "BLOCK"]


# Gates --------------------------------------------------------------------------------------------------------------


async def test_a_city_is_paid_in_chunks_with_evidence(bureau: Bureau) -> None:
    row = await bureau.released("2026-01")

    assert row.payment_count == 30
    assert await bureau.findings(row) == []
    gates = {one["gate"]: one for one in await bureau.as_clerk(paying_gates.evidence, row.payroll_id)}
    assert set(gates) == {gate.value for gate in Gate}
    assert {(one["checked"], one["blocked"]) for one in gates.values()} == {(30, 0)}
    assert gates["FIRST"]["warned"] == 30
    assert gates["JUMP"]["terms"] == "jump_percent=30"
    again = await bureau.paid("2026-02")
    assert (again.payment_count, again.state) == (30, PayrollState.PREPARED)
    await sound(bureau)


async def test_every_gate_holds_back_or_warns_and_the_others_are_paid(bureau: Bureau) -> None:
    await bureau.released("2026-01")
    ids_ = await bureau.benefit_ids()
    dead, moved, twin, poor, jump, drop, shared, sharing, gone, past = ids_[:10]
    whole, topped, *retired = ids_[10:14]
    person = "(SELECT person_id FROM benefit WHERE benefit_id = $1)"
    await spoil(bureau, f"UPDATE person SET died_month = '2026-01-01' WHERE person_id = {person}", dead)
    await spoil(
        bureau,
        "UPDATE benefit SET state = 'SUSPENDED', suspended_from = '2026-02-01', suspend_reason = 'CERTIFICATION'"
        " WHERE benefit_id = $1",
        gone,
    )
    # Two records of one person, each with a pension: the newer one waits.
    await spoil(
        bureau,
        "INSERT INTO forward SELECT a.person_id, b.person_id FROM benefit a, benefit b"
        " WHERE (a.benefit_id, b.benefit_id) = ($1, $2)",
        twin,
        moved,
    )
    await spoil(
        bureau,
        "UPDATE payee SET account_sealed = '' WHERE payee_id = (SELECT payee_id FROM benefit WHERE benefit_id = $1)",
        poor,
    )
    for benefit_id, percent in ((jump, 140), (drop, 60)):
        await spoil(
            bureau,
            "INSERT INTO benefit_amount SELECT benefit_id, 2, '2026-02-01', amount_fen * $2 / 100, digest,"
            " 'RECOMPUTED', NULL, business_date FROM benefit_amount WHERE benefit_id = $1",
            benefit_id,
            percent,
        )
    await spoil(
        bureau,
        "UPDATE payee SET account_index = (SELECT account_index FROM payee JOIN benefit USING (payee_id)"
        " WHERE benefit_id = $1) WHERE payee_id = (SELECT payee_id FROM benefit WHERE benefit_id = $2)",
        shared,
        sharing,
    )
    await spoil(bureau, "UPDATE benefit SET last_month = '2026-02-01' WHERE benefit_id = $1", past)
    await spoil(
        bureau,
        "INSERT INTO difference SELECT gen_random_uuid(), benefit_id, person_id, 'ADJUSTED', gen_random_uuid(),"
        " '2026-01-01', '2026-03-01', 100, digest, '2026-02-01' FROM benefit WHERE benefit_id = $1",
        past,
    )
    # Two injured with a pension: one still has the whole allowance, of the other the pension was taken off.
    for benefit_id, beside in zip((whole, topped), retired, strict=True):
        await spoil(
            bureau,
            f"UPDATE benefit SET kind = 'INJURY_ALLOWANCE', person_id = {person} WHERE benefit_id = $2",
            beside,
            benefit_id,
        )
    await spoil(
        bureau,
        "INSERT INTO calculation SELECT sha256('topped'), kind, policy_version, jsonb_set(inputs, '{pension}', '1'),"
        " statement, total_fen, provisional FROM calculation WHERE kind = 'EMPLOYEE_PENSION' LIMIT 1",
    )
    await spoil(bureau, "UPDATE benefit_amount SET digest = sha256('topped') WHERE benefit_id = $1", topped)

    row = await bureau.paid("2026-02")

    expected = {
        (whole, "DOUBLE", "BLOCK"),
        (dead, "DEATH", "BLOCK"),
        (max(moved, twin), "DOUBLE", "BLOCK"),
        (poor, "PAYEE_MISSING", "BLOCK"),
        (jump, "JUMP", "BLOCK"),
        (drop, "JUMP", "WARN"),
        (shared, "ACCOUNT_SHARED", "WARN"),
        (sharing, "ACCOUNT_SHARED", "WARN"),
        (gone, "SUSPENDED", "BLOCK"),
        (past, "DIFFERENCE_PAST_END", "WARN"),
    }
    assert {(one, gate, effect) for one, gate, effect, _ in await bureau.findings(row)} == expected
    assert row.payment_count == 24
    text, token = await bureau.as_clerk(paying_gates.export, row.payroll_id, "")
    assert (len(text.splitlines()) - 1 >= len(expected), token) == (True, "")
    assert f"{ids.to_text('ben', dead)},EMPLOYEE_PENSION,DEATH,BLOCK,died 2026-01" in text
    # A finding is part of what is approved.
    await spoil(bureau, "UPDATE payroll_finding SET detail = 'nothing' WHERE benefit_id = $1", dead)
    with refused(Refused, "PAYROLL_CHANGED"):
        await bureau.approve_payroll(row)


async def test_what_is_held_back_is_released_by_two_persons_and_comes_with_a_supplement(bureau: Bureau) -> None:
    await bureau.released("2026-01")
    jump, dead = (await bureau.benefit_ids())[:2]
    await spoil(
        bureau,
        "INSERT INTO benefit_amount SELECT benefit_id, 2, '2026-02-01', amount_fen * 2, digest, 'RECOMPUTED', NULL,"
        " business_date FROM benefit_amount WHERE benefit_id = $1",
        jump,
    )
    february = await bureau.released("2026-02")
    assert await held(bureau, february) == [(jump, "JUMP")]

    with refused(NotFound, "BENEFIT_NOT_FOUND"):
        await bureau.as_clerk(paying_gates.prepare_release, PrepareRelease(ids.new_id(), Gate.JUMP, "核实无误"))
    with refused(InvalidInput, "REASON_REQUIRED"):
        await bureau.as_clerk(paying_gates.prepare_release, PrepareRelease(jump, Gate.JUMP, ""))
    with refused(Refused, "NOT_HELD_BACK"):
        await bureau.as_clerk(paying_gates.prepare_release, PrepareRelease(dead, Gate.JUMP, "核实无误"))
    with refused(Refused, "GATE_NOT_RELEASABLE"):
        await bureau.as_clerk(paying_gates.prepare_release, PrepareRelease(jump, Gate.DEATH, "核实无误"))
    made = await bureau.as_clerk(paying_gates.prepare_release, PrepareRelease(jump, Gate.JUMP, "重新核定，核实无误"))
    release_id = made["release_id"]
    with refused(Forbidden, "SAME_PERSON"):
        await bureau.run(lambda tx: paying_gates.decide_release(tx, release_id, approve=True), CLERK)
    done = await bureau.run(lambda tx: paying_gates.decide_release(tx, release_id, approve=True), SUPERVISOR)
    with refused(Refused, "RELEASE_CLOSED"):
        await bureau.run(lambda tx: paying_gates.decide_release(tx, release_id, approve=False), SUPERVISOR)

    supplement = await bureau.released("2026-02")

    assert done["state"] == "APPROVED"
    assert (supplement.sequence, supplement.payment_count) == (2, 1)
    assert [(one, gate, effect) for one, gate, effect, _ in await bureau.findings(supplement)] == [
        (jump, "JUMP", "RELEASED")
    ]
    march = await bureau.paid("2026-03")
    assert await held(bureau, march) == []  # measured against February, which is paid
    assert march.payment_count == 30


async def test_a_difference_is_paid_once_and_waits_again_when_its_payroll_loses_it(bureau: Bureau) -> None:
    await bureau.released("2026-01")
    owed = (await bureau.benefit_ids())[0]
    await spoil(
        bureau,
        "INSERT INTO difference SELECT gen_random_uuid(), benefit_id, person_id, 'ADJUSTED', gen_random_uuid(),"
        " '2026-01-01', '2026-01-01', total_fen, digest, '2026-02-01' FROM benefit JOIN calculation USING (digest)"
        " WHERE benefit_id = $1",
        owed,
    )
    await bureau.claim_back()

    row = await bureau.released("2026-02")
    nothing = await bureau.paid("2026-02")

    paid = await owner_fetch(
        bureau.database, "SELECT item, month FROM payment WHERE benefit_id = $1 ORDER BY payment_id", owed
    )
    assert [tuple(one) for one in paid] == [
        ("MONTH", date(2026, 1, 1)),
        ("MONTH", date(2026, 2, 1)),
        ("DIFFERENCE", date(2026, 1, 1)),
    ]
    assert row.payment_count == 31
    assert nothing.payroll_id == row.payroll_id
    await sound(bureau)


# The bank's files ---------------------------------------------------------------------------------------------------


async def test_the_bank_file_has_every_payment_its_sums_and_one_digest(bureau: Bureau) -> None:
    prepared = await bureau.paid("2026-01")
    with refused(Refused, "PAYROLL_NOT_APPROVED"):
        await bureau.as_clerk(paying_bank.make_file, prepared.payroll_id)
    row = await bureau.approve_payroll(prepared)

    text = await bureau.file(row)
    again = await bureau.as_clerk(paying_bank.make_file, row.payroll_id)

    lines = text.splitlines()
    assert lines[0] == (
        f"#hrss-payments,1,{ids.to_text('prl', row.payroll_id)},2026-01,1,30,{row.total},{(row.digest or b'').hex()}"
    )
    assert lines[-1] == f"#totals,30,{row.total}"
    assert len({line.split(",")[0] for line in lines[2:-1]}) == 30
    assert all(line.split(",")[1] == "测试" and line.split(",")[2].startswith("62007") for line in lines[2:-1])
    assert again.file["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert len(await owner_fetch(bureau.database, "SELECT 1 FROM payment_file")) == 1
    audited = await owner_fetch(bureau.database, "SELECT detail FROM audit WHERE action = 'payees_shown'")
    assert len(audited) == 7  # head, five chunks, tail
    assert not any("62007" in one["detail"] for one in audited)


async def test_a_part_that_is_not_what_was_approved_never_reaches_the_bank(bureau: Bureau) -> None:
    row = await bureau.released("2026-01")
    await spoil(
        bureau,
        "UPDATE payment SET amount_fen = amount_fen + 1"
        " WHERE payment_id = (SELECT payment_id FROM payment ORDER BY payment_id DESC LIMIT 1)",
    )

    with refused(Refused, "PAYMENT_FILE_NOT_READY"):
        await bureau.file(row)
    (job,) = await owner_fetch(bureau.database, "SELECT state, message FROM job WHERE kind = 'payment_file'")
    assert job["state"] == "FAILED"
    assert "PAYROLL_CHANGED" in job["message"]


async def test_an_answer_is_booked_once_whatever_comes_twice(bureau: Bureau) -> None:
    row = await bureau.released("2026-01")
    text = await bureau.file(row)
    back = [line.split(",")[0] for line in text.splitlines()[2:5]]
    answer = answer_of(row, text, back)

    first = await bureau.upload(row, answer)
    again = await bureau.upload(row, answer)
    other = await bureau.upload(row, answer_of(row, text))  # says that the returned ones were confirmed

    assert {verdict for _, verdict, _ in await bureau.verdicts(first)} == {"ACCEPTED"}
    assert {verdict for _, verdict, _ in await bureau.verdicts(again)} == {"REPEATED"}
    assert [(line, code) for line, verdict, code in await bureau.verdicts(other) if verdict == "REFUSED"] == [
        (line, "ANSWERED_OTHERWISE") for line in (3, 4, 5)
    ]
    (counted,) = await owner_fetch(bureau.database, "SELECT confirmed_count, returned_count FROM payroll")
    assert tuple(counted) == (27, 3)
    said = await owner_fetch(bureau.database, "SELECT DISTINCT subject FROM outbox WHERE subject LIKE '%Payment%'")
    assert len(said) == 2
    balance = await owner_fetch(
        bureau.database, "SELECT sum(amount_fen)::bigint FROM ledger_posting WHERE account = 'clearing:bank'"
    )
    assert balance[0][0] == 0
    await sound(bureau)


async def test_an_answer_is_checked_on_three_levels(bureau: Bureau) -> None:
    january = await bureau.released("2026-01")
    february = await bureau.released("2026-02")
    text = await bureau.file(january)
    good = answer_of(january, text)
    first = text.splitlines()[2].split(",")

    for wrong, cause in (
        (good.replace("#hrss-returns,1", "#hrss-returns,2"), "HEADER"),
        (good.replace("reason", "why"), "HEADER"),
        (good.replace("#totals,30", "#totals,29"), "TOTALS_DIFFER"),
        (good.replace(f"{first[0]},{first[3]}", f"{first[0]},1.00"), "TOTALS_DIFFER"),
        (good.rsplit("#totals", 1)[0], "TOTALS"),
        ("", "HEADER"),
    ):
        with refused(InvalidInput, "FILE_FORMAT_INVALID") as caught:
            await bureau.upload(january, wrong)
        assert caught.value.metadata["cause"] == cause
    with refused(Refused, "RETURN_FILE_OF_ANOTHER") as other:
        await bureau.upload(february, good)
    assert other.value.metadata == {"payroll": ids.to_text("prl", january.payroll_id), "month": "2026-01"}
    with refused(Refused, "RETURN_FILE_OF_ANOTHER"):
        await bureau.upload(january, answer_of(january, text, month="2026-02"))
    with refused(NotFound, "FILE_NOT_FOUND"):
        await bureau.as_clerk(
            paying_returns.import_returns, january.payroll_id, "upl_" + "0" * 32, "0" * 64, bureau.archive
        )

    # Rows: each wrong one is refused by name, the others are booked.
    lines = good.splitlines()
    foreign = (await bureau.file(february)).splitlines()[2].split(",")
    amount = first[3]
    wrongs = {
        f"{first[0]},{amount},CONFIRMED,REF-0001": "ROW_MALFORMED",
        f"pay_1,{amount},CONFIRMED,REF-0001,": "PAYMENT_ID_INVALID",
        f"{first[0]},{amount},MAYBE,REF-0001,": "OUTCOME_INVALID",
        f"{first[0]},{amount},CONFIRMED,!,": "REFERENCE_INVALID",
        f"{first[0]},{amount},RETURNED,REF-0001,": "REASON_INVALID",
        f"pmt_{'1' * 32},{amount},CONFIRMED,REF-0001,": "PAYMENT_UNKNOWN",
        f"{foreign[0]},{foreign[3]},CONFIRMED,REF-0001,": "OTHER_PAYROLL",
        f"{lines[4].split(',')[0]},0.01,CONFIRMED,REF-0001,": "AMOUNT_DIFFERS",
        f"{first[0]},{amount},CONFIRMED,REF-0001,": "",
        f"{first[0]},{amount},CONFIRMED,REF-0002,": "DUPLICATE_ROW",
    }
    body = list(wrongs)
    read = [cells for line in body if len(cells := line.split(",")) == 5]
    sums = {
        outcome: sum(round(float(cells[1]) * 100) for cells in read if cells[2] == outcome)
        for outcome in ("CONFIRMED", "RETURNED")
    }
    tail = f"#totals,{len(body)},{sums['CONFIRMED'] / 100:.2f},{sums['RETURNED'] / 100:.2f}"
    started = await bureau.upload(january, "\n".join([*lines[:2], *body, tail]))

    assert [code for _, _, code in await bureau.verdicts(started)] == list(wrongs.values())
    await sound(bureau)


# What came back -----------------------------------------------------------------------------------------------------


async def test_what_came_back_goes_out_again_and_is_parked_after_three_tries(bureau: Bureau) -> None:
    row = await bureau.released("2026-01")
    text = await bureau.file(row)
    name = text.splitlines()[2].split(",")[0]
    payment_id = ids.parse("pmt", name)
    await bureau.upload(row, answer_of(row, text, [name]))

    async def listed(state: str = "") -> list[tuple[UUID, str, int]]:
        rows, _ = await bureau.as_clerk(paying_returns.list_returned, state, size=0, token="")
        return [(one["payment_id"], one["state"], one["try"]) for one in rows]

    assert await listed() == [(payment_id, "OWED", 1)]
    assert (await bureau.paid("2026-01")).payroll_id == row.payroll_id  # nobody asked for it
    for number in (2, 3):
        await bureau.as_clerk(paying_returns.retry, payment_id)
        await sound(bureau)
        row = await bureau.released("2026-01")
        assert (row.sequence, row.payment_count) == (number, 1)
        with refused(Refused, "PAYMENT_NOT_OWED"):
            await bureau.as_clerk(paying_returns.retry, payment_id)
        text = await bureau.file(row)
        name = text.splitlines()[2].split(",")[0]
        payment_id = ids.parse("pmt", name)
        await bureau.upload(row, answer_of(row, text, [name]))
        await sound(bureau)
    assert await listed("PARKED") == [(payment_id, "PARKED", 3)]
    with refused(Refused, "PAYMENT_PARKED"):
        await bureau.as_clerk(paying_returns.retry, payment_id)

    # With the same account the next month is held back too; a corrected one lets both pass.
    february = await bureau.released("2026-02")
    assert [gate for _, gate in await held(bureau, february)] == ["PAYEE_PARKED"]
    await spoil(
        bureau,
        """
        WITH old AS (SELECT benefit_id, payee.* FROM payment JOIN benefit USING (benefit_id)
                     JOIN payee ON payee.payee_id = benefit.payee_id WHERE payment_id = $1),
        made AS (INSERT INTO payee SELECT $2, person_id, name_sealed, account_sealed, account_index, account_tail
                 FROM old),
        said AS (INSERT INTO payee_change SELECT benefit_id, 1, payee_id, $2, '2026-02-10' FROM old)
        UPDATE benefit SET payee_id = $2 FROM old WHERE benefit.benefit_id = old.benefit_id
        """,
        payment_id,
        ids.new_id(),
    )
    supplement = await bureau.released("2026-02")
    items = await owner_fetch(
        bureau.database, "SELECT item, again_of FROM payment WHERE payroll_id = $1 ORDER BY item", supplement.payroll_id
    )
    assert [tuple(one) for one in items] == [("AGAIN", payment_id), ("MONTH", None)]
    assert await listed() == []
    await sound(bureau)


async def test_what_is_still_owed_lapses_when_the_benefit_ended_before(bureau: Bureau, database: Database) -> None:
    row = await bureau.released("2026-02")
    ended = (await bureau.benefit_ids())[0]
    sent = await owner_fetch(
        database, "SELECT payment_id FROM payment WHERE benefit_id = $1 ORDER BY month DESC LIMIT 1", ended
    )
    await bureau.answer(sent[0]["payment_id"], Answer.RETURN)
    await bureau.as_clerk(paying_returns.retry, sent[0]["payment_id"])
    supplement = await bureau.paid("2026-02")
    assert supplement.payment_count == 1

    async def die(tx: Transaction) -> None:
        benefit = await decisions.benefit(tx, ended, lock=True)
        assert benefit is not None
        await end(tx, [(benefit, End(Month(2026, 1), EndReason.DIED))])

    await bureau.run(die)

    states = await owner_fetch(database, "SELECT state FROM returned_payment")
    assert [one["state"] for one in states] == ["LAPSED"]
    with refused(Refused, "PAYROLL_CHANGED"):
        await bureau.approve_payroll(supplement)
    assert row.payment_count == 60
    await sound(bureau)
