"""What the preparing of every kind shares: who lives, who is insured, in which order days come, which month is free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import InvalidInput, Refused
from services.benefits import entitlement
from services.benefits.calculation import Calculation, recompute
from services.benefits.operations.determinations import known_person
from services.benefits.store import decisions, register

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.entitlement import Spell
    from services.benefits.history import Scheme
    from services.benefits.kinds import KindFacts
    from services.benefits.lifecycle import Kind
    from services.benefits.policy import BenefitsPolicy
    from services.benefits.store.rows import BenefitRow, PersonRow


async def living(tx: Transaction, person_id: UUID) -> tuple[PersonRow, Sequence[BenefitRow], Sequence[Spell]]:
    """A living person with the benefits and participations known."""
    person = await known_person(tx, person_id)
    spells = await register.spells(tx, person.person_id)
    entitlement.require_alive(spells, person.died_month)
    return person, await decisions.benefits(tx, person.person_id), spells


def require_order(*days: date, field: str) -> None:
    """Refuse days out of their order; the last one is today.

    Raises:
        InvalidInput: DATES_OUT_OF_ORDER.
    """
    if list(days) != sorted(days):
        raise InvalidInput("DATES_OUT_OF_ORDER", "the days do not follow one another, or lie ahead", field=field)


def not_insured(scheme: Scheme) -> Refused:
    """No participation in a scheme is known."""
    return Refused("NO_PARTICIPATION", "no participation in the scheme is known", scheme=scheme.value)


def require_insured(spells: Sequence[Spell], scheme: Scheme) -> Spell:
    """The latest participation in a scheme."""
    insured = [one for one in spells if one.scheme is scheme]
    if not insured:
        raise not_insured(scheme)
    return max(insured, key=lambda one: one.start_month)


def insured_in(spells: Sequence[Spell], scheme: Scheme, month: Month) -> Spell | None:
    """The participation in a scheme that covers a month."""
    return next(
        (
            one
            for one in spells
            if one.scheme is scheme and one.start_month <= month and (one.end_month is None or one.end_month >= month)
        ),
        None,
    )


def calculated(kind: Kind, facts: KindFacts, month: Month, policy: BenefitsPolicy) -> Calculation:
    """The calculation of facts, through the same door as its recomputation."""
    return recompute(kind, facts.to_plain(), month, policy)
