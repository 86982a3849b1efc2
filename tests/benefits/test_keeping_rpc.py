"""KeepingService over real gRPC: every RPC once, in the order in which an office meets them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import benefits_service_pb2 as benefits_pb
from hrss.benefits.v1 import keeping_service_pb2 as pb
from hrss.benefits.v1 import office_service_pb2 as office
from hrss.type.v1 import calendar_pb2, job_pb2, money_pb2
from kernel import ids
from kernel.errors import Forbidden, InvalidInput, NotFound, Refused
from services.benefits.keeping import Way
from services.benefits.messages.keeping_codes import WAYS
from services.benefits.service import build
from tests.benefits.builders import ACCOUNT, CLERK, SUPERVISOR, Benefits, Enrollment, refused
from tests.benefits.keeping import a_file, a_pensioner, uploaded
from tests.benefits.test_persons import died
from tests.plugins.databases import owner_fetch
from tests.plugins.grpc_harness import a_principal, serve

if TYPE_CHECKING:
    from chassis.database import Database

FACES = a_principal(["PARTNER"], subject="faces", client="faces", scopes=["certifications.write"])
NEW_ACCOUNT = "6222021001119998887"


def a_date(year: int, month: int, day: int) -> calendar_pb2.Date:
    """A day on the wire."""
    return calendar_pb2.Date(year=year, month=month, day=day)


def a_month(year: int, month: int) -> calendar_pb2.Month:
    """A month on the wire."""
    return calendar_pb2.Month(year=year, month=month)


async def test_an_office_keeps_a_pension(  # noqa: PLR0915 - a story, told once
    database: Database, benefits: Benefits, enrollment: Enrollment
) -> None:
    kept = await a_pensioner(benefits, enrollment)
    per, ben = ids.to_text("per", kept.person_id), ids.to_text("ben", kept.benefit_id)
    citizen = a_principal(person_id=kept.person_id)
    service = build(database.settings)
    number = iter(range(1, 100))

    async with serve(service, database=database) as running:

        async def call(name: str, request: Any, who: Any = CLERK, today: date = date(2026, 9, 10)) -> Any:
            if "request_id" in request.DESCRIPTOR.fields_by_name:
                request.request_id = f"req-{next(number)}"
            return await running.call(name, request, who, today=today)

        async def decide(asked: Any, *, today: date = date(2026, 9, 10)) -> Any:
            request = pb.DecideKeepingRequestRequest(keeping_request_id=asked.request.keeping_request_id, approve=True)
            return (await call("DecideKeepingRequest", request, SUPERVISOR, today)).request

        # Certification: counter, face, file, lists, figures.
        certify = pb.CertifyPersonRequest(
            person_id=per,
            source=pb.CERTIFICATION_SOURCE_COUNTER,
            certified_date=a_date(2026, 9, 9),
            evidence_ref="RZ-2026-0001",
        )
        done = await call("CertifyPerson", certify)
        assert (done.benefits[0].due_date, done.repeated) == (a_date(2027, 9, 30), False)
        certify.source = pb.CERTIFICATION_SOURCE_FACE  # is not for the counter to say
        with refused(InvalidInput, "VALUE_REQUIRED"):
            await call("CertifyPerson", certify)
        for passed, day in ((False, 9), (True, 10)):
            face = pb.RecordFaceCheckRequest(
                person_id=per,
                passed=passed,
                certified_date=a_date(2026, 9, day),
                evidence_ref=f"FACE-{day}",
                simulated=True,
            )
            await call("RecordFaceCheck", face, FACES)
        with refused(Forbidden, "ROLE_NOT_ALLOWED"):
            await call("RecordFaceCheck", face, citizen)
        mine = await call("GetCertification", pb.GetCertificationRequest(person_id=per), citizen)
        assert [(one.source, one.simulated) for one in mine.certifications] == [
            (pb.CERTIFICATION_SOURCE_FACE, True),
            (pb.CERTIFICATION_SOURCE_COUNTER, False),
        ]
        with refused(NotFound, "PERSON_NOT_FOUND"):
            await call(
                "GetCertification", pb.GetCertificationRequest(person_id=per), a_principal(person_id=ids.new_id())
            )
        shown = await call("GetBenefit", benefits_pb.GetBenefitRequest(benefit_id=ben), CLERK)
        assert shown.benefit.certification_due_date == a_date(2027, 9, 30)
        autumn = date(2027, 9, 15)
        due = await call("ListCertificationsDue", pb.ListCertificationsDueRequest(), CLERK, autumn)
        assert [one.person_id for one in due.beneficiaries] == [per]
        csv = await call("ReadReminders", pb.ReadRemindersRequest(), FACES, autumn)
        assert csv.csv.splitlines() == [
            "benefit_id,person_id,scheme,last_date,due_date",
            f"{ben},{per},employee_pension,2026-09-10,2027-09-30",
        ]
        figures = await call("GetCertificationFigures", pb.GetCertificationFiguresRequest(), SUPERVISOR)
        assert [(one.beneficiary_count, one.certified_count) for one in figures.kinds] == [(1, 1)]
        assert sum(one.simulated_count for one in figures.sources) == 1
        late = date(2027, 10, 5)
        sweep = await call("StartCertificationSweep", pb.StartCertificationSweepRequest(), CLERK, late)
        _, upload_id, digest = await uploaded(
            database.settings.files_dir, database.settings.keys_dir, a_file((kept.person_id, "2027-10-01", "YY-1"))
        )
        matched = next(one for one in service.servicers if hasattr(one, "matched")).matched
        await kept.work(matched=matched)
        shown = await call("GetBenefit", benefits_pb.GetBenefitRequest(benefit_id=ben), citizen, late)
        assert (shown.benefit.state, shown.benefit.suspend_reason) == (
            model.BENEFIT_STATE_SUSPENDED,
            "CERTIFICATION_OVERDUE",
        )
        for reason, held in (
            (pb.SUSPENSION_REASON_CERTIFICATION_OVERDUE, [ben]),
            (pb.SUSPENSION_REASON_IMPRISONED, []),
        ):
            listed = await call(
                "ListSuspendedBenefits", office.ListSuspendedBenefitsRequest(reason=reason), CLERK, late
            )
            assert [one.benefit_id for one in listed.benefits] == held
        files = pb.ImportCertificationsRequest(upload_id=upload_id, digest=digest)
        imported = await call("ImportCertifications", files, FACES, late)
        await kept.work(matched=matched)
        for job_id in (sweep.job.job_id, imported.job.job_id):
            job = (await call("GetKeepingJob", pb.GetKeepingJobRequest(job_id=job_id))).job
            assert (job.state, job.done_count) == (job_pb2.JOB_STATE_DONE, 1)

        # By two persons: suspension, resumption, another account.
        suspend = pb.AskSuspensionRequest(
            benefit_id=ben,
            reason=pb.SUSPENSION_REASON_SUSPECTED,
            from_month=a_month(2026, 9),
            evidence_ref="ZT-1",
        )
        asked = await call("AskSuspension", suspend)
        assert "疑似冒领" in asked.request.summary_zh
        waiting = await call("ListKeepingRequests", pb.ListKeepingRequestsRequest(), SUPERVISOR)
        assert [one.keeping_request_id for one in waiting.requests] == [asked.request.keeping_request_id]
        assert (await decide(asked)).state == pb.KEEPING_REQUEST_STATE_DONE
        await decide(await call("AskResumption", pb.AskResumptionRequest(benefit_id=ben, evidence_ref="HF-1")))
        payee = pb.AskPayeeChangeRequest(
            benefit_id=ben, payee=benefits_pb.Payee(name="张三", account=NEW_ACCOUNT), evidence_ref="BG-1"
        )
        asked = await call("AskPayeeChange", payee)
        assert asked.new_account_masked == "**** 8887"
        await decide(asked)
        history = await call("GetBenefitKeeping", pb.GetBenefitKeepingRequest(benefit_id=ben))
        assert (len(history.suspensions), history.payee_changes[0].old_account_masked) == (2, "**** 3334")

        # Paid too much: found, agreed on, paid back, given up.
        await kept.paid("2026-10", date(2026, 10, 10))
        await died(enrollment, kept.person_id, date(2026, 9, 30))
        mine = await call("ListPersonRecoveries", pb.ListPersonRecoveriesRequest(person_id=per), citizen)
        (debt,) = mine.recoveries
        assert (debt.amount, debt.balance) == (mine.balance, mine.balance)
        assert "2026-10 多发待遇" in debt.statement_zh
        assert "is still owed" in debt.statement_en
        rcv = debt.recovery_id
        plan = pb.AskRecoveryPlanRequest(
            recovery_id=rcv,
            method=pb.RECOVERY_METHOD_INSTALMENT,
            monthly=money_pb2.Money(fen=50000),
            first_month=a_month(2026, 11),
            evidence_ref="XY-1",
        )
        winter = date(2026, 11, 3)
        await decide(await call("AskRecoveryPlan", plan, CLERK, winter), today=winter)
        repay = pb.RecordRepaymentRequest(
            recovery_id=rcv,
            way=WAYS[Way.COUNTER],
            amount=money_pb2.Money(fen=50000),
            receipt_no="SJ-1",
        )
        paid = (await call("RecordRepayment", repay, CLERK, winter)).recovery
        assert (paid.plan.monthly.fen, paid.plan.due_now.fen, paid.entries[0].amount.fen) == (50000, 50000, 50000)
        give_up = pb.AskWriteOffRequest(recovery_id=rcv, amount=paid.balance, evidence_ref="HX-1")
        await decide(await call("AskWriteOff", give_up, CLERK, winter), today=winter)
        shown = (await call("GetRecovery", pb.GetRecoveryRequest(recovery_id=rcv), SUPERVISOR)).recovery
        assert (shown.balance.fen, shown.statement_zh.endswith("已结清。")) == (0, True)
        assert not (await call("ListRecoveries", pb.ListRecoveriesRequest(), SUPERVISOR)).recoveries
        assert not (await call("ListDoubleBenefits", pb.ListDoubleBenefitsRequest(), SUPERVISOR)).persons
        with refused(Refused, "BENEFIT_ENDED"):
            await call("AskPayeeChange", payee)
    assert await kept.violations() == []
    for table in ("keeping_request", "audit", "outbox", "request", "recovery_entry"):
        rows = await owner_fetch(database, f"SELECT * FROM {table}")
        text = repr([tuple(row.values()) for row in rows])
        assert NEW_ACCOUNT not in text, table
        assert ACCOUNT not in text, table
