"""Commands of changes of many amounts, checked values only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from uuid import UUID

    from services.benefits.adjusting import AmountsSource, Purpose
    from services.benefits.domain.adjustment import Amounts
    from services.benefits.lifecycle import Kind


@dataclass(frozen=True, slots=True)
class CreateAdjustment:
    """Make the annual adjustment of a year; amounts and document only of a notice."""

    year: int
    source: AmountsSource
    kinds: tuple[Kind, ...] = ()
    amounts: Amounts | None = None
    document: str = ""


@dataclass(frozen=True, slots=True)
class CreateRecomputation:
    """Compute provisional benefits again: all, or one."""

    benefit_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CreateWhatIf:
    """Look at what another value of a parameter would mean.

    Args:
        file: File of the parameter.
        key: Its key.
        from_: First day of the other value.
        to: Last day; ``None`` is open.
        value: The value as the file would write it: a text, or JSON where it has parts.
        sample: Look at so many benefits; 0 is everybody.
        person_id: Look at the benefits of one person.
    """

    file: str
    key: str
    from_: date
    to: date | None
    value: str
    sample: int = 0
    person_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Reverse:
    """Ask for the reversal of an adjustment, or confirm it."""

    adjustment_id: UUID
    digest: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Put a run away that changed nothing."""

    adjustment_id: UUID


@dataclass(frozen=True, slots=True)
class PageOfRuns:
    """A page of runs, of one purpose or of all."""

    purpose: Purpose | None
    size: int
    token: str
