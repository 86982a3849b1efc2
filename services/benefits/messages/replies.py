"""Answers to callers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.values import to_money, to_month, to_rate, to_statement
from hrss.benefits.v1 import benefits_pb2 as model
from hrss.benefits.v1 import benefits_service_pb2 as pb
from kernel import ids
from services.benefits.domain.retirement import Track
from services.benefits.lifecycle import PaymentState, PayrollState
from services.benefits.messages.states import (
    BENEFIT_KINDS,
    BENEFIT_STATES,
    DETERMINATION_STATES,
    END_REASONS,
    PAYMENT_ITEMS,
    PAYROLL_STATES,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.benefits.calculation import Calculation
    from services.benefits.operations.determinations import Shown
    from services.benefits.operations.payments import Orders, PaymentShown
    from services.benefits.operations.queries import Estimate, Payments, Payrolls, RetirementShown
    from services.benefits.store.rows import BenefitRow, PayrollRow

NOTICE_ZH = "本测算按目前已知的缴费和政策推算，不是核定结果；以退休时核定为准。"
NOTICE_EN = (
    "An estimate from the contributions and rules known today; not a decision. The determination at retirement counts."
)
TRACKS = {
    Track.MALE_60: model.RETIREMENT_TRACK_MALE_60,
    Track.FEMALE_55: model.RETIREMENT_TRACK_FEMALE_55,
    Track.FEMALE_50: model.RETIREMENT_TRACK_FEMALE_50,
}


def retirement(shown: RetirementShown) -> pb.GetRetirementResponse:
    """When a person retires."""
    reply = pb.GetRetirementResponse(retirement=_retirement(shown))
    if shown.as_of is not None:
        reply.as_of.CopyFrom(to_month(shown.as_of))
    return reply


def estimate(made: Estimate) -> pb.EstimatePensionResponse:
    """An estimate, which says that it is one."""
    assert made.retirement.as_of is not None
    return pb.EstimatePensionResponse(
        retirement=_retirement(made.retirement),
        statement=to_statement(made.calculation.statement, made.calculation.policy_version),
        as_of=to_month(made.retirement.as_of),
        assumed_months=made.assumed_months,
        notice_zh=NOTICE_ZH,
        notice_en=NOTICE_EN,
    )


def pension_prepared(shown: Shown) -> pb.PreparePensionResponse:
    """A prepared pension."""
    return pb.PreparePensionResponse(determination=_determination(shown))


def unemployment_prepared(shown: Shown) -> pb.PrepareUnemploymentResponse:
    """A prepared unemployment benefit."""
    return pb.PrepareUnemploymentResponse(determination=_determination(shown))


def determination(shown: Shown) -> pb.GetDeterminationResponse:
    """A determination."""
    return pb.GetDeterminationResponse(determination=_determination(shown))


def determination_approved(shown: Shown) -> pb.ApproveDeterminationResponse:
    """An approved determination with its benefit."""
    assert shown.benefit is not None
    return pb.ApproveDeterminationResponse(determination=_determination(shown), benefit=_benefit(shown.benefit))


def determination_rejected(shown: Shown) -> pb.RejectDeterminationResponse:
    """A rejected determination."""
    return pb.RejectDeterminationResponse(determination=_determination(shown))


def benefit(row: BenefitRow) -> pb.GetBenefitResponse:
    """A benefit."""
    return pb.GetBenefitResponse(benefit=_benefit(row))


def benefits(rows: Sequence[BenefitRow]) -> pb.ListBenefitsResponse:
    """The benefits of a person."""
    return pb.ListBenefitsResponse(benefits=[_benefit(row) for row in rows])


def calculation(made: Calculation) -> pb.GetCalculationResponse:
    """How an amount came about."""
    return pb.GetCalculationResponse(
        statement=to_statement(made.statement, made.policy_version), statement_digest=made.digest.hex()
    )


def payments(page: Payments) -> pb.ListPersonPaymentsResponse:
    """A page of payments."""
    return pb.ListPersonPaymentsResponse(
        payments=[_payment(one) for one in page.payments], next_page_token=page.next_page_token
    )


def payroll_started(row: PayrollRow) -> pb.PreparePayrollResponse:
    """A payroll that is being prepared."""
    return pb.PreparePayrollResponse(payroll=_payroll(row))


def payroll(row: PayrollRow) -> pb.GetPayrollResponse:
    """A payroll."""
    return pb.GetPayrollResponse(payroll=_payroll(row))


def payrolls(page: Payrolls) -> pb.ListPayrollsResponse:
    """A page of payrolls."""
    return pb.ListPayrollsResponse(
        payrolls=[_payroll(row) for row in page.payrolls], next_page_token=page.next_page_token
    )


def payroll_approved(row: PayrollRow) -> pb.ApprovePayrollResponse:
    """An approved payroll."""
    return pb.ApprovePayrollResponse(payroll=_payroll(row))


def orders(page: Orders) -> pb.ListPayrollPaymentsResponse:
    """A page of payment orders for the bank, names and accounts in clear."""
    return pb.ListPayrollPaymentsResponse(
        orders=[
            pb.PaymentOrder(
                payment_id=ids.to_text("pmt", one.payment.payment_id),
                amount=to_money(one.payment.amount),
                payee=pb.Payee(name=one.payee.name, account=one.payee.account),
                state=_payment_state(one.payment.state, PayrollState.APPROVED),
            )
            for one in page.orders
        ],
        next_page_token=page.next_page_token,
    )


def result_recorded(shown: PaymentShown) -> pb.RecordPaymentResultResponse:
    """A payment after the bank's answer."""
    return pb.RecordPaymentResultResponse(payment=_payment(shown))


