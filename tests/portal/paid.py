"""What the benefits answer about an invented pensioner and the office that pays, as messages of the contract."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from chassis.values import to_date, to_statement
from hrss.benefits.v1 import (
    adjusting_service_pb2 as adjusting,
)
from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import benefits_service_pb2 as benefits
from hrss.benefits.v1 import determinations_service_pb2 as determining
from hrss.benefits.v1 import keeping_service_pb2 as keeping
from hrss.benefits.v1 import office_service_pb2 as office
from hrss.benefits.v1 import paying_service_pb2 as paying
from hrss.enrollment.v1 import enrollment_service_pb2
from hrss.type.v1 import calendar_pb2, money_pb2
from kernel import ids
from kernel.money import Money
from kernel.statement import Line, Statement
from tests.portal.answers import BENEFIT, PENSION, PERSON, retirement
from tests.portal.register_ids import JOB, month, yuan
from tests.portal.register_office import job, person

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tests.gateway.echo import Echo

PAYROLL, RETURN, FILE, RELEASE, PAYMENT = (
    ids.to_text(kind, ids.new_id()) for kind in ("prl", "rfl", "pfl", "rls", "pmt")
)
DETERMINATION, RECOVERY, ADJUSTMENT, KEEPING = (
    ids.to_text(kind, ids.new_id()) for kind in ("det", "rcv", "adj", "kpr")
)
OTHER = ids.to_text("ben", ids.new_id())
DIGEST = "ab12cd34" * 8
KIND = model.BENEFIT_KIND_EMPLOYEE_PENSION
OLD = to_statement(PENSION, "0123456789abcdef")
NEW = to_statement(
    Statement((*PENSION.lines, Line("flat", Money.yuan("20.00"), "定额调整", "Flat increase", "20.00"))),
    "0123456789abcdef",
)


def day(year: int, number: int, of: int) -> calendar_pb2.Date:
    """A day."""
    return to_date(date(year, number, of))


def payroll(state: str = "PREPARED", **changes: Any) -> model.Payroll:
    """The payroll of November."""
    values: dict[str, Any] = {
        "payroll_id": PAYROLL,
        "month": month(2026, 11),
        "state": model.PayrollState.Value(f"PAYROLL_STATE_{state}"),
        "payment_count": 1_680_000,
        "total": yuan("6043212345.60"),
        "digest": DIGEST,
        "sequence": 1,
    }
    return model.Payroll(**values | changes)


def progress(*, preparing: bool = False, ready: bool = True) -> office.GetPayrollProgressResponse:
    """A payroll with what it pays, its file and an answer."""
    done = job("payroll", "RUNNING" if preparing else "DONE")
    file = paying.PaymentFile(file_id=FILE, payroll_id=PAYROLL, job=job("payment_file"), adapter="plain")
    if ready:
        file.payment_count, file.digest, file.size = 1_680_000, DIGEST, "104857600"
        file.total.CopyFrom(yuan("6043212345.60"))
    return office.GetPayrollProgressResponse(
        job=done,
        kinds=[]
        if preparing
        else [
            office.PayrollKind(
                kind=kind, item=model.PAYMENT_ITEM_MONTH, payment_count=840_000, total=yuan("3021606172.80")
            )
            for kind in (KIND, model.BENEFIT_KIND_RESIDENT_PENSION)
        ],
        file=file,
        returns=[
            office.PayrollReturn(
                return_id=RETURN, job=job("import_returns"), simulated=True, receive_date=day(2026, 11, 20)
            )
        ],
    )


def findings() -> paying.ListPayrollFindingsResponse:
    """One finding of each gate."""
    details = {
        "DEATH": "died 2026-09",
        "SUSPENDED": "IMPRISONED",
        "DOUBLE": f"RESIDENT_PENSION {OTHER}",
        "JUMP": "366470 733050",
        "ACCOUNT_SHARED": "persons 12",
        "PARAMETER": "unemployment.yaml: cap 2026-11-01",
    }
    return paying.ListPayrollFindingsResponse(
        findings=[
            paying.PayrollFinding(
                benefit_id=BENEFIT,
                kind=KIND,
                gate=paying.PayrollGate.Value(f"PAYROLL_GATE_{gate}"),
                effect=paying.FINDING_EFFECT_BLOCK,
                detail=detail,
            )
            for gate, detail in details.items()
        ]
    )


def evidence() -> paying.GetPayrollEvidenceResponse:
    """What three gates looked at."""
    terms = {"JUMP": "jump_percent=30", "DOUBLE": "UNEMPLOYMENT<EMPLOYEE_PENSION " * 4, "FIRST": ""}
    return paying.GetPayrollEvidenceResponse(
        gates=[
            paying.GateEvidence(
                gate=paying.PayrollGate.Value(f"PAYROLL_GATE_{gate}"),
                checked_count=1_680_000,
                blocked_count=1 if gate == "JUMP" else 0,
                warned_count=7,
                terms=text,
            )
            for gate, text in terms.items()
        ]
    )


def determination(state: str = "PREPARED") -> model.Determination:
    """A pension that waits for a second person."""
    return model.Determination(
        determination_id=DETERMINATION,
        person_id=PERSON,
        kind=KIND,
        state=model.DeterminationState.Value(f"DETERMINATION_STATE_{state}"),
        first_month=month(2026, 12),
        statement=OLD,
        statement_digest=DIGEST,
        payee_account_masked="**** 0001",
        notes=["pension months up to 2026-11: 355, of them deemed 12"],
    )


def benefit(state: str = "ACTIVE", **changes: Any) -> model.Benefit:
    """The pension of the person."""
    values: dict[str, Any] = {
        "benefit_id": BENEFIT,
        "person_id": PERSON,
        "kind": KIND,
        "state": model.BenefitState.Value(f"BENEFIT_STATE_{state}"),
        "monthly": OLD.total,
        "first_month": month(2026, 8),
        "provisional": True,
        "certification_due_date": day(2027, 8, 31),
    }
    if state == "SUSPENDED":
        values |= {"suspended_from": month(2026, 10), "suspend_reason": "CERTIFICATION_OVERDUE"}
    return model.Benefit(**values | changes)


def amounts() -> adjusting.ListBenefitAmountsResponse:
    """As determined, and as adjusted."""
    return adjusting.ListBenefitAmountsResponse(
        amounts=[
            adjusting.BenefitAmount(
                number=number,
                from_month=month(2026 + number, 1),
                amount=statement.total,
                cause=cause,
                adjustment_id=ADJUSTMENT if number == 2 else "",
                business_date=day(2026, 11, 2),
                in_force=True,
                statement=statement,
                statement_digest=DIGEST,
            )
            for number, (statement, cause) in enumerate(
                ((OLD, model.AMOUNT_CAUSE_DETERMINED), (NEW, model.AMOUNT_CAUSE_ADJUSTED)), start=1
            )
        ]
    )


def payments() -> benefits.ListPersonPaymentsResponse:
    """A month that was paid and one that came back."""
    return benefits.ListPersonPaymentsResponse(
        payments=[
            model.Payment(
                payment_id=PAYMENT,
                benefit_id=BENEFIT,
                person_id=PERSON,
                kind=KIND,
                month=month(2026, number),
                amount=OLD.total,
                state=state,
                item=model.PAYMENT_ITEM_MONTH,
                statement=OLD,
                simulated=True,
                return_code="CLOSED" if state == model.PAYMENT_STATE_RETURNED else "",
            )
            for number, state in ((10, model.PAYMENT_STATE_RETURNED), (9, model.PAYMENT_STATE_CONFIRMED))
        ]
    )


def standing(*, due: bool = True) -> keeping.GetCertificationResponse:
    """A certification that is due, and the last one by a simulator."""
    return keeping.GetCertificationResponse(
        benefits=[
            keeping.BenefitCertification(
                benefit_id=BENEFIT,
                kind=KIND,
                last_date=day(2025, 11, 3),
                certified=True,
                due_date=day(2026, 11, 30),
                remind_date=day(2026, 11, 1),
                suspended_from=month(2026, 12),
                due=due,
                state=model.BENEFIT_STATE_ACTIVE,
            )
        ],
        certifications=[
            keeping.Certification(
                source=keeping.CERTIFICATION_SOURCE_FACE,
                certified_date=day(2025, 11, 3),
                evidence_ref="SIM-1",
                simulated=True,
            )
        ],
    )


def recovery(**changes: Any) -> keeping.Recovery:
    """Two months too much, a part of it back."""
    values: dict[str, Any] = {
        "recovery_id": RECOVERY,
        "benefit_id": BENEFIT,
        "person_id": PERSON,
        "kind": KIND,
        "reason": "DIED",
        "first_month": month(2026, 9),
        "last_month": month(2026, 10),
        "amount": yuan("7329.40"),
        "recovered": yuan("1000.00"),
        "written_off": yuan("0.00"),
        "cancelled": yuan("0.00"),
        "balance": yuan("6329.40"),
        "held": yuan("0.00"),
        "found_date": day(2026, 11, 2),
        "plan": keeping.RecoveryPlan(
            method=keeping.RECOVERY_METHOD_INSTALMENT,
            monthly=yuan("500.00"),
            first_month=month(2026, 12),
            last_month=month(2027, 12),
            evidence_ref="协议-7",
            due_now=yuan("0.00"),
        ),
        "entries": [
            keeping.RecoveryEntry(
                way=keeping.RECOVERY_WAY_COUNTER,
                amount=yuan("1000.00"),
                reference="SJ-2026-1",
                entry_date=day(2026, 11, 20),
            )
        ],
        "statement_zh": "多发2个月，共7329.40元，已退1000.00元，尚欠6329.40元。",
        "statement_en": "Two months, 7329.40 in all; 1000.00 came back, 6329.40 is owed.",
    }
    return keeping.Recovery(**values | changes)


def adjustment(state: str = "DRY_RUN", purpose: str = "ANNUAL", **changes: Any) -> adjusting.Adjustment:
    """The adjustment of 2027 by the demonstration's terms, tried."""
    zero = yuan("0.00")
    values: dict[str, Any] = {
        "adjustment_id": ADJUSTMENT,
        "purpose": adjusting.AdjustmentPurpose.Value(f"ADJUSTMENT_PURPOSE_{purpose}"),
        "state": adjusting.AdjustmentState.Value(f"ADJUSTMENT_STATE_{state}"),
        "year": 2027,
        "kinds": [KIND],
        "source": adjusting.ADJUSTMENT_SOURCE_DEMO,
        "is_demonstration": True,
        "amounts": adjusting.AdjustmentAmounts(
            flat=yuan("20.00"),
            per_year=[
                adjusting.AdjustmentYearBand(upto_years=15, amount=money_pb2.Rate(decimal="1.0")),
                adjusting.AdjustmentYearBand(amount=money_pb2.Rate(decimal="1.5")),
            ],
            percent=money_pb2.Rate(decimal="0.009"),
            tilt=[adjusting.AdjustmentAgeBand(age_from=80, amount=yuan("40.00"))],
            increase_minimum=yuan("30.00"),
        ),
        "sources": ["ASSUMED-PROJECT"],
        "job": job("adjustment_dry_run"),
        "impact": adjusting.AdjustmentImpact(
            person_count=900_000,
            gaining_count=900_000,
            monthly=yuan("80100000.00"),
            back_pay=zero,
            overpaid=zero,
            least=yuan("30.00"),
            most=yuan("310.00"),
            bands=[
                adjusting.AdjustmentBand(
                    dimension=dimension,
                    band=band,
                    person_count=900_000,
                    monthly=yuan("80100000.00"),
                    back_pay=zero,
                    overpaid=zero,
                )
                for dimension, band in (("kind", "EMPLOYEE_PENSION"), ("age", "60-64"), ("amount", "3000-3999"))
            ],
            left_out=[adjusting.AdjustmentLeftOut(reason="DIED", person_count=3)],
            samples=[
                adjusting.AdjustmentSample(
                    kind=KIND, before=OLD.total, after=NEW.total, statement_before=OLD, statement_after=NEW
                ),
                adjusting.AdjustmentSample(kind=KIND, before=OLD.total, after=NEW.total, statement_after=NEW),
            ],
        ),
        "digest": DIGEST,
        "policy_version": "0123456789abcdef",
        "create_date": day(2026, 11, 20),
    }
    return adjusting.Adjustment(**values | changes)


