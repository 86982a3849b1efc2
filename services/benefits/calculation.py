"""From facts to a statement, and the same way again: what was determined can be recomputed from what is stored.

A calculation keeps its inputs (facts, not results), the version of the policy files and the statement. `recompute` runs
the stored inputs through the same functions; with the same policy version the statement is the same, always.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

from kernel.calendar import Month, parse_date
from kernel.dated import DatedValue
from kernel.errors import Refused
from kernel.money import Money
from kernel.statement import Statement
from services.benefits.domain import pension, retirement, unemployment
from services.benefits.domain.retirement import Retirement, Track
from services.benefits.history import History
from services.benefits.kinds import statement_of
from services.benefits.kinds.contributed import facts_of
from services.benefits.kinds.unemployment import month_of
from services.benefits.lifecycle import Kind
from services.benefits.policy import BenefitsPolicy

_ENOUGH_MONTHS = 100 * 12  # more than any minimum: asks for the window alone


@dataclass(frozen=True, slots=True)
class PensionInputs:
    """What goes into an employee pension.

    Args:
        birth: Month of birth.
        track: Retirement track.
        retirement_month: The month of retirement.
        history: Pension months known up to and including that month.
        balance: Balance of the personal account at retirement.
        balance_provisional: Whether its interest rests on a rate that is not published.
        old_transitional: Transitional amount of the old method, from the archive.
        special_work: Whether the person retires early from special work (特殊工种).
    """

    birth: Month
    track: Track
    retirement_month: Month
    history: History
    balance: Money
    balance_provisional: bool = False
    old_transitional: Money | None = None
    special_work: bool = False

    def to_plain(self) -> dict[str, Any]:
        """The inputs as plain values."""
        return {
            "birth": str(self.birth),
            "track": self.track.value,
            "retirement_month": str(self.retirement_month),
            "history": self.history.to_plain(),
            "balance_fen": self.balance.fen,
            "balance_provisional": self.balance_provisional,
            "old_transitional_fen": None if self.old_transitional is None else self.old_transitional.fen,
            # Said only where it is so: what was determined before it could be asked says the same as ever.
            **({"special_work": True} if self.special_work else {}),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_plain` wrote."""
        old = plain["old_transitional_fen"]
        return cls(
            birth=Month.parse(plain["birth"]),
            track=Track(plain["track"]),
            retirement_month=Month.parse(plain["retirement_month"]),
            history=History.from_plain(plain["history"]),
            balance=Money(plain["balance_fen"]),
            balance_provisional=plain["balance_provisional"],
            old_transitional=None if old is None else Money(old),
            special_work=plain.get("special_work", False),
        )