def _retirement(shown: RetirementShown) -> model.Retirement:
    one = shown.retirement
    sources = dict.fromkeys(source for use in one.parameters for source in use.sources)
    return model.Retirement(
        track=TRACKS[one.track],
        original_month=to_month(one.original),
        delay_months=one.delay_months,
        statutory_month=to_month(one.statutory),
        age=one.age,
        earliest_month=to_month(one.earliest),
        latest_month=to_month(one.latest),
        min_contribution_months=one.minimum_months,
        contribution_months=shown.contribution_months,
        payout_months=to_rate(one.payout_months.value),
        sources=list(sources),
    )


def _determination(shown: Shown) -> model.Determination:
    row = shown.determination
    message = model.Determination(
        determination_id=ids.to_text("det", row.determination_id),
        person_id=ids.to_text("per", row.person_id),
        kind=BENEFIT_KINDS[row.kind],
        state=DETERMINATION_STATES[row.state],
        first_month=to_month(row.first_month),
        statement=to_statement(shown.calculation.statement, shown.calculation.policy_version),
        statement_digest=row.digest.hex(),
        payee_account_masked=f"**** {shown.account_tail}",
        benefit_id=ids.to_text("ben", shown.benefit.benefit_id) if shown.benefit else "",
        notes=row.notes,
    )
    if row.last_month is not None:
        message.last_month.CopyFrom(to_month(row.last_month))
    return message


def _benefit(row: BenefitRow) -> model.Benefit:
    message = model.Benefit(
        benefit_id=ids.to_text("ben", row.benefit_id),
        person_id=ids.to_text("per", row.person_id),
        kind=BENEFIT_KINDS[row.kind],
        state=BENEFIT_STATES[row.state],
        monthly=to_money(row.monthly),
        first_month=to_month(row.first_month),
        end_reason=END_REASONS[row.end_reason] if row.end_reason else model.BENEFIT_END_REASON_UNSPECIFIED,
        provisional=row.provisional,
        division=row.division,
    )
    if row.last_month is not None:
        message.last_month.CopyFrom(to_month(row.last_month))
    return message


def _payment(shown: PaymentShown) -> model.Payment:
    row = shown.payment
    return model.Payment(
        payment_id=ids.to_text("pmt", row.payment_id),
        benefit_id=ids.to_text("ben", row.benefit_id),
        person_id=ids.to_text("per", row.person_id),
        kind=BENEFIT_KINDS[row.kind],
        month=to_month(row.month),
        amount=to_money(row.amount),
        state=_payment_state(row.state, shown.payroll_state),
        item=PAYMENT_ITEMS[row.item],
        statement=to_statement(shown.calculation.statement, shown.calculation.policy_version),
        bank_reference=row.bank_reference,
        simulated=row.simulated,
    )


def _payment_state(state: PaymentState, payroll_state: PayrollState) -> model.PaymentState.ValueType:
    """An open payment stands where its payroll stands; withdrawn ones are never shown."""
    match state:
        case PaymentState.CONFIRMED:
            return model.PAYMENT_STATE_CONFIRMED
        case PaymentState.RETURNED:
            return model.PAYMENT_STATE_RETURNED
        case PaymentState.OPEN if payroll_state is PayrollState.APPROVED:
            return model.PAYMENT_STATE_APPROVED
        case PaymentState.OPEN:
            return model.PAYMENT_STATE_PREPARED
        case PaymentState.WITHDRAWN:
            return model.PAYMENT_STATE_UNSPECIFIED


def _payroll(row: PayrollRow) -> model.Payroll:
    return model.Payroll(
        payroll_id=ids.to_text("prl", row.payroll_id),
        month=to_month(row.month),
        sequence=row.sequence,
        state=PAYROLL_STATES[row.state],
        payment_count=row.payment_count,
        total=to_money(row.total),
        confirmed_count=row.confirmed_count,
        returned_count=row.returned_count,
        digest=row.digest.hex() if row.digest else "",
    )
