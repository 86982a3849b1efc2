"""Amounts are proved again (重新验算): what is stored gives the same statements, or the first difference is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from services.benefits import calculation
from services.benefits.operations import queries
from services.benefits.store import decisions

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from kernel.calendar import Month
    from services.benefits.policy import BenefitsPolicy


@dataclass(frozen=True, slots=True)
class Difference:
    """Where something stored and computed differ first."""

    from_month: Month
    path: str
    stored: str
    computed: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What a recomputation found."""

    checked: int
    stored_version: str
    version: str
    difference: Difference | None


async def prove(tx: Transaction, benefit_id: UUID, policy: BenefitsPolicy) -> Proof:
    """Compute every amount that a benefit ever had again from its stored inputs.

    An amount by an adjustment is no calculation of inputs: only those that came of a determination or a recomputation
    are computed again, each in the month from which it holds.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        Refused: POLICY_PARAMETER_MISSING.
    """
    benefit = await queries.benefit(tx, benefit_id)
    amounts = await decisions.determined_amounts(tx, benefit_id)
    made = await decisions.calculations(tx, (one.digest for one in amounts))
    first, checked = made[amounts[0].digest], 0
    for one in amounts:
        stored = made[one.digest]
        computed = calculation.recompute(benefit.kind, stored.inputs, one.from_month, policy).statement
        checked += 1
        found = first_difference(stored.statement.to_plain(), computed.to_plain())
        if found is None and stored.statement.total != one.amount:
            found = ("amount_fen", str(one.amount.fen), str(computed.total.fen))
        if found is not None:
            return Proof(checked, first.policy_version, policy.version, Difference(one.from_month, *found))
    return Proof(checked, first.policy_version, policy.version, None)


def first_difference(stored: Any, computed: Any, path: str = "") -> tuple[str, str, str] | None:
    """Path and both values where two plain values differ first; None when they are the same."""
    if isinstance(stored, dict) and isinstance(computed, dict):
        pairs = [(f"{path}.{key}".lstrip("."), stored.get(key), computed.get(key)) for key in [*stored, *computed]]
    elif isinstance(stored, list) and isinstance(computed, list):
        longest = range(max(len(stored), len(computed)))
        pairs = [(f"{path}[{at}]", _at(stored, at), _at(computed, at)) for at in longest]
    else:
        return None if stored == computed else (path, str(stored), str(computed))
    found = (first_difference(left, right, where) for where, left, right in pairs)
    return next((one for one in found if one is not None), None)


def _at(values: list[Any], place: int) -> Any:
    return values[place] if place < len(values) else None