def compared() -> determining.ComparePensionsResponse:
    """Two plans of which the second brings more."""
    return determining.ComparePensionsResponse(
        results=[
            determining.ScenarioResult(statement=OLD, first_month=month(2026, 8), difference=yuan("0.00")),
            determining.ScenarioResult(
                statement=NEW, first_month=month(2027, 8), assumed_months=9, difference=yuan("20.00")
            ),
        ],
        notice_zh="不是核定结果。",
        notice_en="Not a decision.",
    )


def matter() -> keeping.KeepingMatter:
    """A suspension that waits."""
    return keeping.KeepingMatter(
        keeping_request_id=KEEPING,
        kind=keeping.KEEPING_REQUEST_KIND_SUSPEND,
        benefit_id=BENEFIT,
        person_id=PERSON,
        evidence_ref="判决-2026-7",
        state=keeping.KEEPING_REQUEST_STATE_WAITING,
        ask_date=day(2026, 11, 20),
        summary_zh="自2026年11月起暂停发放：服刑",
        summary_en="hold back from 2026-11: serves a sentence",
    )


def program(echo: Echo) -> None:
    """Let the benefits know everything above."""
    release = paying.PayrollRelease(
        release_id=RELEASE,
        benefit_id=BENEFIT,
        gate=paying.PAYROLL_GATE_JUMP,
        through_month=month(2026, 11),
        reason="补发三个月，金额核实无误",
        state=paying.RELEASE_STATE_PREPARED,
    )
    row = office.DeterminationRow(
        determination_id=DETERMINATION,
        person_id=PERSON,
        kind=KIND,
        state=model.DETERMINATION_STATE_PREPARED,
        first_month=month(2026, 12),
        amount=OLD.total,
        provisional=True,
        prepare_date=day(2026, 11, 20),
    )
    back = paying.ReturnedPayment(
        payment_id=PAYMENT,
        benefit_id=BENEFIT,
        kind=KIND,
        month=month(2026, 10),
        amount=OLD.total,
        state=paying.RETURNED_STATE_OWED,
        tries=1,
        return_code="CLOSED",
        return_date=day(2026, 11, 20),
    )
    due = keeping.DueBeneficiary(
        benefit_id=BENEFIT, person_id=PERSON, kind=KIND, last_date=day(2025, 9, 1), due_date=day(2026, 9, 30)
    )
    verdict = paying.ListReturnRowsResponse.ReturnRow(
        line=3,
        payment_id=PAYMENT,
        verdict=paying.RETURN_VERDICT_REFUSED,
        code="AMOUNT_DIFFERS",
        text_zh="金额与发放不一致",
        text_en="another amount than was sent",
    )
    answers: dict[str, Message | Any] = {
        "ListPayrolls": benefits.ListPayrollsResponse(payrolls=[payroll(), payroll("APPROVED", sequence=2)]),
        "GetPayroll": benefits.GetPayrollResponse(payroll=payroll()),
        "GetPayrollProgress": progress(),
        "GetPayrollEvidence": evidence(),
        "ListPayrollFindings": findings(),
        "ListReleases": office.ListReleasesResponse(releases=[release]),
        "ListReturnRows": paying.ListReturnRowsResponse(rows=[verdict]),
        "ListReturnedPayments": paying.ListReturnedPaymentsResponse(payments=[back]),
        "ListDeterminations": office.ListDeterminationsResponse(determinations=[row]),
        "GetDetermination": benefits.GetDeterminationResponse(determination=determination()),
        "GetPerson": enrollment_service_pb2.GetPersonResponse(person=person()),
        "GetRetirement": benefits.GetRetirementResponse(retirement=retirement()),
        "ListBenefits": benefits.ListBenefitsResponse(benefits=[benefit()]),
        "GetBenefit": benefits.GetBenefitResponse(benefit=benefit()),
        "GetCalculation": benefits.GetCalculationResponse(statement=OLD, statement_digest=DIGEST),
        "ListBenefitAmounts": amounts(),
        "GetBenefitKeeping": keeping.GetBenefitKeepingResponse(
            suspensions=[
                keeping.Suspension(
                    reason=keeping.SUSPENSION_REASON_IMPRISONED,
                    evidence_ref="判决-1",
                    from_month=month(2026, 3),
                    paid_from=month(2026, 6),
                )
            ],
            payee_changes=[
                keeping.PayeeChange(
                    number=1,
                    change_date=day(2026, 9, 1),
                    old_account_masked="**** 0001",
                    new_account_masked="**** 0002",
                )
            ],
        ),
        "RecomputeBenefit": determining.RecomputeBenefitResponse(
            equal=False,
            first_difference=determining.RecomputationDifference(
                from_month=month(2026, 8), path="lines[0].amount_fen", stored="236268", computed="236269"
            ),
            checked_count=1,
            stored_policy_version="0123456789abcdef",
            policy_version="fedcba9876543210",
            as_decided=determining.RecomputationAsDecided(
                verdict=determining.RECOMPUTATION_VERDICT_EQUAL,
                checked_count=1,
                policy_version="0123456789abcdef",
                release="0.1.0",
                release_now="0.1.0",
            ),
            today=determining.RecomputationToday(
                verdict=determining.RECOMPUTATION_VERDICT_DIFFERS,
                monthly_change=yuan("0.01"),
                owed=yuan("0.02"),
                cause=determining.RECOMPUTATION_CAUSE_PUBLISHED,
                changes=[
                    determining.RecomputationParameter(
                        file="pension-employee.yaml",
                        key="calculation_base",
                        old_value="8917.00",
                        new_value="9300.00",
                        was_provisional=True,
                    )
                ],
            ),
        ),
        "ListPersonPayments": payments(),
        "GetCertification": standing(),
        "ListPersonRecoveries": keeping.ListPersonRecoveriesResponse(recoveries=[recovery()], balance=yuan("6329.40")),
        "ComparePensions": compared(),
        "GetCertificationFigures": keeping.GetCertificationFiguresResponse(
            kinds=[keeping.CertificationFigure(kind=KIND, beneficiary_count=900_000, overdue_count=12)],
            sources=[keeping.SourceFigure(source=keeping.CERTIFICATION_SOURCE_FACE, count=5000, simulated_count=5000)],
        ),
        "ListCertificationsDue": keeping.ListCertificationsDueResponse(beneficiaries=[due]),
        "ListSuspendedBenefits": office.ListSuspendedBenefitsResponse(
            benefits=[
                office.SuspendedBenefit(
                    benefit_id=BENEFIT,
                    person_id=PERSON,
                    kind=KIND,
                    monthly=OLD.total,
                    reason=keeping.SUSPENSION_REASON_IMPRISONED,
                    from_month=month(2026, 10),
                )
            ]
        ),
        "ListKeepingRequests": keeping.ListKeepingRequestsResponse(requests=[matter()]),
        "ListRecoveries": keeping.ListRecoveriesResponse(recoveries=[recovery()]),
        "GetRecovery": keeping.GetRecoveryResponse(recovery=recovery()),
        "ListAdjustments": adjusting.ListAdjustmentsResponse(adjustments=[adjustment()]),
        "GetAdjustment": adjusting.GetAdjustmentResponse(adjustment=adjustment()),
        "ListBenefitJobs": office.ListBenefitJobsResponse(jobs=[job("check_benefit_books"), job("what_if", "RUNNING")]),
        "GetBenefitJob": office.GetBenefitJobResponse(job=job("check_benefit_books")),
    }
    for rpc, message in answers.items():
        echo.answer(rpc, message)


