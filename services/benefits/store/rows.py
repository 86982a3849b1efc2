"""The tables of benefits. Rows are made from checked values only; constraints and rights stand in the migrations."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from chassis.columns import MoneyColumn, MonthColumn, words
from chassis.database import registry
from kernel.calendar import Month
from kernel.money import Money
from services.benefits.domain.retirement import Track
from services.benefits.history import Scheme
from services.benefits.lifecycle import (
    BenefitState,
    DeterminationState,
    EndReason,
    Kind,
    PaymentItem,
    PaymentState,
    PayrollState,
)


class Table(SQLModel, registry=registry()):
    """Base of the tables of this service."""


# What enrollment announced ------------------------------------------------------------------------------------------


class PersonRow(Table, table=True):
    """A person, as far as benefits must know one."""

    __tablename__ = "person"
    person_id: UUID = Field(primary_key=True)
    birth_date: date
    sex: str
    division: str
    died_month: Month | None = Field(default=None, sa_type=MonthColumn, nullable=True)


class ParticipationRow(Table, table=True):
    """The insurance of a person in one scheme with one employer."""

    __tablename__ = "participation"
    participation_id: UUID = Field(primary_key=True)
    person_id: UUID
    employer_id: UUID
    scheme: Scheme = Field(sa_type=words(Scheme))
    start_month: Month = Field(sa_type=MonthColumn)
    end_month: Month | None = Field(default=None, sa_type=MonthColumn)
    end_reason: str | None = None
    ended_after: int = 0
    track: Track | None = Field(default=None, sa_type=words(Track))
    division: str


class AccountRow(Table, table=True):
    """The personal account of a person: last known balance and its settlement at retirement."""

    __tablename__ = "account"
    person_id: UUID = Field(primary_key=True)
    balance: Money = Field(sa_type=MoneyColumn, sa_column_kwargs={"name": "balance_fen"})
    settled_month: Month | None = Field(default=None, sa_type=MonthColumn)
    settled_balance: Money | None = Field(
        default=None, sa_type=MoneyColumn, sa_column_kwargs={"name": "settled_balance_fen"}
    )
    settled_provisional: bool | None = None
    settled_after: int = 0


# What was decided ---------------------------------------------------------------------------------------------------


class PayeeRow(Table, table=True):
    """Where a benefit is paid to; name and account open only in this row."""

    __tablename__ = "payee"
    payee_id: UUID = Field(primary_key=True)
    person_id: UUID
    name_sealed: bytes
    account_sealed: bytes
    account_index: bytes
    account_tail: str


class CalculationRow(Table, table=True):
    """A calculation with everything that went in; found by what it says, so that equal ones are stored once.

    That of an adjustment has no statement: it is made again from the inputs and the terms of its run.
    """

    __tablename__ = "calculation"
    digest: bytes = Field(primary_key=True)
    kind: Kind = Field(sa_type=words(Kind))
    policy_version: str
    inputs: dict[str, Any] = Field(sa_type=JSONB)
    statement: dict[str, Any] | None = Field(sa_type=JSONB)
    terms_id: UUID | None = None
    total: Money = Field(sa_type=MoneyColumn, sa_column_kwargs={"name": "total_fen"})
    provisional: bool
    release: str | None = None


class DeterminationRow(Table, table=True):
    """A determination (核定): prepared by one person, decided by another."""

    __tablename__ = "determination"
    determination_id: UUID = Field(primary_key=True)
    person_id: UUID
    kind: Kind = Field(sa_type=words(Kind))
    state: DeterminationState = Field(sa_type=words(DeterminationState))
    first_month: Month = Field(sa_type=MonthColumn)
    last_month: Month | None = Field(default=None, sa_type=MonthColumn)
    event_month: Month = Field(sa_type=MonthColumn)
    division: str
    digest: bytes
    payee_id: UUID
    notes: list[str] = Field(sa_type=JSONB)
    approval_id: UUID
    maker: str
    prepare_date: date
    checker: str | None = None
    decide_date: date | None = None
    rejection_reason: str = ""
    share: str = ""


class BenefitRow(Table, table=True):
    """A benefit (待遇). `next_month` is the first month that stands in no payroll yet.

    `monthly` and `digest` are those of now; the amounts of earlier months stand in `benefit_amount`. `share` tells
    several of one kind apart: dependants of one death, injuries of one person. `before_month` and `before_reason` say
    how it had ended before a death that was heard later moved its end.
    """

    __tablename__ = "benefit"
    benefit_id: UUID = Field(primary_key=True)
    determination_id: UUID
    person_id: UUID
    kind: Kind = Field(sa_type=words(Kind))
    state: BenefitState = Field(sa_type=words(BenefitState))
    monthly: Money = Field(sa_type=MoneyColumn, sa_column_kwargs={"name": "monthly_fen"})
    first_month: Month = Field(sa_type=MonthColumn)
    last_month: Month | None = Field(default=None, sa_type=MonthColumn)
    next_month: Month = Field(sa_type=MonthColumn)
    event_month: Month = Field(sa_type=MonthColumn)
    end_reason: EndReason | None = Field(default=None, sa_type=words(EndReason))
    provisional: bool
    division: str
    digest: bytes
    payee_id: UUID
    share: str = ""
    suspended_from: Month | None = Field(default=None, sa_type=MonthColumn)
    suspend_reason: str | None = None
    end_document: str = ""
    before_month: Month | None = Field(default=None, sa_type=MonthColumn, nullable=True)
    before_reason: EndReason | None = Field(default=None, sa_type=words(EndReason))


# What is paid -------------------------------------------------------------------------------------------------------


class PayrollRow(Table, table=True):
    """A month's payroll (发放批次)."""

    __tablename__ = "payroll"
    payroll_id: UUID = Field(primary_key=True)
    month: Month = Field(sa_type=MonthColumn)
    sequence: int
    state: PayrollState = Field(sa_type=words(PayrollState))
    job_id: UUID
    payment_count: int = 0
    total: Money = Field(default=Money.ZERO, sa_type=MoneyColumn, sa_column_kwargs={"name": "total_fen"})
    confirmed_count: int = 0
    returned_count: int = 0
    digest: bytes | None = None
    approval_id: UUID | None = None
    maker: str
    prepare_date: date
    checker: str | None = None
    approve_date: date | None = None


class PaymentRow(Table, table=True):
    """One month of one benefit, paid once; or, as `item` says, a difference for months before, or one sent again."""

    __tablename__ = "payment"
    payment_id: UUID = Field(primary_key=True)
    payroll_id: UUID
    benefit_id: UUID
    person_id: UUID
    kind: Kind = Field(sa_type=words(Kind))
    month: Month = Field(sa_type=MonthColumn)
    amount: Money = Field(sa_type=MoneyColumn, sa_column_kwargs={"name": "amount_fen"})
    digest: bytes
    payee_id: UUID
    state: PaymentState = Field(sa_type=words(PaymentState))
    bank_reference: str = ""
    simulated: bool = False
    answer_date: date | None = None
    share: str = ""
    item: PaymentItem = Field(default=PaymentItem.MONTH, sa_type=words(PaymentItem))
    chunk: int = 0
    again_of: UUID | None = None
    return_code: str = ""
