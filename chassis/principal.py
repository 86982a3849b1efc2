"""Who is calling: the principal, and the assertion by which the gateway vouches for it to the services.

The assertion is a protobuf message followed by an Ed25519 signature of 64 bytes. It is good for 60 seconds, for one
method and for one request body, so a copied one opens nothing else. It also carries the business day, because only
the gateway holds the clock that tests may move.
"""

from __future__ import annotations

import hmac
import os
import secrets
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.protobuf.message import DecodeError

from hrss.principal.v1 import principal_pb2
from hrss.type.v1 import calendar_pb2
from kernel import ids
from kernel.errors import DomainError, Forbidden, NotFound, Unauthenticated

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from uuid import UUID

METADATA_KEY = "hrss-assertion-bin"
LIFETIME = timedelta(seconds=60)  # a call lives 5 s and its retries little more; beyond that it is a copy
CLOCK_SKEW = timedelta(seconds=5)  # machines of one city agree better than this
STAFF = frozenset({"CLERK", "SUPERVISOR", "AUDITOR"})
_UNBOUND = STAFF | {"PARTNER", "SYSTEM"}  # roles that reach records of others; what they may do is said per RPC
_SIGNATURE_BYTES = 64

# The call's list of checks, see `relation_checks`; transactions run in tasks of their own and share the list.
_checks: ContextVar[list[UUID] | None] = ContextVar("relation_checks", default=None)
_ASSERTION_MAX = 6144  # of the 8 KiB that metadata may have; about 120 employers


@dataclass(frozen=True, slots=True)
class Principal:
    """The one who calls, as the services see them."""

    subject: str = ""
    client: str = ""
    roles: frozenset[str] = field(default_factory=frozenset)
    scopes: frozenset[str] = field(default_factory=frozenset)
    person_id: UUID | None = None
    employer_ids: frozenset[UUID] = field(default_factory=frozenset)
    acr: int = 0
    purpose: str = ""
    case_no: str = ""
    natural_person: str = ""  # of staff: one text for all logins of one human; "per_…" where the person is insured

    @classmethod
    def system(cls, name: str) -> Principal:
        """The platform itself, in jobs and consumers; `name` says which part."""
        return cls(subject=f"system|{name}", client="system", roles=frozenset({"SYSTEM"}))

    @classmethod
    def anonymous(cls) -> Principal:
        """Somebody without a login."""
        return cls(roles=frozenset({"PUBLIC"}))

    @property
    def caller(self) -> str:
        """The scope in which request ids are unique."""
        return f"{self.client}|{self.subject}"

    @property
    def is_staff(self) -> bool:
        """Whether the caller is counter staff, a reviewer or an auditor."""
        return not self.roles.isdisjoint(STAFF)

    @property
    def acting_person(self) -> str:
        """The natural person behind the subject, for four eyes: two logins of one person are one.

        Raises:
            Forbidden: NATURAL_PERSON_REQUIRED for partners, the system, and logins that do not say whose they are.
        """
        if not (person := self.known_person) or not self.roles.isdisjoint({"PARTNER", "SYSTEM"}):
            raise Forbidden("NATURAL_PERSON_REQUIRED", "only a natural person may do this")
        return person

    @property
    def known_person(self) -> str:
        """The natural person behind the subject as far as one is known, for the audit; empty when none is."""
        if self.natural_person or self.person_id is None:
            return self.natural_person
        return ids.to_text("per", self.person_id)

    def require_person(self, person_id: UUID) -> None:
        """Let only the person themself, staff, partners and the system through.

        Raises:
            NotFound: PERSON_NOT_FOUND, the same as for a person who does not exist.
        """
        _note(person_id)
        if self.person_id != person_id and self.roles.isdisjoint(_UNBOUND):
            raise person_not_found()

    def require_employer(self, employer_id: UUID) -> None:
        """Let only agents of the employer, staff, partners and the system through.

        Raises:
            NotFound: EMPLOYER_NOT_FOUND, the same as for an employer that does not exist.
        """
        _note(employer_id)
        if employer_id not in self.employer_ids and self.roles.isdisjoint(_UNBOUND):
            raise employer_not_found()

    def require_related(self, *, person_id: UUID, employer_id: UUID) -> None:
        """Let the person or an agent of the employer through, for records that belong to both.

        Raises:
            NotFound: PERSON_NOT_FOUND; the operation may say NotFound in the words of its own record instead.
        """
        if employer_id in self.employer_ids:
            _note(employer_id)
        else:
            self.require_person(person_id)


def relation_checks() -> list[UUID]:
    """Start to note for which records `require_person` and `require_employer` were asked in this call."""
    noted: list[UUID] = []
    _checks.set(noted)
    return noted


def _note(record_id: UUID) -> None:
    if (noted := _checks.get()) is not None:
        noted.append(record_id)


def person_not_found() -> NotFound:
    """The one text for a person who does not exist and for one who is not the caller's business."""
    return NotFound("PERSON_NOT_FOUND", "no such person")