CITIZEN_PAGES = ("/benefits", f"/benefits/{BENEFIT}", "/estimate/compare")
CLERK_PAGES = (
    "/desk/office",
    "/desk/payrolls",
    f"/desk/payrolls/{PAYROLL}",
    f"/desk/payrolls/{PAYROLL}/findings?effect=",
    "/desk/releases",
    f"/desk/returns/{RETURN}?payroll={PAYROLL}",
    "/desk/returned-payments",
    "/desk/determinations",
    f"/desk/determinations/{DETERMINATION}",
    f"/desk/benefits/{BENEFIT}?recompute=1",
    f"/desk/people/{PERSON}/benefits",
    f"/desk/people/{PERSON}/plans",
    f"/desk/people/{PERSON}/prepare/injury",
    "/desk/certification",
    "/desk/suspended",
    "/desk/keeping-requests",
    "/desk/recoveries",
    f"/desk/recoveries/{RECOVERY}",
    "/desk/adjustments",
    "/desk/adjustments/what-if",
    f"/desk/adjustments/{ADJUSTMENT}",
    "/desk/benefit-books",
    f"/desk/benefit-books?job={JOB}",
    f"/desk/benefit-jobs/{JOB}",
)
SUPERVISOR_PAGES = (
    f"/desk/payrolls/{PAYROLL}",
    f"/desk/benefits/{BENEFIT}",
    f"/desk/adjustments/{ADJUSTMENT}",
    "/desk/releases",
)
