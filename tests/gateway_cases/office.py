"""A gateway's cases in this process: RPCs as the edge calls them, and a worker that a test runs step by step."""

from __future__ import annotations

import secrets
from datetime import date
from typing import TYPE_CHECKING, Any

from google.protobuf.message_factory import GetMessageClass

from chassis.client import Deadline
from chassis.local import Local
from chassis.policy import open_policy
from hrss.enrollment.v1 import enrollment_pb2
from hrss.gateway.v1 import cases_service_pb2 as pb
from hrss.training.v1 import training_pb2
from kernel import ids
from services.gateway.cases.desk import Desk
from services.gateway.cases.holidays import Holidays
from services.gateway.cases.policy import CasePolicy
from services.gateway.cases.rpc import CaseRpc
from services.gateway.cases.worker import Worker
from tests.gateway_cases.services import DIGEST, EMPLOYER, Services
from tests.plugins.databases import owner_execute, owner_fetch
from tests.plugins.grpc_harness import a_principal

if TYPE_CHECKING:
    from chassis.database import Database
    from chassis.principal import Principal

TODAY = date(2025, 11, 24)  # a Monday
CLERK = a_principal(["CLERK"], subject="idp|clerk", purpose="counter")
SECOND = a_principal(["SUPERVISOR"], subject="idp|second", purpose="counter")
PARTNER = a_principal(["PARTNER"], subject="front", client="front-office", scopes=["cases.write"], natural_person="")
CALL_SECONDS = 30.0  # a busy machine is no failure
SERVICE = pb.DESCRIPTOR.services_by_name["CaseService"]


