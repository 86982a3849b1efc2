"""The tables of training. Rows are made from checked values only; constraints and rights stand in the migrations."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from chassis.columns import MoneyColumn, words
from chassis.database import registry
from kernel.money import Money
from services.training.lifecycle import ClaimState, IssuerType, OrderState


class Table(SQLModel, registry=registry()):
    """Base of the tables of this service."""


class CertificateRow(Table, table=True):
    """A certificate (证书); its number opens only in this row."""

    __tablename__ = "certificate"
    certificate_id: UUID = Field(primary_key=True)
    person_id: UUID
    issuer_type: IssuerType = Field(sa_type=words(IssuerType))
    number_sealed: bytes
    number_index: bytes
    number_tail: str
    occupation: str
    level: int
    issue_date: date
    subsidised_elsewhere: bool
    record_date: date


class PayeeRow(Table, table=True):
    """Where a subsidy is paid to; name and account open only in this row."""

    __tablename__ = "payee"
    payee_id: UUID = Field(primary_key=True)
    person_id: UUID
    name_sealed: bytes
    account_sealed: bytes
    account_index: bytes
    account_tail: str


class CalculationRow(Table, table=True):
    """A calculation with everything that went in; found by what it says."""

    __tablename__ = "calculation"
    digest: bytes = Field(primary_key=True)
    policy_version: str
    inputs: dict[str, Any] = Field(sa_type=JSONB)
    statement: dict[str, Any] = Field(sa_type=JSONB)
    total: Money = Field(sa_type=MoneyColumn, sa_column_kwargs={"name": "total_fen"})
    provisional: bool


class ClaimRow(Table, table=True):
    """A claim (申领): submitted, prepared by one person, decided by another."""

    __tablename__ = "claim"
    claim_id: UUID = Field(primary_key=True)
    person_id: UUID
    certificate_id: UUID
    state: ClaimState = Field(sa_type=words(ClaimState))
    apply_date: date
    submitter: str
    payee_id: UUID
    failures: list[dict[str, Any]] = Field(sa_type=JSONB)
    insured_months: int
    urgent: bool
    digest: bytes | None = None
    approval_id: UUID | None = None
    maker: str | None = None
    prepare_date: date | None = None
    checker: str | None = None
    decide_date: date | None = None
    rejection_reason: str = ""


class OrderRow(Table, table=True):
    """A payment order (支付指令): what an approved claim pays, once."""

    __tablename__ = "subsidy_order"
    order_id: UUID = Field(primary_key=True)
    claim_id: UUID
    person_id: UUID
    certificate_id: UUID
    occupation: str
    level: int
    apply_date: date
    apply_year: int
    place: int
    amount: Money = Field(sa_type=MoneyColumn, sa_column_kwargs={"name": "amount_fen"})
    digest: bytes
    payee_id: UUID
    release_date: date
    state: OrderState = Field(sa_type=words(OrderState))
    bank_reference: str = ""
    simulated: bool = False
    answer_date: date | None = None
