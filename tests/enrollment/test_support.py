"""Premiums that others pay: the government on behalf, a year at once; the money of taken land, for its farmers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chassis.worker import Worker
from hrss.enrollment.v1 import cover_service_pb2 as cover_pb
from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.enrollment.v1 import support_service_pb2 as pb
from kernel.errors import AlreadyExists, InvalidInput, NotFound, Refused
from kernel.money import Money
from services.enrollment.operations import support_aid
from tests.enrollment.builders import NOW, PARTNER, TODAY, an_id_no, day, money, month, number
from tests.enrollment.collecting import broken_by, checked, ledger
from tests.enrollment.cover_builders import a_cover_bill, a_flexible_cover, a_request_id, a_single_receipt, months_of
from tests.enrollment.test_bills import a_bill, pay
from tests.enrollment.test_cover_residents import a_resident_cover, a_year
from tests.enrollment.test_races import run_process

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

SPOILT_ACCOUNTS = {
    "SCHEME_ACCOUNT_IS_ITS_ENTRIES": "UPDATE scheme_account SET balance_fen = balance_fen + 1",
    "LEDGER_IS_SCHEME_ACCOUNTS": """
        UPDATE ledger_posting SET account = 'elsewhere' WHERE account = 'accounts:resident_pension'
    """,
    "RESIDENT_PAYMENT_IS_CREDITED": "UPDATE resident_payment SET subsidy_fen = subsidy_fen + 1",
    "PREMIUM_AID_IS_ITS_PERSONS": "UPDATE premium_aid_receipt SET amount_fen = amount_fen + 1",
    "LEDGER_IS_PREMIUM_AID": """
        UPDATE ledger_posting SET account = 'x' WHERE account = 'finance:premium_on_behalf' AND amount_fen < 0
    """,
    "LAND_ACCOUNT_IS_ITS_ENTRIES": "UPDATE land_account SET balance_fen = balance_fen + 1",
    "LAND_BATCH_IS_ITS_SHARES": "UPDATE land_batch SET received_fen = received_fen + 1",
    "LAND_PAYMENT_IS_ITS_USE": "UPDATE receipt SET land_use_id = gen_random_uuid() WHERE land_use_id IS NOT NULL",
    "LEDGER_IS_LAND_ACCOUNTS": "UPDATE ledger_posting SET account = 'elsewhere' WHERE account = 'land:accounts'",
    "SCHEME_YEAR_IS_BOOKED": "UPDATE scheme_account_year SET interest_fen = interest_fen + 1",
    "BRIDGE_IS_ITS_ENTRIES": "UPDATE pension_bridge SET amount_fen = amount_fen + 1",
    "RECEIPT_NO_IS_ONE": """
        INSERT INTO collected (receipt_no, amount_fen, paid_date, document, simulated, source)
        SELECT receipt_no, 1, now(), 'x', true, 'call' FROM single_receipt LIMIT 1
    """,
}


async def tell(bureau: Bureau, rpc: str, **fields: Any) -> Any:
    """Call an RPC of SupportService; receipts are a partner's, all else is done at the counter."""
    kind = getattr(pb, f"{rpc}Request")
    if "request_id" in kind.DESCRIPTOR.fields_by_name:
        fields.setdefault("request_id", a_request_id(rpc))
    if rpc.startswith("Record"):
        fields = {
            "receipt_no": f"BUDGET-{number():06d}", "paid_date": day(TODAY), "simulated": True, **fields,
        }  # fmt: skip
        return await bureau.call(rpc, kind(**fields), by=PARTNER)
    return await bureau.call(rpc, kind(**fields))


async def granted(bureau: Bureau, person_id: str, **changes: Any) -> pb.PremiumAid:
    """That the government pays for a person from this year on."""
    values = {
        "person_id": person_id, "group": pb.AID_GROUP_SUBSISTENCE, "from_year": NOW.year,
        "document_ref": "通民低保〔2025〕7号", **changes,
    }  # fmt: skip
    aid: pb.PremiumAid = (await tell(bureau, "GrantPremiumAid", **values)).premium_aid
    return aid


async def run_of_year(bureau: Bureau) -> pb.PremiumAidRun:
    """The run of this year as it stands."""
    run: pb.PremiumAidRun = (await tell(bureau, "GetPremiumAidRun", year=NOW.year)).premium_aid_run
    return run


async def resident_account(bureau: Bureau, person_id: str) -> list[tuple[str, int]]:
    """Entries of a resident account by part."""
    reply = await bureau.call("ListSchemeAccounts", cover_pb.ListSchemeAccountsRequest(person_id=person_id))
    return sorted((one.part, one.amount.fen) for account in reply.accounts for one in account.entries)


