"""What callers ask for, as values. Made in `messages`; pure."""

from dataclasses import dataclass
from uuid import UUID

from services.training.domain.skill_subsidy import Skill
from services.training.lifecycle import Answer, ClaimState, IssuerType


@dataclass(frozen=True, slots=True)
class Payee:
    """Whom a subsidy is paid to (收款账户); personal data, kept out of every log by not being printed."""

    name: str
    account: str

    def __repr__(self) -> str:
        return "Payee(…)"


@dataclass(frozen=True, slots=True)
class CertificateKey:
    """A certificate as people name it; the number finds its holder in public registers and is not printed."""

    issuer_type: IssuerType
    number: str

    def __repr__(self) -> str:
        return f"CertificateKey({self.issuer_type}, …)"


@dataclass(frozen=True, slots=True)
class RecordCertificate:
    """Record what an issuer's system says."""

    person_id: UUID
    key: CertificateKey
    skill: Skill
    is_subsidised_elsewhere: bool


@dataclass(frozen=True, slots=True)
class CheckClaim:
    """What do the rules say of a claim? Changes nothing."""

    person_id: UUID
    key: CertificateKey


@dataclass(frozen=True, slots=True)
class SubmitClaim:
    """Claim the subsidy for a certificate."""

    person_id: UUID
    key: CertificateKey
    payee: Payee


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve a claim, second person: exactly what the digest names."""

    claim_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject a claim, second person."""

    claim_id: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class RecordResult:
    """What the bank answered for a payment order."""

    order_id: UUID
    answer: Answer
    bank_reference: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list."""

    size: int
    token: str


@dataclass(frozen=True, slots=True)
class PageOfClaims:
    """A page of claims in one state, or of those that wait for staff."""

    state: ClaimState | None
    page: Page
