"""Words, days, amounts and statements of enrolment in the contract; used by replies and facts alike."""

from datetime import date

from hrss.enrollment.v1 import enrollment_pb2 as model
from hrss.type.v1 import calendar_pb2, money_pb2, statement_pb2
from kernel.calendar import Month
from kernel.money import Money
from kernel.statement import Line, ParameterUse, Statement
from services.enrollment.accounting import ContributionState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import EndReason, Track

SCHEMES = {
    Scheme.EMPLOYEE_PENSION: model.SCHEME_EMPLOYEE_PENSION,
    Scheme.UNEMPLOYMENT: model.SCHEME_UNEMPLOYMENT,
    Scheme.WORK_INJURY: model.SCHEME_WORK_INJURY,
}
SEXES = {"male": model.SEX_MALE, "female": model.SEX_FEMALE}
TRACKS = {
    Track.MALE_60: model.TRACK_MALE_60,
    Track.FEMALE_55: model.TRACK_FEMALE_55,
    Track.FEMALE_50: model.TRACK_FEMALE_50,
}
END_REASONS = {
    EndReason.RESIGNED: model.END_REASON_RESIGNED,
    EndReason.DISMISSED: model.END_REASON_DISMISSED,
    EndReason.CONTRACT_EXPIRED: model.END_REASON_CONTRACT_EXPIRED,
    EndReason.RETIRED: model.END_REASON_RETIRED,
    EndReason.DIED: model.END_REASON_DIED,
}
CONTRIBUTION_STATES = {
    ContributionState.PAID: model.CONTRIBUTION_STATE_PAID,
    ContributionState.UNPAID: model.CONTRIBUTION_STATE_UNPAID,
    ContributionState.DEEMED: model.CONTRIBUTION_STATE_DEEMED,
}


def to_date(day: date) -> calendar_pb2.Date:
    """A day."""
    return calendar_pb2.Date(year=day.year, month=day.month, day=day.day)


def to_month(month: Month) -> calendar_pb2.Month:
    """A month."""
    return calendar_pb2.Month(year=month.year, month=month.month)


def to_money(amount: Money) -> money_pb2.Money:
    """An amount."""
    return money_pb2.Money(fen=amount.fen)


def to_statement(statement: Statement, policy_version: str = "") -> statement_pb2.Statement:
    """A statement."""
    return statement_pb2.Statement(
        lines=[_line(line) for line in statement.lines],
        total=to_money(statement.total),
        provisional=statement.provisional,
        policy_version=policy_version,
    )


def _line(line: Line) -> statement_pb2.StatementLine:
    return statement_pb2.StatementLine(
        code=line.code,
        amount=to_money(line.amount),
        title_zh=line.title_zh,
        title_en=line.title_en,
        formula=line.formula,
        inputs=[statement_pb2.StatementInput(name=name, value=value) for name, value in line.inputs],
        sources=line.sources,
        parameters=[_use(use) for use in line.parameters],
        provisional=line.provisional,
    )


def _use(use: ParameterUse) -> statement_pb2.ParameterUse:
    return statement_pb2.ParameterUse(
        file=use.file,
        key=use.key,
        value=use.value,
        effective=use.effective,
        confidence=use.confidence,
        sources=use.sources,
        provisional=use.provisional,
    )
