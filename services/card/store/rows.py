"""The tables of the card service. Rows are made from checked values only; constraints stand in the migrations."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlmodel import Field, SQLModel

from chassis.columns import words
from chassis.database import registry
from services.card.domain.lifecycle import Actor, CardState, Physical, PhysicalEvent


class Table(SQLModel, registry=registry()):
    """Base of the tables of this service."""


class HolderRow(Table, table=True):
    """A person who may have a card; name and number open only in this row."""

    __tablename__ = "holder"
    person_id: UUID = Field(primary_key=True)
    birth_date: date
    name_sealed: bytes
    id_no_sealed: bytes
    id_no_index: bytes
    physical_state: Physical | None = Field(default=None, sa_type=words(Physical))
    physical_ref: str | None = None
    physical_sequence: int = 0
    payment_enabled: bool = False
    survivor_id: UUID | None = None
    death_date: date | None = None


class PhysicalEventRow(Table, table=True):
    """What the source of physical cards announced; whether it took effect."""

    __tablename__ = "physical_event"
    source: str = Field(primary_key=True)
    person_id: UUID = Field(primary_key=True)
    sequence: int = Field(primary_key=True)
    event: PhysicalEvent = Field(sa_type=words(PhysicalEvent))
    physical_ref: str
    payment_enabled: bool
    simulated: bool
    applied: bool
    business_date: date


class CardRow(Table, table=True):
    """An electronic card."""

    __tablename__ = "card"
    card_id: UUID = Field(primary_key=True)
    person_id: UUID
    issue_no: str | None = None  # None until the card is issued
    reference: bytes | None = None
    level: int
    state: CardState = Field(sa_type=words(CardState))
    state_since: date
    state_before: CardState | None = Field(default=None, sa_type=words(CardState))
    suspended_by: Actor | None = Field(default=None, sa_type=words(Actor))
    valid_from: date | None = None
    valid_to: date | None = None
    consent_date: date | None = None
    replaced_by: UUID | None = None
    level_two_from: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))


class PinRow(Table, table=True):
    """The PIN of a card, hashed, and how often it was wrong since it was last right."""

    __tablename__ = "pin"
    card_id: UUID = Field(primary_key=True)
    salt: bytes
    value: bytes
    failures: int = 0
    set_date: date


class NoticeRow(Table, table=True):
    """What a holder is told about the card."""

    __tablename__ = "card_notice"
    notice_id: UUID = Field(primary_key=True)
    person_id: UUID
    card_id: UUID | None
    event: str  # of the card (CardEvent), or a NoticeWord
    actor: Actor = Field(sa_type=words(Actor))
    business_date: date
