"""The edge for callers: real gRPC on the loopback, from the certificate to the bank's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hrss.training.v1 import training_pb2 as model
from hrss.training.v1 import training_service_pb2 as pb
from hrss.type.v1 import calendar_pb2
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.training.service import build
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal, serve
from tests.training.builders import ACCOUNT, BANK, CLERK, ISSUER, OCCUPATION, SUPERVISOR, TODAY, refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from chassis.database import Database
    from tests.plugins.grpc_harness import Running
    from tests.training.builders import Neighbours

KEY: dict[str, Any] = {"issuer_type": model.ISSUER_TYPE_ASSESSMENT_BODY, "number": "s0000320 00006253 000001"}


@pytest.fixture
async def running(database: Database) -> AsyncIterator[Running]:
    """Training, listening."""
    async with serve(build(database.settings), database=database) as one:
        yield one


def a_certificate(person_id: UUID, **changes: Any) -> pb.RecordCertificateRequest:
    values = {
        "request_id": "rec-1",
        "person_id": ids.to_text("per", person_id),
        "occupation": OCCUPATION,
        "level": 3,
        "issue_date": calendar_pb2.Date(year=2026, month=2, day=10),
        **KEY,
    }
    return pb.RecordCertificateRequest(**(values | changes))


def a_claim(person_id: UUID, **changes: Any) -> pb.SubmitClaimRequest:
    values = {
        "request_id": "sub-1",
        "person_id": ids.to_text("per", person_id),
        "payee": pb.SubsidyPayee(name="张三", account=ACCOUNT),
        **KEY,
    }
    return pb.SubmitClaimRequest(**(values | changes))


async def test_from_the_certificate_to_the_banks_answer(
    running: Running, database: Database, neighbours: Neighbours
) -> None:
    person_id = await neighbours.employee()
    per, citizen = ids.to_text("per", person_id), a_principal(person_id=person_id)

    async def call(rpc: str, request: Any, principal: Any) -> Any:
        return await running.call(rpc, request, principal, today=TODAY)

    recorded = await call("RecordCertificate", a_certificate(person_id), ISSUER)
    listed = await call("ListCertificates", pb.ListCertificatesRequest(person_id=per), citizen)
    checked = await call("CheckClaim", pb.CheckClaimRequest(person_id=per, **KEY), citizen)
    submitted = (await call("SubmitClaim", a_claim(person_id), citizen)).claim
    again = (await call("SubmitClaim", a_claim(person_id), citizen)).claim
    waiting = await call("ListClaims", pb.ListClaimsRequest(page_size=1), CLERK)
    prepare = pb.PrepareClaimRequest(request_id="pre-1", claim_id=submitted.claim_id)
    prepared = (await call("PrepareClaim", prepare, CLERK)).claim
    approve = pb.ApproveClaimRequest(
        request_id="app-1", claim_id=submitted.claim_id, statement_digest=prepared.statement_digest
    )
    approved = (await call("ApproveClaim", approve, SUPERVISOR)).claim
    orders = (await call("ListSubsidyOrders", pb.ListSubsidyOrdersRequest(), BANK)).orders
    result = pb.RecordSubsidyResultRequest(
        request_id="res-1",
        order_id=orders[0].order_id,
        outcome=pb.SUBSIDY_OUTCOME_CONFIRMED,
        bank_reference="BANK-1",
        simulated=True,
    )
    answered = (await call("RecordSubsidyResult", result, BANK)).order
    shown = (await call("GetClaim", pb.GetClaimRequest(claim_id=submitted.claim_id), citizen)).claim
    mine = (await call("ListPersonClaims", pb.ListPersonClaimsRequest(person_id=per), citizen)).claims

    assert recorded.certificate.number_masked == "**** 0001"
    assert list(listed.certificates) == [recorded.certificate]
    assert checked.assessment == model.Assessment(eligible=True, insured_months=26)
    assert (checked.statement.total.fen, prepared.statement) == (200_000, checked.statement)
    assert "不是核定" in checked.notice_zh
    assert submitted == again
    assert not submitted.HasField("statement")
    assert [one.claim_id for one in waiting.claims] == [submitted.claim_id]
    assert prepared.payee_account_masked == f"**** {ACCOUNT[-4:]}"
    assert (approved.state, approved.order.state) == (
        model.CLAIM_STATE_APPROVED,
        model.SUBSIDY_ORDER_STATE_RELEASED,
    )
    assert (orders[0].payee.name, orders[0].payee.account) == ("张三", ACCOUNT)
    assert (answered.state, answered.simulated) == (model.SUBSIDY_ORDER_STATE_CONFIRMED, True)
    assert shown.order == answered
    assert list(mine) == [shown]
    actions = [row["action"] for row in await owner_fetch(database, "SELECT action FROM audit ORDER BY seq")]
    assert {"certificate_recorded", "claim_submitted", "claim_prepared", "claim_approved", "payees_shown"} <= {*actions}


async def test_what_is_missing_is_listed_with_sources(running: Running, neighbours: Neighbours) -> None:
    person_id = await neighbours.person()
    await running.call("RecordCertificate", a_certificate(person_id), ISSUER, today=TODAY)
    request = pb.CheckClaimRequest(person_id=ids.to_text("per", person_id), **KEY)

    checked = await running.call("CheckClaim", request, CLERK, today=TODAY)
    claim = (await running.call("SubmitClaim", a_claim(person_id), CLERK, today=TODAY)).claim

    assert [one.code for one in checked.assessment.failures] == ["PERSON_STATUS", "NOT_ENOUGH_MONTHS"]
    assert all(one.sources and one.text_zh and one.text_en for one in checked.assessment.failures)
    assert not checked.HasField("statement")
    assert claim.assessment == checked.assessment


async def test_another_persons_claims_are_not_found(running: Running, neighbours: Neighbours) -> None:
    person_id = await neighbours.employee()
    await running.call("RecordCertificate", a_certificate(person_id), ISSUER, today=TODAY)
    claim = (await running.call("SubmitClaim", a_claim(person_id), CLERK, today=TODAY)).claim
    stranger = a_principal(person_id=await neighbours.person())

    with refused(NotFound, "CLAIM_NOT_FOUND"):
        await running.call("GetClaim", pb.GetClaimRequest(claim_id=claim.claim_id), stranger)
    with refused(NotFound, "CLAIM_NOT_FOUND"):
        await running.call("GetClaim", pb.GetClaimRequest(claim_id=ids.to_text("clm", ids.new_id())), stranger)
    with refused(NotFound, "PERSON_NOT_FOUND"):
        await running.call("SubmitClaim", a_claim(person_id, request_id="sub-2"), stranger)
    with refused(Forbidden, "ROLE_NOT_ALLOWED"):
        request = pb.ApproveClaimRequest(request_id="app-1", claim_id=claim.claim_id)
        await running.call("ApproveClaim", request, CLERK)
    with refused(Forbidden, "SCOPE_MISSING"):
        await running.call("RecordCertificate", a_certificate(person_id), BANK)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": "S 1"}, "CERTIFICATE_NUMBER_INVALID"),
        ({"number": "S" * 41}, "CERTIFICATE_NUMBER_INVALID"),
        ({"number": "张三的证书"}, "CERTIFICATE_NUMBER_INVALID"),
        ({"issuer_type": model.ISSUER_TYPE_UNSPECIFIED}, "VALUE_REQUIRED"),
        ({"occupation": "9-18-01-01"}, "OCCUPATION_INVALID"),
        ({"level": 0}, "LEVEL_INVALID"),
        ({"level": 6}, "LEVEL_INVALID"),
        ({"issue_date": calendar_pb2.Date(year=2026, month=2, day=30)}, "DATE_IMPOSSIBLE"),
        ({"person_id": "clm_1"}, "ID_MALFORMED"),
    ],
)
async def test_a_certificate_of_the_wrong_form_is_refused(
    running: Running, neighbours: Neighbours, changes: dict[str, Any], reason: str
) -> None:
    request = a_certificate(await neighbours.person())
    request.MergeFrom(pb.RecordCertificateRequest(**changes))
    for name in changes.keys() & {"level", "issuer_type"}:
        setattr(request, name, changes[name])

    with refused(InvalidInput, reason):
        await running.call("RecordCertificate", request, ISSUER, today=TODAY)


@pytest.mark.parametrize("payee", [("张三", "123"), ("", ACCOUNT), ("张三", "６２２２０２１００１１１２２２３３３４")])
async def test_a_payee_of_the_wrong_form_is_refused(
    running: Running, neighbours: Neighbours, payee: tuple[str, str]
) -> None:
    name, account = payee
    request = a_claim(await neighbours.employee(), payee=pb.SubsidyPayee(name=name, account=account))

    with refused(InvalidInput, "PAYEE_INVALID"):
        await running.call("SubmitClaim", request, CLERK, today=TODAY)


async def test_a_digest_of_another_form_approves_nothing(running: Running, neighbours: Neighbours) -> None:
    person_id = await neighbours.employee()
    await running.call("RecordCertificate", a_certificate(person_id), ISSUER, today=TODAY)
    claim = (await running.call("SubmitClaim", a_claim(person_id), CLERK, today=TODAY)).claim
    prepare = pb.PrepareClaimRequest(request_id="pre-1", claim_id=claim.claim_id)
    await running.call("PrepareClaim", prepare, CLERK, today=TODAY)

    with refused(Refused, "CLAIM_CHANGED"):
        request = pb.ApproveClaimRequest(request_id="a", claim_id=claim.claim_id, statement_digest="00")
        await running.call("ApproveClaim", request, SUPERVISOR, today=TODAY)
    with refused(InvalidInput, "OUTCOME_REQUIRED"):
        answer = pb.RecordSubsidyResultRequest(request_id="b", order_id=ids.to_text("ord", ids.new_id()))
        await running.call("RecordSubsidyResult", answer, BANK, today=TODAY)
