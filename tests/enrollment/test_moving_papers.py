"""Certificates' facts, the account that explains itself, and the parity report."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from datetime import date
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hrss.enrollment.v1 import enrollment_service_pb2 as pb
from hrss.enrollment.v1 import moving_service_pb2 as mv
from hrss.type.v1 import job_pb2
from kernel.calendar import Month
from kernel.errors import InvalidInput, NotFound, Refused
from services.enrollment.operations.moving_certificate import canonical
from tests.enrollment import builders
from tests.enrollment.builders import PARTNER, TODAY, an_id_no, day, month, number
from tests.enrollment.moving import a_balance_row, a_year_row, a_years_file
from tests.enrollment.test_accounts import close
from tests.enrollment.test_bills import an_assessment
from tests.enrollment.test_history import bring_in, person_of
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from tests.enrollment.conftest import Bureau

NAME = "陈志强"
CONTRIBUTIONS = mv.INSURANCE_CERTIFICATE_KIND_CONTRIBUTIONS
INSURANCE = mv.INSURANCE_CERTIFICATE_KIND_INSURANCE


async def an_insured(bureau: Bureau, **changes: Any) -> tuple[str, str]:
    """Somebody with years brought in and an employment since January 2025 whose first month is paid; id and number."""
    id_no = an_id_no(date(1985, 5, 1))
    rows = [
        a_year_row(id_no, NAME, 2022, bases="4000.00*6;4500.00*6"),
        a_year_row(id_no, NAME, 2023, bases="4500.00"),
        a_balance_row(id_no, NAME, 2023, "10000.00"),
    ]
    await bring_in(bureau, a_years_file(rows))
    employer_id = await bureau.employer()
    await bureau.enrolled(employer_id, id_no=id_no, name=NAME, start_month=month(Month(2025, 1)), **changes)
    bill = (await bureau.call("AssessBill", an_assessment(employer_id, Month(2025, 1)))).bill
    await bureau.call("RecordReceipt", builders.a_receipt(bill), by=PARTNER)
    return await person_of(bureau, id_no), id_no


async def issued(bureau: Bureau, person_id: str, kind: Any = CONTRIBUTIONS, *, by: Any = None, **values: Any) -> Any:
    """A certificate that a person asked for themself, unless somebody else is named."""
    request = mv.IssueInsuranceCertificateRequest(
        request_id=f"certificate-{number()}", person_id=person_id, kind=kind, **values
    )
    by = by or a_principal(person_id=UUID(hex=person_id.removeprefix("per_")))
    return (await bureau.call("IssueInsuranceCertificate", request, by=by)).certificate


async def test_the_same_facts_have_one_digest_and_each_paper_its_number(bureau: Bureau) -> None:
    person_id, id_no = await an_insured(bureau)

    one, other = await issued(bureau, person_id), await issued(bureau, person_id)

    assert (one.facts, one.digest) == (other.facts, other.digest)
    assert one.number != other.number
    assert one.digest == hashlib.sha256(one.facts.encode()).hexdigest()
    facts = json.loads(one.facts)
    assert one.facts == json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert facts["person"] == {"id_no": id_no, "name": NAME}
    lines = [row for row in facts["months"] if row["scheme"] == "110"]
    assert [(row["first_month"], row["last_month"], row["months"], row["base"]) for row in lines] == [
        ("2022-01", "2022-06", "6", "4000.00"),
        ("2022-07", "2023-12", "18", "4500.00"),
        ("2025-01", "2025-01", "1", "8000.00"),
    ]
    stored = await bureau.rows("SELECT facts_sealed FROM certificate_facts")
    assert len(stored) == 1
    assert NAME.encode() not in stored[0]["facts_sealed"]


async def test_a_period_and_a_day_are_chosen(bureau: Bureau) -> None:
    person_id, _ = await an_insured(bureau)

    part = await issued(bureau, person_id, first_month=month(Month(2022, 6)), last_month=month(Month(2022, 7)))
    before = await issued(bureau, person_id, INSURANCE, as_of=day(date(2024, 5, 1)))
    now = await issued(bureau, person_id, INSURANCE)

    assert len([row for row in json.loads(part.facts)["months"] if row["scheme"] == "210"]) == 2
    assert json.loads(before.facts)["insured"] == "no"
    assert json.loads(now.facts)["insured"] == "yes"
    schemes = {row["scheme"]: row for row in json.loads(now.facts)["schemes"]}
    assert schemes["110"] == {
        "deemed_months": "0",
        "first_month": "2022-01",
        "last_month": "2025-01",
        "paid_months": "25",
        "scheme": "110",
    }
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"first_month": month(Month(2024, 2)), "last_month": month(Month(2024, 1))}, "PERIOD_INVALID"),
        ({"first_month": month(Month(2025, 4))}, "PERIOD_INVALID"),
        ({"as_of": day(date(2025, 3, 21))}, "DATE_IN_FUTURE"),
        ({"kind": 0}, "CERTIFICATE_KIND_REQUIRED"),
    ]
    for values, reason in wrong:
        with pytest.raises(InvalidInput, match=reason):
            await issued(bureau, person_id, **values)


async def test_a_certificate_is_shown_to_its_person_and_to_audited_staff(bureau: Bureau) -> None:
    person_id, _ = await an_insured(bureau)
    one = await issued(bureau, person_id, by=builders.CLERK)
    me = a_principal(person_id=UUID(hex=person_id.removeprefix("per_")))
    request = mv.GetInsuranceCertificateRequest(number=one.number)

    for who in (me, builders.CLERK):
        shown = await bureau.call("GetInsuranceCertificate", request, by=who)
        assert (shown.certificate.facts, shown.person_id) == (one.facts, person_id)

    with pytest.raises(NotFound):
        await bureau.call("GetInsuranceCertificate", request, by=a_principal(person_id=UUID(int=1)))
    with pytest.raises(NotFound, match="PERSON_NOT_FOUND"):
        await issued(bureau, person_id, by=a_principal(person_id=UUID(int=1)))
    with pytest.raises(NotFound, match="INSURANCE_CERTIFICATE_NOT_FOUND"):
        await bureau.call("GetInsuranceCertificate", mv.GetInsuranceCertificateRequest(number="0" * 16))
    seen = await bureau.rows(
        "SELECT action FROM audit WHERE person_id = $1 AND action LIKE '%Certificate%'", me.person_id
    )
    assert {row["action"].rpartition("/")[2] for row in seen} == {
        "IssueInsuranceCertificate",
        "GetInsuranceCertificate",
    }


Plain = st.recursive(
    st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), Plain, max_size=4))
def test_canonical_text_is_one_for_equal_facts(facts: dict[str, Any]) -> None:
    again = dict(reversed(list(facts.items())))

    assert canonical(facts) == canonical(again)
    assert json.loads(canonical(facts)) == facts


@pytest.mark.parametrize("value", [1, 1.5, None, True, {"a": 1}, ["a", 2]])
def test_numbers_have_no_place_in_canonical_facts(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical({"value": value})


async def test_every_figure_of_an_account_is_explained(bureau: Bureau) -> None:
    person_id, _ = await an_insured(bureau)
    await close(bureau, 2024, TODAY)

    shown = await bureau.call("ExplainAccount", mv.ExplainAccountRequest(person_id=person_id))

    years = {one.year: one for one in shown.years}
    assert [one.year for one in shown.years] == [2025, 2024, 2023]
    assert shown.balance.fen == years[2025].statement.total.fen
    assert {line.code: line.amount.fen for line in years[2024].statement.lines} == {
        "opening": 1_000_000,
        "interest_on_opening": 26_200,
        "contribution": 0,
        "interest_on_new": 0,
    }
    assert (years[2024].closed, years[2024].rate.decimal) == (True, "0.0262")
    assert any(line.sources for line in years[2024].statement.lines)
    assert {line.code: line.amount.fen for line in years[2023].statement.lines}["imported"] == 1_000_000
    now = years[2025]
    assert (now.closed, now.rate.decimal, now.expected_interest.fen) == (False, "0.0150", 15_393 + 800)
    assert [(one.amount.fen, one.for_month.month, one.source[:9]) for one in now.entries] == [(64_000, 1, "bill:bil_")]
    only = await bureau.call("ExplainAccount", mv.ExplainAccountRequest(person_id=person_id, year=2024))
    assert [one.year for one in only.years] == [2024]
    for one in shown.years:
        assert one.statement.total.fen == sum(line.amount.fen for line in one.statement.lines)
        assert all(line.title_zh and line.title_en for line in one.statement.lines)
    with pytest.raises(InvalidInput, match="YEAR_INVALID"):
        await bureau.call("ExplainAccount", mv.ExplainAccountRequest(person_id=person_id, year=1990))


async def compared(bureau: Bureau, job_id: str, seed: str = "one", size: int = 100) -> Any:
    """A comparison of a delivery that has run."""
    request = mv.CompareHistoryRequest(request_id=f"compare-{number()}", job_id=job_id, seed=seed, size=size)
    job = (await bureau.call("CompareHistory", request, by=PARTNER)).job
    await bureau.run_jobs()
    return job


async def report_of(bureau: Bureau, job_id: str, form: mv.ReportFormat.ValueType = mv.REPORT_FORMAT_JSON) -> Any:
    """A report."""
    return await bureau.call("GetParityReport", mv.GetParityReportRequest(job_id=job_id, format=form))


async def test_a_parity_report_names_every_difference(bureau: Bureau) -> None:
    same, moved = an_id_no(), an_id_no()
    before = a_years_file([a_year_row(moved, NAME, 2021, months="PPP.........", bases="4000.00")])
    await bring_in(bureau, before)
    rows = [
        a_year_row(same, NAME, 2023, bases="5000.00"),
        a_balance_row(same, NAME, 2023, "4903.22"),  # 12 × 400.00, and 31,200.00 × 3.97 % ÷ 12
        a_year_row(moved, NAME, 2021, months="PPPPPP......", bases="5000.00"),
        a_year_row(moved, NAME, 2022, bases="5000.00"),
        a_balance_row(moved, NAME, 2023, "1.00"),
    ]
    job = await bring_in(bureau, a_years_file(rows))

    comparison = await compared(bureau, job.job_id)
    reply = await report_of(bureau, comparison.job_id)

    assert reply.job.state == job_pb2.JOB_STATE_DONE
    assert reply.digest == hashlib.sha256(reply.report.encode()).hexdigest()
    found = json.loads(reply.report)
    person_id = await person_of(bureau, moved)
    assert (reply.person_count, reply.difference_count, found["seed"]) == (2, len(found["rows"]), "one")
    assert {row["person_id"] for row in found["rows"]} == {person_id}
    named = {(row["code"], row["place"]): (row["delivered"], row["computed"]) for row in found["rows"]}
    assert named["MONTH_DIFFERS", "2021-01 110"] == ("5000.00 PAID", "4000.00 PAID")
    assert named["MONTH_DIFFERS", "2021-06 410"] == ("5000.00 PAID", "")
    assert named["MONTHS_DIFFER", "110"] == ("18", "15")
    assert named["ACCOUNT_DIFFERS", "2023"][0] == "1.00"
    assert len(named) == 18 + 3 + 1
    text = (await report_of(bureau, comparison.job_id, mv.REPORT_FORMAT_CSV)).report
    assert len(list(csv.reader(io.StringIO(text)))) == 2 + len(named)


async def test_a_sample_follows_from_its_seed(bureau: Bureau) -> None:
    people = [an_id_no() for _ in range(40)]
    rows = [row for one in people for row in (a_year_row(one, NAME, 2023), a_balance_row(one, NAME, 2023, "1.00"))]
    job = await bring_in(bureau, a_years_file(rows))

    found = []
    for seed in ("a", "a", "b"):
        comparison = await compared(bureau, job.job_id, seed, 10)
        found.append(
            {row["person_id"] for row in json.loads((await report_of(bureau, comparison.job_id)).report)["rows"]}
        )

    assert found[0] == found[1] != found[2]
    assert [len(one) for one in found] == [10, 10, 10]
    with pytest.raises(InvalidInput, match="SAMPLE_INVALID"):
        await compared(bureau, job.job_id, "no blanks")
    with pytest.raises(InvalidInput, match="REPORT_FORMAT_INVALID"):
        await report_of(bureau, comparison.job_id, mv.REPORT_FORMAT_UNSPECIFIED)
    with pytest.raises(NotFound, match="JOB_NOT_FOUND"):
        await compared(bureau, "job_" + "0" * 32)


async def test_a_delivery_of_files_is_checked_as_a_whole(bureau: Bureau) -> None:
    files = [a_years_file([a_year_row(an_id_no(), NAME, 2023)]) for _ in range(3)]
    refs = [await bureau.files.put(data) for data in files]
    uploads = [mv.HistoryUpload(upload_id=one.upload_id, digest=one.digest) for one in refs]
    sums = mv.HistorySums(
        row_count=3,
        person_count=3,
        pension_months=36,
        unemployment_months=36,
        injury_months=36,
        bases=builders.money("540000.00"),
        balances=builders.money("0.00"),
    )

    async def delivered(**changes: Any) -> Any:
        values = {"files": uploads, "source_system": "old-system", "sums": sums, **changes}
        request = mv.BringInHistoryRequest(request_id=f"bring-{number()}", **values)
        job = (await bureau.call("BringInHistory", request, by=PARTNER)).job
        await bureau.run_jobs()
        return await bureau.call("GetHistoryDelivery", mv.GetHistoryDeliveryRequest(job_id=job.job_id))

    wrong_sums = mv.HistorySums()
    wrong_sums.CopyFrom(sums)
    wrong_sums.person_count = 4
    refused = await delivered(sums=wrong_sums)
    lost = await delivered(files=[*uploads[:2], mv.HistoryUpload(upload_id="upl_" + "0" * 32, digest="0" * 64)])
    assert await bureau.rows("SELECT 1 FROM person") == []
    done = await delivered()

    assert refused.state == mv.HISTORY_DELIVERY_STATE_REFUSED
    assert [(one.file, one.figure, one.stated, one.counted) for one in refused.differences] == [
        (0, "person_count", "4", "3")
    ]
    assert [(one.file, one.figure) for one in lost.differences] == [(3, "FILE_NOT_FOUND")]
    assert (done.state, done.counted.bases.fen, done.job.done_count) == (
        mv.HISTORY_DELIVERY_STATE_DONE,
        54_000_000,
        3,
    )
    with pytest.raises(InvalidInput, match="FILES_INVALID"):
        await delivered(files=[])
    with pytest.raises(Refused, match="DELIVERY_NOT_DONE"):
        await compared(bureau, refused.job.job_id)
    assert (await bureau.call("GetInsurance", pb.GetInsuranceRequest(person_id=await first_person(bureau)))).months


async def first_person(bureau: Bureau) -> str:
    """Any person."""
    (row,) = await bureau.rows("SELECT person_id FROM person ORDER BY person_id LIMIT 1")
    return f"per_{row['person_id'].hex}"
