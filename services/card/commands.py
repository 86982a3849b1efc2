"""What callers ask for, as values. Made in `messages`; pure."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.card.domain.family import Relation, Scope
from services.card.domain.lifecycle import PhysicalEvent


@dataclass(frozen=True, slots=True)
class Announce:
    """What happened to a physical card; the number is personal data and not printed."""

    id_no: str
    physical_ref: str
    event: PhysicalEvent
    sequence: int
    payment_enabled: bool
    simulated: bool

    def __repr__(self) -> str:
        return f"Announce({self.event}, {self.sequence})"


@dataclass(frozen=True, slots=True)
class SetPin:
    """A card and the PIN that its holder chose; with it the consent, where it is asked for."""

    card_id: UUID
    pin: str
    consent: bool = True
    phone: str = ""  # only to compare; never kept

    def __repr__(self) -> str:
        return f"SetPin({self.card_id})"


@dataclass(frozen=True, slots=True)
class SetContact:
    """A telephone number that a holder gives, and what the counter saw; the number is not printed."""

    person_id: UUID
    phone: str
    evidence_ref: str

    def __repr__(self) -> str:
        return f"SetContact({self.person_id})"


@dataclass(frozen=True, slots=True)
class ResetAtCounter:
    """A new PIN before the counter: the entry on the pad, the document, and the second proof."""

    card_id: UUID
    entry_id: UUID
    evidence_ref: str
    face_ref: str
    code_id: UUID | None
    code: str

    def __repr__(self) -> str:
        return f"ResetAtCounter({self.card_id})"


@dataclass(frozen=True, slots=True)
class ConfirmPin:
    """A card and what its holder says the PIN is."""

    card_id: UUID
    pin: str

    def __repr__(self) -> str:
        return f"ConfirmPin({self.card_id})"


@dataclass(frozen=True, slots=True)
class ReportByHotline:
    """A call to 12333 and whose card was lost; the number is personal data and not printed."""

    id_no: str
    call_ref: str

    def __repr__(self) -> str:
        return f"ReportByHotline({self.call_ref})"


@dataclass(frozen=True, slots=True)
class DecideCancel:
    """What the second person at the counter says."""

    card_id: UUID
    approval_id: UUID
    approve: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Verify:
    """A code that was read, and what for."""

    token: str
    purpose: str
    audience: bytes = b""
    signed_time: int = 0
    nonce: bytes = b""
    signature: bytes = b""

    def __repr__(self) -> str:
        return f"Verify({self.purpose})"


@dataclass(frozen=True, slots=True)
class BindDevice:
    """A device to bind to a card, with the proof that it holds its key."""

    card_id: UUID
    device_key: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class InviteWard:
    """Whom a delegate wants to act for; name and number are personal data and not printed."""

    delegate_id: UUID
    ward_name: str
    ward_id_no: str
    relation: Relation
    scopes: frozenset[Scope]
    to_date: date | None

    def __repr__(self) -> str:
        return f"InviteWard({self.delegate_id}, {self.relation})"


@dataclass(frozen=True, slots=True)
class ConsentToDelegation:
    """Agreement to a family account: by PIN where one is given, by the login otherwise; staff name what they saw."""

    delegation_id: UUID
    pin: str
    evidence: str

    def __repr__(self) -> str:
        return f"ConsentToDelegation({self.delegation_id})"


@dataclass(frozen=True, slots=True)
class BindDelegateDevice:
    """A device of a delegate to bind to the card of the ward, with the proof that it holds its key."""

    delegation_id: UUID
    device_key: bytes
    proof: bytes