# On behalf ------------------------------------------------------------------------------------------------------------


async def test_a_year_on_behalf_is_assessed_paid_in_one_sum_and_credited_with_its_subsidy(
    office: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support_aid, "CHUNK_PERSONS", 2)
    entitled = [(await a_resident_cover(office)).person_id for _ in range(6)]
    for person_id in entitled:
        await granted(office, person_id)
    own = await a_resident_cover(office)  # has paid this year already
    await granted(office, own.person_id)
    await office.call("AssessResidentYear", a_year(own.cover_id))
    past = await a_resident_cover(office)  # is entitled no more
    aid = await granted(office, past.person_id, from_year=NOW.year - 2)
    await tell(office, "EndPremiumAid", premium_aid_id=aid.premium_aid_id, until_year=NOW.year - 1)
    await a_resident_cover(office)  # never was
    run = (await tell(office, "StartPremiumAidRun", year=NOW.year)).premium_aid_run
    with pytest.raises(Refused, match="PREMIUM_AID_RUN_OPEN"):
        await tell(office, "RecordPremiumAidReceipt", year=NOW.year, amount={"fen": 10_000})

    assert await Worker(office.database, office.service.jobs).run_one()  # the plan, in small chunks
    await run_process(office, HRSS_TEST_CRASH="before_commit:2")
    await office.rows("UPDATE job_chunk SET due = clock_timestamp() WHERE state = 'RUNNING'")  # the lease ran out
    await office.run_jobs()

    done = await run_of_year(office)
    assert (done.person_count, done.total.fen, done.paid) == (6, 60_000, False)
    assert [(one.code, one.amount.fen) for one in done.statement.lines] == [("on_behalf", 10_000), ("subsidy", 3_000)]
    with pytest.raises(InvalidInput, match="RECEIPT_AMOUNT_INVALID"):
        await tell(office, "RecordPremiumAidReceipt", year=NOW.year, amount={"fen": 59_999})
    payment_id = (await office.rows("SELECT payment_id FROM resident_payment WHERE aid_run_id IS NOT NULL"))[0][0]
    alone = a_single_receipt(cover_pb.RecordResidentPaymentRequest, 10_000, resident_payment_id=f"rpy_{payment_id.hex}")
    with pytest.raises(Refused, match="PAYMENT_ON_BEHALF"):
        await office.call("RecordResidentPayment", alone, by=PARTNER)
    await tell(office, "RecordPremiumAidReceipt", year=NOW.year, amount={"fen": 60_000})
    assert await ledger(office, "finance:premium_on_behalf") == 60_000
    await office.run_jobs()

    done = await run_of_year(office)
    assert (done.credited_count, done.paid, done.job.rejected_count) == (6, True, 0)
    for person_id in entitled:
        assert await resident_account(office, person_id) == [("ON_BEHALF", 10_000), ("SUBSIDY", 3_000)]
    assert await resident_account(office, past.person_id) == []
    assert [await ledger(office, name) for name in ("finance:premium_on_behalf", "accounts:resident_pension")] == [
        0, 78_000,
    ]  # fmt: skip
    with pytest.raises(Refused, match="PAYMENT_ALREADY_PAID"):
        await tell(office, "RecordPremiumAidReceipt", year=NOW.year, amount={"fen": 60_000})
    with pytest.raises(AlreadyExists, match="PREMIUM_AID_RUN_EXISTS") as refused:
        await tell(office, "StartPremiumAidRun", year=NOW.year)
    assert refused.value.metadata == {"run": run.premium_aid_run_id, "year": str(NOW.year)}
    assert await checked(office) == []
    for code in ("SCHEME_ACCOUNT_IS_ITS_ENTRIES", "LEDGER_IS_SCHEME_ACCOUNTS", "RESIDENT_PAYMENT_IS_CREDITED",
                 "PREMIUM_AID_IS_ITS_PERSONS", "LEDGER_IS_PREMIUM_AID"):  # fmt: skip
        assert code in await broken_by(office, SPOILT_ACCOUNTS[code], code)


