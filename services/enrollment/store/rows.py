"""The tables of enrollment. Rows are made from checked values only; constraints and rights stand in the migrations."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, SmallInteger
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from chassis.columns import MoneyColumn, MonthColumn, words
from chassis.database import registry
from kernel.calendar import Month
from kernel.money import Money
from services.enrollment.accounting import ContributionState, EntryKind
from services.enrollment.billing import BillKind, BillState
from services.enrollment.domain.contributions import Scheme
from services.enrollment.register import EndReason, Post, State, Track
from services.enrollment.store.columns import SchemeColumn


class Table(SQLModel, registry=registry()):
    """Base of the tables of this service."""


def fen(name: str) -> Any:
    """A column of money under its stored name."""
    return Field(sa_type=MoneyColumn, sa_column_kwargs={"name": f"{name}_fen"})


def maybe_month() -> Any:
    """A column of a month that may not be known yet."""
    return Field(default=None, sa_type=MonthColumn, nullable=True)


# Who is insured with whom ---------------------------------------------------------------------------------------------


class PersonRow(Table, table=True):
    """A person; name, number and phone open only in this row."""

    __tablename__ = "person"
    person_id: UUID = Field(primary_key=True)
    id_no_index: bytes
    id_no_sealed: bytes
    name_sealed: bytes
    phone_sealed: bytes | None
    birth_date: date
    sex: str
    division: str
    retirement_month: Month | None = maybe_month()
    source: str
    died_on: date | None = None
    merged_into: UUID | None = None


class EmployerRow(Table, table=True):
    """An employer."""

    __tablename__ = "employer"
    employer_id: UUID = Field(primary_key=True)
    credit_code: str
    name: str
    division: str
    injury_class: int
    injury_step: Decimal
    register_date: date
    deregister_date: date | None = None
    kind: str


class EmploymentRow(Table, table=True):
    """An employment: what an enrolment makes and its end closes."""

    __tablename__ = "employment"
    enrollment_id: UUID = Field(primary_key=True)
    person_id: UUID
    employer_id: UUID
    post: Post | None = Field(default=None, sa_type=words(Post), nullable=True)
    track: Track = Field(sa_type=words(Track))
    start_month: Month = Field(sa_type=MonthColumn)
    end_month: Month | None = maybe_month()
    end_reason: EndReason | None = Field(default=None, sa_type=words(EndReason), nullable=True)


class ParticipationRow(Table, table=True):
    """The insurance of an employment, or of a cover without one, in one scheme."""

    __tablename__ = "participation"
    participation_id: UUID = Field(primary_key=True)
    enrollment_id: UUID | None
    cover_id: UUID | None
    person_id: UUID
    employer_id: UUID | None
    scheme: Scheme = Field(sa_type=SchemeColumn)
    state: State = Field(sa_type=words(State))
    track: Track | None = Field(default=None, sa_type=words(Track), nullable=True)
    start_month: Month = Field(sa_type=MonthColumn)
    end_month: Month | None = maybe_month()
    end_reason: EndReason | None = Field(default=None, sa_type=words(EndReason), nullable=True)


class WageRow(Table, table=True):
    """A declared wage."""

    __tablename__ = "declared_wage"
    enrollment_id: UUID = Field(primary_key=True)
    from_month: Month = Field(sa_type=MonthColumn, primary_key=True)
    wage: Money = fen("wage")


# What is owed and what came in ----------------------------------------------------------------------------------------


class BillRow(Table, table=True):
    """A bill of an employer for a month; number 1, then supplements for those enrolled later."""

    __tablename__ = "bill"
    bill_id: UUID = Field(primary_key=True)
    employer_id: UUID | None
    payer_id: UUID | None
    kind: BillKind = Field(sa_type=words(BillKind))
    month: Month = Field(sa_type=MonthColumn)
    number: int
    state: BillState = Field(sa_type=words(BillState))
    person_count: int
    pension_employer: Money = fen("pension_employer")
    pension_employee: Money = fen("pension_employee")
    unemployment_employer: Money = fen("unemployment_employer")
    unemployment_employee: Money = fen("unemployment_employee")
    injury_employer: Money = fen("injury_employer")
    annuity_employer: Money = fen("annuity_employer")
    annuity_employee: Money = fen("annuity_employee")
    late_fee: Money = fen("late_fee")
    total: Money = fen("total")
    paid: Money = fen("paid")
    terms: dict[str, Any] = Field(sa_type=JSONB)
    provisional: bool
    policy_version: str
    assess_date: date
    run_id: UUID | None = None
    due_date: date | None = None
    withdrawn_date: date | None = None


class BillLineRow(Table, table=True):
    """One person on a bill."""

    __tablename__ = "bill_line"
    bill_id: UUID = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    enrollment_id: UUID
    month: Month = Field(sa_type=MonthColumn)
    wage: Money = fen("wage")
    base: Money = fen("base")
    pension_employer: Money = fen("pension_employer")
    pension_employee: Money = fen("pension_employee")
    unemployment_employer: Money = fen("unemployment_employer")
    unemployment_employee: Money = fen("unemployment_employee")
    injury_employer: Money = fen("injury_employer")
    annuity_employer: Money = fen("annuity_employer")
    annuity_employee: Money = fen("annuity_employee")
    account: Money = fen("account")
    refund_id: UUID | None = None


class ReceiptRow(Table, table=True):
    """Money that came in for a bill."""

    __tablename__ = "receipt"
    receipt_id: UUID = Field(primary_key=True)
    receipt_no: str
    bill_id: UUID
    amount: Money = fen("amount")
    paid_date: date
    simulated: bool
    suspense_id: UUID | None = None
    land_use_id: UUID | None = None


class ContributionRow(Table, table=True):
    """A month of a person in one scheme that counts: paid here, or brought in."""

    __tablename__ = "contribution"
    person_id: UUID = Field(primary_key=True)
    month: Month = Field(sa_type=MonthColumn, primary_key=True)
    scheme: Scheme = Field(sa_type=SchemeColumn, primary_key=True)
    state: ContributionState = Field(sa_type=words(ContributionState))
    base: Money = fen("base")
    employer: Money = fen("employer")
    employee: Money = fen("employee")
    bill_id: UUID | None = None
    import_source: str | None = None
    employer_code: str | None = None


# The personal account -------------------------------------------------------------------------------------------------


class AccountRow(Table, table=True):
    """The personal account of the employee pension."""

    __tablename__ = "account"
    person_id: UUID = Field(primary_key=True)
    balance: Money = fen("balance")
    first_year: int
    closed_through: int | None = None
    settle_month: Month | None = maybe_month()


class AccountEntryRow(Table, table=True):
    """A booking on an account; never changed."""

    __tablename__ = "account_entry"
    person_id: UUID = Field(primary_key=True)
    kind: EntryKind = Field(sa_type=words(EntryKind), primary_key=True)
    source: str = Field(primary_key=True)
    year: int
    booked_month: Month = Field(sa_type=MonthColumn)
    amount: Money = fen("amount")


class AccountYearRow(Table, table=True):
    """A closed year of an account."""

    __tablename__ = "account_year"
    person_id: UUID = Field(primary_key=True)
    year: int = Field(primary_key=True)
    opening: Money = fen("opening")
    contribution: Money = fen("contribution")
    interest: Money = fen("interest")
    imported: Money = fen("imported")
    moved: Money = fen("moved")
    closing: Money = fen("closing")
    statement: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    provisional: bool
    policy_version: str
    source: str
    terms_id: UUID | None = None
    booked_months: list[int] | None = Field(default=None, sa_type=ARRAY(SmallInteger))
    booked_fen: list[int] | None = Field(default=None, sa_type=ARRAY(BigInteger))


class SettlementRow(Table, table=True):
    """The settlement of an account at retirement."""

    __tablename__ = "account_settlement"
    person_id: UUID = Field(primary_key=True)
    retirement_month: Month = Field(sa_type=MonthColumn)
    balance: Money = fen("balance")
    statement: dict[str, Any] = Field(sa_type=JSONB)
    provisional: bool
    policy_version: str
    settle_date: date