@dataclass(frozen=True, slots=True)
class UnemploymentInputs:
    """What goes into an unemployment benefit.

    Args:
        history: Unemployment months since the last spell, up to the last month of the employment that was lost.
        event_month: Last insured month of that employment.
        registration_date: Day of the registration; the law of that day decides duration and rate.
        division: Division of the employer, which decides the class of the minimum wage.
        carried_months: Unused months of an earlier spell.
        premium_until: Month of the statutory age of who filed for the pension premium (代缴养老保险费).
    """

    history: History
    event_month: Month
    registration_date: date
    division: str
    carried_months: int = 0
    premium_until: Month | None = None

    def to_plain(self) -> dict[str, Any]:
        """The inputs as plain values."""
        return {
            "history": self.history.to_plain(),
            "event_month": str(self.event_month),
            "registration_date": self.registration_date.isoformat(),
            "division": self.division,
            "carried_months": self.carried_months,
            # Said only where it is so, as above.
            **({"premium_until": str(self.premium_until)} if self.premium_until else {}),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read what `to_plain` wrote."""
        return cls(
            history=History.from_plain(plain["history"]),
            event_month=Month.parse(plain["event_month"]),
            registration_date=parse_date(plain["registration_date"]),
            division=plain["division"],
            carried_months=plain["carried_months"],
            premium_until=Month.parse(plain["premium_until"]) if "premium_until" in plain else None,
        )


@dataclass(frozen=True)
class Calculation:
    """A statement with what it was made from."""

    kind: Kind
    policy_version: str
    inputs: dict[str, Any]
    statement: Statement

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over the canonical JSON of all of it: what the second person approves."""
        content = {
            "kind": self.kind.value,
            "policy_version": self.policy_version,
            "inputs": self.inputs,
            "statement": self.statement.to_plain(),
        }
        return hashlib.sha256(canonical(content).encode()).digest()


def canonical(content: Any) -> str:
    """One text for one value: keys sorted, no blanks."""
    return json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


# Employee pension ---------------------------------------------------------------------------------------------------


def retirement_of(track: Track, birth: Month, policy: BenefitsPolicy, *, special_work: bool = False) -> Retirement:
    """When a person retires by law and may retire; from special work (特殊工种) five years earlier."""
    if special_work:
        return retirement.retire_from_special_work(
            "male" if track is Track.MALE_60 else "female", birth, policy.retirement
        )
    known = policy.retirements.get((track, birth))
    if known is None:
        known = policy.retirements[track, birth] = retirement.retire(track, birth, policy.retirement)
    return known


def require_window(
    track: Track, birth: Month, month: Month, policy: BenefitsPolicy, *, special_work: bool = False
) -> None:
    """Refuse a month outside the window of flexible retirement, whatever the contributions.

    Raises:
        Refused: NOT_APPLICABLE, TOO_EARLY, TOO_LATE.
        PolicyParameterMissing: The delay of women who retire from special work.
    """
    person = retirement_of(track, birth, policy, special_work=special_work)
    if month != person.statutory:
        retirement.require(person, retirement.choose(person, month, _ENOUGH_MONTHS, policy.retirement))


def calculate_pension(inputs: PensionInputs, policy: BenefitsPolicy) -> Calculation:
    """The pension that the inputs give; raises as `pension_statement`."""
    return Calculation(Kind.EMPLOYEE_PENSION, policy.version, inputs.to_plain(), pension_statement(inputs, policy))


def pension_statement(inputs: PensionInputs, policy: BenefitsPolicy) -> Statement:
    """The monthly pension that the inputs give.

    Raises:
        Refused: NO_CONTRIBUTIONS, NOT_APPLICABLE, TOO_EARLY, TOO_LATE, CONTRIBUTION_SHORT.
        PolicyParameterMissing: A parameter of the month is not known.
    """
    counted = inputs.history.counted
    if not counted:
        raise Refused("NO_CONTRIBUTIONS", "no contribution month of the employee pension is known")
    payout = _payout_months(inputs, len(counted), policy)
    facts = facts_of(
        counted,
        inputs.retirement_month,
        inputs.balance,
        payout,
        policy,
        old_transitional=inputs.old_transitional,
        balance_provisional=inputs.balance_provisional,
    )
    result = pension.calculate(facts, policy.pension.rules(inputs.retirement_month))
    return result.statement


def _payout_months(inputs: PensionInputs, months: int, policy: BenefitsPolicy) -> DatedValue[Decimal]:
    person = retirement_of(inputs.track, inputs.birth, policy, special_work=inputs.special_work)
    choice = retirement.choose(person, inputs.retirement_month, months, policy.retirement)
    if inputs.retirement_month == person.statutory and "NOT_APPLICABLE" in choice.reasons:
        # Who has no flexible window still retires in the statutory month; only the contribution months are asked.
        if months < choice.required_months:
            raise Refused(
                "CONTRIBUTION_SHORT",
                "the contribution months are fewer than the minimum of the statutory year",
                source=("NPC-2024-DELAY",),
                required_months=str(choice.required_months),
                statutory=str(person.statutory),
            )
        return person.payout_months
    retirement.require(person, choice)
    assert choice.payout_months is not None
    return choice.payout_months


# Unemployment -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Terms:
    """From when to when an unemployment benefit is paid."""

    contribution_months: int
    months: int
    first_month: Month
    last_month: Month


def unemployment_terms(inputs: UnemploymentInputs, policy: BenefitsPolicy) -> Terms:
    """Duration by the law of the registration day; paid from the month after the registration.

    Raises:
        PolicyParameterMissing: The steps of the province are not known and nobody supplied them.
    """
    law, day = policy.unemployment, inputs.registration_date
    paid = len(inputs.history.paid)
    months = unemployment.entitlement_months(
        paid, law.steps.on(day), carried=inputs.carried_months, total_max=law.total_max.on(day)
    )
    first = Month.of(day).next
    return Terms(paid, months, first, first.plus(months - 1))


def calculate_unemployment(inputs: UnemploymentInputs, month: Month, policy: BenefitsPolicy) -> Calculation:
    """The benefit of one month; raises as `unemployment_statement`."""
    statement = unemployment_statement(inputs, month, policy)
    return Calculation(Kind.UNEMPLOYMENT, policy.version, inputs.to_plain(), statement)


def unemployment_statement(inputs: UnemploymentInputs, month: Month, policy: BenefitsPolicy) -> Statement:
    """The benefit of one month: the cap is the minimum wage of that month.

    Raises:
        InvalidInput: CONTRIBUTION_MONTHS_SHORT, NO_CONTRIBUTION_MONTHS: nobody assessed the inputs.
        PolicyParameterMissing: The division has no wage class, or the month no minimum wage.
    """
    return month_of(
        inputs.history,
        inputs.registration_date,
        inputs.division,
        month,
        policy,
        premium_until=inputs.premium_until,
    ).statement


# Recomputation ------------------------------------------------------------------------------------------------------


def recompute(kind: Kind, inputs: dict[str, Any], month: Month, policy: BenefitsPolicy) -> Calculation:
    """The calculation of a month from stored inputs; a pension is the same in every month."""
    match kind:
        case Kind.EMPLOYEE_PENSION:
            statement = pension_statement(PensionInputs.from_plain(inputs), policy)
        case Kind.UNEMPLOYMENT:
            statement = unemployment_statement(UnemploymentInputs.from_plain(inputs), month, policy)
        case _:
            statement = statement_of(kind, inputs, month, policy)
    return Calculation(kind, policy.version, inputs, statement)


def recompute_months(determined: Calculation, months: Iterable[Month], policy: BenefitsPolicy) -> list[Calculation]:
    """An unemployment benefit month by month; months that say the same share one calculation."""
    inputs = UnemploymentInputs.from_plain(determined.inputs)
    made: list[Calculation] = []
    last = determined
    for month in months:
        statement = unemployment_statement(inputs, month, policy)
        if statement != last.statement or last.policy_version != policy.version:
            last = Calculation(determined.kind, policy.version, determined.inputs, statement)
        made.append(last)
    return made