async def test_what_the_government_paid_never_goes_back_to_the_person(office: Bureau) -> None:
    id_no = an_id_no()
    cover = await a_resident_cover(office, id_no=id_no)
    await granted(office, cover.person_id)
    await tell(office, "StartPremiumAidRun", year=NOW.year)
    await office.run_jobs()
    await tell(office, "RecordPremiumAidReceipt", year=NOW.year, amount={"fen": 10_000})
    await office.run_jobs()
    employer_id = await office.employer()
    await office.enrolled(employer_id, id_no=id_no, name="王守田", start_month=month(NOW))
    await pay(office, await a_bill(office, employer_id))

    with pytest.raises(Refused, match="NOTHING_OVERLAPS"):
        await office.call("RefundOverlap", cover_pb.RefundOverlapRequest(request_id="b", person_id=cover.person_id))


async def test_entitlements_that_cannot_be(bureau: Bureau) -> None:
    cover = await a_resident_cover(bureau)
    aid = await granted(bureau, cover.person_id)
    refusals: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({}, AlreadyExists, "PREMIUM_AID_EXISTS"),
        ({"from_year": NOW.year + 2}, InvalidInput, "YEAR_INVALID"),
        ({"until_year": NOW.year - 1}, InvalidInput, "YEAR_INVALID"),
        ({"group": pb.AID_GROUP_UNSPECIFIED}, InvalidInput, "PREMIUM_AID_GROUP_REQUIRED"),
        ({"document_ref": "?"}, InvalidInput, "DOCUMENT_INVALID"),
        ({"person_id": "per_" + "1" * 32}, NotFound, "PERSON_NOT_FOUND"),
    ]

    for changes, kind, reason in refusals:
        with pytest.raises(kind, match=reason):
            await granted(bureau, **{"person_id": cover.person_id, **changes})
    with pytest.raises(InvalidInput, match="YEAR_INVALID"):
        await tell(bureau, "EndPremiumAid", premium_aid_id=aid.premium_aid_id, until_year=NOW.year - 2)
    with pytest.raises(Refused, match="POLICY_PARAMETER_MISSING") as refused:  # the city's tiers are not known here
        await tell(bureau, "StartPremiumAidRun", year=NOW.year)

    assert refused.value.metadata["key"] == "resident_pension.tiers_nantong"
    assert [
        one.premium_aid_id for one in (await tell(bureau, "ListPremiumAids", person_id=cover.person_id)).premium_aids
    ] == [aid.premium_aid_id]


# Taken land -----------------------------------------------------------------------------------------------------------


async def a_batch(bureau: Bureau, **changes: Any) -> pb.LandBatch:
    """The list of a notice for two people."""
    values = {
        "notice_no": f"通政地告〔2025〕{number()}号", "division": "320613", "notice_date": day(TODAY), "headcount": 2,
        **changes,
    }  # fmt: skip
    batch: pb.LandBatch = (await tell(bureau, "RegisterLandBatch", **values)).land_batch
    return batch


async def funded(bureau: Bureau, *people: str) -> pb.LandBatch:
    """A list whose money came, 26,000 yuan for each."""
    batch = await a_batch(bureau, headcount=len(people))
    for person_id in people:
        await tell(bureau, "AddLandFarmer", land_batch_id=batch.land_batch_id, person_id=person_id)
    amount = {"fen": 2_600_000 * len(people)}
    reply = await tell(bureau, "RecordLandReceipt", land_batch_id=batch.land_batch_id, amount=amount)
    paid: pb.LandBatch = reply.land_batch
    return paid


async def test_a_list_is_paid_when_everybody_on_it_is_insured(office: Bureau) -> None:
    resident = await a_resident_cover(office)
    worker = await a_flexible_cover(office)
    batch = await a_batch(office)
    whole = {"land_batch_id": batch.land_batch_id, "amount": {"fen": 5_200_000}}
    for person_id in (resident.person_id, worker.person_id):
        with pytest.raises(Refused, match="LAND_BATCH_OPEN"):
            await tell(office, "RecordLandReceipt", **whole)
        await tell(office, "AddLandFarmer", land_batch_id=batch.land_batch_id, person_id=person_id)
    end = cover_pb.EndCoverRequest(
        request_id="end", cover_id=worker.cover_id, end_month=month(NOW), reason=model.END_REASON_STOPPED
    )
    await office.call("EndCover", end)
    with pytest.raises(Refused, match="LAND_BATCH_OPEN") as refused:
        await tell(office, "RecordLandReceipt", **whole)
    assert refused.value.metadata == {"missing": "0", "uninsured": "1"}
    with pytest.raises(Refused, match="LAND_BATCH_FULL"):
        await tell(office, "AddLandFarmer", land_batch_id=batch.land_batch_id, person_id=resident.person_id)

    paid = await funded(office, resident.person_id)

    assert (paid.listed_count, paid.insured_count, paid.owed.fen, paid.paid) == (1, 1, 2_600_000, True)
    fund = (await tell(office, "GetLandFund", person_id=resident.person_id)).land_fund
    assert [(one.source, one.amount.fen) for one in fund.entries] == [(f"batch:{paid.land_batch_id}", 2_600_000)]
    assert await ledger(office, "land:accounts") == 2_600_000
    with pytest.raises(Refused, match="LAND_BATCH_PAID"):
        await tell(office, "AddLandFarmer", land_batch_id=paid.land_batch_id, person_id=worker.person_id)