def employer_not_found() -> NotFound:
    """The one text for an employer that does not exist and for one that is not the caller's business."""
    return NotFound("EMPLOYER_NOT_FOUND", "no such employer")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a good assertion says."""

    principal: Principal
    today: date
    request_id: str


class Signer:
    """The gateway's half: vouches for a caller."""

    def __init__(self, keys_dir: Path) -> None:
        key = serialization.load_pem_private_key((keys_dir / "principal.key").read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("principal.key is no Ed25519 key")
        self._key = key

    def sign(
        self,
        principal: Principal,
        *,
        method: str,
        digest: bytes,
        now: datetime,
        business_date: date,
        request_id: str = "",
    ) -> bytes:
        """The assertion for one call; `digest` is the SHA-256 of the request as sent."""
        of_call = principal_pb2.Assertion(
            method=method,
            request_digest=digest,
            issue_seconds=int(now.timestamp()),
            business_date=calendar_pb2.Date(year=business_date.year, month=business_date.month, day=business_date.day),
            request_id=request_id,
        )
        # The bytes of two messages in a row are the bytes of one that has the fields of both.
        body = _of_principal(principal) + of_call.SerializeToString()
        return body + self._key.sign(body)


class Verifier:
    """The services' half: believes only what the gateway signed.

    `principal.pub` may hold several keys one after the other, so that a new one is known before it is used.
    """

    def __init__(self, keys_dir: Path) -> None:
        self._keys: list[Ed25519PublicKey] = []
        for block in _pem_blocks((keys_dir / "principal.pub").read_bytes()):
            key = serialization.load_pem_public_key(block)
            if not isinstance(key, Ed25519PublicKey):
                raise TypeError("principal.pub holds a key that is no Ed25519 key")
            self._keys.append(key)
        if not self._keys:
            raise ValueError("principal.pub holds no key")

    def verify(self, data: bytes | None, *, method: str, digest: bytes, now: datetime) -> Identity:
        """Read an assertion; whatever is wrong with it, the answer is the same.

        Raises:
            Unauthenticated: ASSERTION_REFUSED.
        """
        if data is None or not _SIGNATURE_BYTES < len(data) <= _ASSERTION_MAX:
            raise _refused()
        body, signature = data[:-_SIGNATURE_BYTES], data[-_SIGNATURE_BYTES:]
        if not self._is_signed(body, signature):
            raise _refused()
        try:
            assertion = principal_pb2.Assertion.FromString(body)
            age = now - datetime.fromtimestamp(assertion.issue_seconds, UTC)
            identity = _identity(assertion)
        except (DecodeError, DomainError, ValueError, OverflowError):
            raise _refused() from None
        if not -CLOCK_SKEW <= age <= LIFETIME + CLOCK_SKEW:
            raise _refused()
        if assertion.method != method or not hmac.compare_digest(assertion.request_digest, digest):
            raise _refused()
        return identity

    def _is_signed(self, body: bytes, signature: bytes) -> bool:
        for key in self._keys:
            try:
                key.verify(signature, body)
            except InvalidSignature:
                continue
            return True
        return False


def create_keys(keys_dir: Path) -> bool:
    """Make the key pair of the gateway as far as it is missing; returns whether the private key was made.

    The public key is always derived from the private one that lies there, so that two who start at once make one pair.
    """
    private, public = keys_dir / "principal.key", keys_dir / "principal.pub"
    keys_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    is_new = not private.exists() and _create_private(private)
    if is_new or not public.exists():
        key = serialization.load_pem_private_key(private.read_bytes(), password=None)
        pem = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        draft = public.with_suffix(f".{secrets.token_hex(4)}")
        draft.write_bytes(pem)
        draft.replace(public)
    return is_new


def _create_private(path: Path) -> bool:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails where another process was faster, whose key then counts
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    return True


@lru_cache(maxsize=4096)
def _of_principal(principal: Principal) -> bytes:
    """The fields of an assertion that are the same for every call of a caller."""
    return principal_pb2.Assertion(
        subject=principal.subject,
        client=principal.client,
        roles=sorted(principal.roles),
        scopes=sorted(principal.scopes),
        person_id=ids.to_text("per", principal.person_id) if principal.person_id else "",
        employer_ids=sorted(ids.to_text("emp", one) for one in principal.employer_ids),
        acr=principal.acr,
        purpose=principal.purpose,
        case_no=principal.case_no,
        natural_person=principal.natural_person,
    ).SerializeToString()


def _identity(assertion: principal_pb2.Assertion) -> Identity:
    day = assertion.business_date
    principal = Principal(
        subject=assertion.subject,
        client=assertion.client,
        roles=frozenset(assertion.roles),
        scopes=frozenset(assertion.scopes),
        person_id=ids.parse("per", assertion.person_id) if assertion.person_id else None,
        employer_ids=frozenset(ids.parse("emp", one) for one in assertion.employer_ids),
        acr=assertion.acr,
        purpose=assertion.purpose,
        case_no=assertion.case_no,
        natural_person=assertion.natural_person,
    )
    return Identity(principal, date(day.year, day.month, day.day), assertion.request_id)


def _refused() -> Unauthenticated:
    return Unauthenticated("ASSERTION_REFUSED", "the call carries no valid assertion of the gateway")


def _pem_blocks(data: bytes) -> Iterable[bytes]:
    end = b"-----END PUBLIC KEY-----"
    return (block + end for block in data.split(end)[:-1])