class Office:
    """The cases of one gateway process."""

    def __init__(self, database: Database, services: Services | None = None) -> None:
        self.database = database
        self.services = services or Services()
        self.today = TODAY
        self.desk = Desk(CasePolicy(open_policy()), Holidays())
        backends: Any = dict.fromkeys(("enrollment", "benefits", "training", "card"), self.services)
        # Answers of instant items do not wait for a worker that does not run.
        self.rpc = CaseRpc(self.desk, backends["enrollment"], backends["card"], patience_seconds=0)
        self.local = Local(database, (self.rpc,))
        self.worker = Worker(database, backends, self.desk, lambda: self.today)

    async def call(self, rpc: str, request: Any, by: Principal = CLERK, *, key: str = "") -> Any:
        """Call an RPC; changes get a key of their own unless one is given."""
        if "request_id" in request.DESCRIPTOR.fields_by_name:
            request.request_id = key or secrets.token_hex(8)
        method = SERVICE.methods_by_name[rpc]
        reply = await self.local.call(
            f"/{SERVICE.full_name}/{rpc}",
            request.SerializeToString(),
            principal=by,
            today=self.today,
            deadline=Deadline.after(CALL_SECONDS),
        )
        return GetMessageClass(method.output_type).FromString(reply.body)

    async def create(self, code: str, by: Principal, form: pb.CaseForm, *, person_id: str = "", **given: Any) -> Any:
        """Hand a case in."""
        key = given.pop("key", "")
        request = pb.CreateCaseRequest(code=code, person_id=person_id, form=form, **{"submit": True, **given})
        return (await self.call("CreateCase", request, by, key=key)).case

    async def case(self, case_no: str, by: Principal = CLERK) -> Any:
        """A case as staff sees it."""
        return (await self.call("GetCase", pb.GetCaseRequest(case_no=case_no), by)).case

    async def accept(self, case_no: str, by: Principal = CLERK) -> Any:
        """Accept a case and let the worker prepare it."""
        await self.call("AcceptCase", pb.AcceptCaseRequest(case_no=case_no), by)
        await self.work()
        return await self.case(case_no)

    async def approve(self, case_no: str, by: Principal = SECOND, digest: str = DIGEST) -> Any:
        """Approve a case and let the worker carry it out."""
        request = pb.DecideCaseRequest(case_no=case_no, outcome=pb.CASE_OUTCOME_APPROVED, statement_digest=digest)
        await self.call("DecideCase", request, by)
        await self.work()
        return await self.case(case_no)

    async def reject(self, case_no: str, by: Principal = SECOND, reason: str = "条件不符") -> Any:
        """Reject a case and let the worker carry it out."""
        request = pb.DecideCaseRequest(case_no=case_no, outcome=pb.CASE_OUTCOME_REJECTED, reason=reason)
        await self.call("DecideCase", request, by)
        await self.work()
        return await self.case(case_no)

    async def work(self) -> int:
        """Work on every step that is due; how many there were."""
        count = 0
        while await self.worker.run_one():
            count += 1
        return count

    async def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Look at the tables."""
        return await owner_fetch(self.database, statement, *parameters)

    async def hurry(self) -> None:
        """Let every pause and lease be over."""
        await owner_execute(
            self.database, "UPDATE case_step SET due = clock_timestamp(), lease_until = NULL WHERE state = 'WORKING'"
        )

    def citizen(self, person_id: str = "", *, acr: int = 3) -> Principal:
        """A citizen; a new one unless it is said."""
        known = person_id or self.services.person()
        return a_principal(["CITIZEN"], person_id=ids.parse("per", known), subject=f"idp|{known}", acr=acr)

    async def close(self) -> None:
        """Nothing of its own is held."""


def mine(by: Principal) -> str:
    """The person behind a principal."""
    assert by.person_id is not None
    return ids.to_text("per", by.person_id)


def enrollment_form(**given: Any) -> pb.CaseForm:
    """A form of EN05."""
    form = pb.CaseForm()
    values = {"employer_id": EMPLOYER, "name": "王小明", "id_no": "320602199003071234", **given}
    for name, value in values.items():
        setattr(form.enrollment, name, value)
    form.enrollment.start_month.year, form.enrollment.start_month.month = 2025, 11
    form.enrollment.wage.fen = 600_000
    return form


def end_form(enrollment_id: str) -> pb.CaseForm:
    """A form of EN06."""
    form = pb.CaseForm()
    form.end_enrollment.enrollment_id = enrollment_id
    form.end_enrollment.end_month.year, form.end_enrollment.end_month.month = 2025, 11
    form.end_enrollment.reason = enrollment_pb2.END_REASON_DISMISSED
    return form


def pension_form() -> pb.CaseForm:
    """A form of BE01."""
    form = pb.CaseForm()
    form.pension.retirement_month.year, form.pension.retirement_month.month = 2025, 11
    form.pension.payee.name, form.pension.payee.account = "王小明", "6222021234567890123"
    return form


def unemployment_form(*, day: int = 20) -> pb.CaseForm:
    """A form of BE10; without a day that of a bundle."""
    form = pb.CaseForm()
    if day:
        date_ = form.unemployment.registration_date
        date_.year, date_.month, date_.day = 2025, 11, day
    form.unemployment.payee.name, form.unemployment.payee.account = "王小明", "6222021234567890123"
    return form


def subsidy_form() -> pb.CaseForm:
    """A form of TR01."""
    form = pb.CaseForm()
    form.subsidy.issuer_type = training_pb2.ISSUER_TYPE_EMPLOYER
    form.subsidy.certificate_number = "2025000123456789"
    form.subsidy.payee.name, form.subsidy.payee.account = "王小明", "6222021234567890123"
    return form


def card_form(*, pin: str = "274913", card_id: str = "") -> pb.CaseForm:
    """A form of CA06."""
    form = pb.CaseForm()
    form.card.consent, form.card.pin, form.card.card_id = True, pin, card_id
    return form


def bundle_form(enrollment_id: str) -> pb.CaseForm:
    """A form of PK05."""
    form = end_form(enrollment_id)
    form.MergeFrom(unemployment_form(day=0))
    return form
