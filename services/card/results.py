"""What operations give back, for `messages.replies`; holds opened personal data only as long as a reply is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from chassis.jobs import Job, Reject
    from services.card.batches import Batch, Found
    from services.card.domain.family import DelegationState
    from services.card.domain.verification import Detail, Shown
    from services.card.store.bindings import Binding
    from services.card.store.contacts import Contact
    from services.card.store.delegations import Delegation
    from services.card.store.pin_entries import Entry
    from services.card.store.rows import CardRow, HolderRow


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card with its holder."""

    card: CardRow
    holder: HolderRow
    name: str = field(repr=False)
    usable: bool
    usable_level: int


@dataclass(frozen=True, slots=True)
class Announced:
    """What became of an event of a physical card."""

    applied: bool
    card: CardRow | None


@dataclass(frozen=True, slots=True)
class PinTried:
    """What a PIN turned out to be."""

    is_right: bool
    is_locked: bool
    tries_left: int


@dataclass(frozen=True, slots=True)
class Minted:
    """A code to show; whoever holds it is the holder for a minute, so it is not printed."""

    text: str = field(repr=False)
    valid_seconds: int
    refresh_seconds: int


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification came to; everything after `detail` only when it was accepted."""

    detail: Detail
    subject_ref: str = ""
    level: int = 0
    shown: frozenset[Shown] = frozenset()
    name: str = field(default="", repr=False)
    id_no: str = field(default="", repr=False)
    by_family: bool = False
    is_minor: bool = False


@dataclass(frozen=True, slots=True)
class Bound:
    """A device that was bound: its credential goes into each of its codes."""

    binding_id: UUID
    credential: bytes = field(repr=False)
    valid_seconds: int


@dataclass(frozen=True, slots=True)
class BatchShown:
    """A batch, what its dry run found so far, and the job at work or the last one."""

    batch: Batch
    found: Found
    job: Job


@dataclass(frozen=True, slots=True)
class BatchesShown:
    """A page of batches."""

    batches: Sequence[BatchShown]
    following: str


@dataclass(frozen=True, slots=True)
class BatchRejects:
    """A page of rejected rows."""

    rejects: Sequence[Reject]
    following: str


@dataclass(frozen=True, slots=True)
class ShownDelegation:
    """A family account as one of its two sees it, with the name of the other and where it stands today."""

    delegation: Delegation
    state: DelegationState
    is_delegate: bool
    other_name: str = field(repr=False)
    ward_is_minor: bool
    devices: Sequence[Binding]


@dataclass(frozen=True, slots=True)
class Consented:
    """What became of an agreement; a wrong PIN is counted and answered, never refused."""

    shown: ShownDelegation
    is_confirmed: bool
    tries_left: int


@dataclass(frozen=True, slots=True)
class CodeSent:
    """A code that was sent, and where to."""

    code_id: UUID
    phone: str = field(repr=False)
    valid_seconds: int


@dataclass(frozen=True, slots=True)
class CodeTried:
    """What a code turned out to be, and the number on record after that."""

    is_right: bool
    tries_left: int
    contact: Contact | None = None


@dataclass(frozen=True, slots=True)
class OnPad:
    """What a pad shows to the holder."""

    entry: Entry
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PinReset:
    """What became of a new PIN; a wrong code is counted and answered, never refused."""

    shown: ShownCard
    is_confirmed: bool
    tries_left: int
