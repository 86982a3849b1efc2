"""BE01 企业职工正常退休, BE09 失业登记 and BE10 失业保险金申领: prepared by one person, approved by another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hrss.benefits.v1 import benefits_service_pb2 as benefits
from hrss.enrollment.v1 import enrollment_service_pb2 as enrollment
from hrss.type.v1 import calendar_pb2
from services.gateway.cases.effects.model import APPLICANTS, Item, Outcome, Phase, Step, Work, nothing, rpc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hrss.gateway.v1 import cases_service_pb2 as pb

SERVICE = benefits.DESCRIPTOR.services_by_name["BenefitsService"]
REGISTER = enrollment.DESCRIPTOR.services_by_name["EnrollmentService"]
PREPARED = "determination_id"
REGISTRATION = "registration_date"


def _payee(given: pb.CasePayee) -> benefits.Payee:
    return benefits.Payee(name=given.name, account=given.account)


def _settle(work: Work) -> enrollment.SettleAccountRequest:
    return enrollment.SettleAccountRequest(
        person_id=work.person_id, retirement_month=work.form.pension.retirement_month
    )


def _pension(work: Work) -> benefits.PreparePensionRequest:
    form = work.form.pension
    return benefits.PreparePensionRequest(
        person_id=work.person_id, retirement_month=form.retirement_month, payee=_payee(form.payee)
    )


def _unemployment(work: Work) -> benefits.PrepareUnemploymentRequest:
    form = work.form.unemployment
    return benefits.PrepareUnemploymentRequest(
        person_id=work.person_id, registration_date=form.registration_date, payee=_payee(form.payee)
    )


def _prepared(_work: Work, reply: Any) -> Outcome:
    made = reply.determination
    return Outcome(
        result_id=made.determination_id,
        keep={PREPARED: made.determination_id},
        statement=made.statement.SerializeToString(),
        digest=made.statement_digest,
    )


def _approve(work: Work) -> benefits.ApproveDeterminationRequest:
    return benefits.ApproveDeterminationRequest(
        determination_id=work.results["prepare"][PREPARED], statement_digest=work.digest
    )


def _approved(_work: Work, reply: benefits.ApproveDeterminationResponse) -> Outcome:
    return Outcome(result_id=reply.benefit.benefit_id)


def _reject(work: Work) -> benefits.RejectDeterminationRequest | None:
    prepared = work.results.get("prepare", {}).get(PREPARED)
    if prepared is None:  # the service refused to prepare it: there is nothing to take back
        return None
    return benefits.RejectDeterminationRequest(determination_id=prepared, reason=work.reason[:200])


def _registered(work: Work) -> Mapping[str, str]:
    """The registration is the case itself: no service keeps a register of the unemployed, so its day is kept here."""
    given = work.form.registration
    if not given.HasField("registration_date"):
        return {REGISTRATION: work.submit_date.isoformat()}
    day = given.registration_date
    return {REGISTRATION: f"{day.year:04}-{day.month:02}-{day.day:02}"}


def day_of(text: str) -> calendar_pb2.Date:
    """A kept day for the wire."""
    year, month, day = text.split("-")
    return calendar_pb2.Date(year=int(year), month=int(month), day=int(day))


_DECIDED = (
    Step("approve", Phase.APPROVE, rpc(SERVICE, "ApproveDetermination"), _approve, _approved),
    Step(
        "reject",
        Phase.REJECT,
        rpc(SERVICE, "RejectDetermination"),
        _reject,
        nothing,
        done_on=frozenset({"DETERMINATION_CLOSED"}),
    ),
)
BE01 = Item(
    code="BE01",
    form="pension",
    roles=APPLICANTS,
    required=("retirement_month", "payee.name", "payee.account"),
    is_instant=False,
    steps=(
        Step(
            "settle",
            Phase.ACCEPT,
            rpc(REGISTER, "SettleAccount"),
            _settle,
            nothing,
            # Settled by an earlier application; another month shows when the pension is prepared.
            done_on=frozenset({"ACCOUNT_ALREADY_SETTLED"}),
        ),
        Step("prepare", Phase.ACCEPT, rpc(SERVICE, "PreparePension"), _pension, _prepared),
        *_DECIDED,
    ),
)
BE09 = Item(
    code="BE09",
    form="registration",
    roles=APPLICANTS,
    required=(),
    is_instant=True,
    keep=_registered,
)
BE10 = Item(
    code="BE10",
    form="unemployment",
    roles=APPLICANTS,
    required=("registration_date", "payee.name", "payee.account"),
    is_instant=False,
    steps=(
        Step("prepare", Phase.ACCEPT, rpc(SERVICE, "PrepareUnemployment"), _unemployment, _prepared),
        *_DECIDED,
    ),
)