async def test_a_farmers_money_pays_bills_years_and_the_account_to_the_fen(office: Bureau) -> None:
    resident = await a_resident_cover(office)
    worker = await a_flexible_cover(office, base=money("6123.45"))
    await funded(office, resident.person_id, worker.person_id)
    bill = await a_cover_bill(office, worker.cover_id)
    payment = (await office.call("AssessResidentYear", a_year(resident.cover_id))).payment

    used = (await tell(office, "UseLandFund", person_id=worker.person_id, target=bill.bill_id)).land_fund
    assert used.balance.fen == 2_600_000 - bill.total.fen
    assert await months_of(office, worker.person_id) == [(str(NOW), 110, 612_345)]
    again = {"person_id": worker.person_id, "target": bill.bill_id}
    with pytest.raises(Refused, match="PAYMENT_ALREADY_PAID"):
        await tell(office, "UseLandFund", **again)
    await tell(office, "UseLandFund", person_id=resident.person_id, target=payment.resident_payment_id)
    left = await tell(
        office, "UseLandFund", person_id=resident.person_id, target="RESIDENT_ACCOUNT", amount={"fen": 400_000}
    )
    assert left.land_fund.balance.fen == 2_600_000 - 100_000 - 400_000
    assert await resident_account(office, resident.person_id) == [
        ("LAND", 100_000), ("LAND", 400_000), ("SUBSIDY", 9_000),
    ]  # fmt: skip
    expected = 5_200_000 - bill.total.fen - 500_000
    assert [await ledger(office, name) for name in ("land:accounts", "tax:clearing", "bills:received")] == [
        expected, 0, 0,
    ]  # fmt: skip
    assert await checked(office) == []
    for code in (one for one in SPOILT_ACCOUNTS if "LAND" in one or one.startswith("RECEIPT")):
        assert code in await broken_by(office, SPOILT_ACCOUNTS[code], code)

    # What cannot be paid is refused by name, and pays nothing.
    refusals: list[tuple[str, str, dict[str, Any], str]] = [
        (worker.person_id, "RESIDENT_ACCOUNT", {}, "NO_RESIDENT_COVER"),
        (resident.person_id, "RESIDENT_ACCOUNT", {"amount": {"fen": 2_600_000}}, "LAND_FUND_TOO_SMALL"),
        (resident.person_id, "RESIDENT_ACCOUNT", {"amount": {"fen": 0}}, "AMOUNT_INVALID"),
        (resident.person_id, bill.bill_id, {}, "BILL_NOT_FOUND"),
        (worker.person_id, payment.resident_payment_id, {}, "RESIDENT_PAYMENT_NOT_FOUND"),
        (worker.person_id, "somewhere", {}, "DOCUMENT_UNKNOWN"),
    ]
    for person_id, target, more, reason in refusals:
        with pytest.raises((Refused, NotFound, InvalidInput), match=reason):
            await tell(office, "UseLandFund", person_id=person_id, target=target, **more)
    assert await ledger(office, "land:accounts") == expected
    assert Money(expected) > Money.ZERO


async def test_without_the_bureaus_amounts_nobody_is_put_on_a_list(bureau: Bureau) -> None:
    cover = await a_resident_cover(bureau)
    batch = await a_batch(bureau)

    with pytest.raises(Refused, match="POLICY_PARAMETER_MISSING") as refused:
        await tell(bureau, "AddLandFarmer", land_batch_id=batch.land_batch_id, person_id=cover.person_id)

    assert refused.value.metadata["key"] == "land_expropriated.terms"
    with pytest.raises(AlreadyExists, match="LAND_BATCH_EXISTS"):
        await a_batch(bureau, notice_no=batch.notice_no)
    with pytest.raises(InvalidInput, match="HEADCOUNT_INVALID"):
        await a_batch(bureau, headcount=1001)
    with pytest.raises(NotFound, match="LAND_BATCH_NOT_FOUND"):
        await tell(bureau, "GetLandBatch", land_batch_id="lbt_" + "1" * 32)
