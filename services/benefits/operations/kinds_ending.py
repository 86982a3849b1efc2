"""A benefit ends by decision (停发) or its determination is revoked (核定撤销): one asks, a supervisor decides.

The request waits with the others that keep a benefit (`keeping_requests`); here is what both of its steps check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kernel.errors import InvalidInput, NotFound, Refused
from services.benefits.entitlement import End
from services.benefits.lifecycle import BenefitState, EndReason, Kind
from services.benefits.operations.ending import end
from services.benefits.store import decisions, register

if TYPE_CHECKING:
    from chassis.transaction import Transaction
    from services.benefits.kind_commands import EndBenefit
    from services.benefits.store.rows import BenefitRow

_UNEMPLOYED = frozenset({Kind.UNEMPLOYMENT})
_CONDITIONAL = frozenset(
    {
        Kind.UNEMPLOYMENT,
        Kind.DISABILITY_ALLOWANCE,
        Kind.INJURY_ALLOWANCE,
        Kind.INJURY_NURSING,
        Kind.INJURY_DEPENDANT,
    }
)
# Which reason fits which kind; deaths of the insured and new employments are heard, and end benefits by themselves.
FITTING = {
    EndReason.REFUSED_WORK: _UNEMPLOYED,
    EndReason.ENLISTED: _UNEMPLOYED,
    EndReason.EMIGRATED: _UNEMPLOYED,
    EndReason.REEMPLOYED: frozenset({Kind.UNEMPLOYMENT, Kind.DISABILITY_ALLOWANCE}),
    EndReason.RETIRED: frozenset({Kind.UNEMPLOYMENT, Kind.DISABILITY_ALLOWANCE, Kind.INJURY_ALLOWANCE}),
    EndReason.DIED: frozenset({Kind.INJURY_DEPENDANT}),
    EndReason.ENTITLEMENT_LOST: _CONDITIONAL,
    EndReason.REVOKED: frozenset(Kind),
}


async def end_benefit(tx: Transaction, command: EndBenefit) -> BenefitRow:
    """End a benefit by decision; two persons have agreed.

    Months already released after its end are written down as overpaid. Raises as `check_end`: what was in order when it
    was asked for may not be now.
    """
    benefit = await check_end(tx, command)
    benefit.end_document = command.document
    await end(tx, [(benefit, End(command.last_month, command.reason))])
    return benefit


async def check_end(tx: Transaction, command: EndBenefit) -> BenefitRow:
    """Whether a benefit may be ended so, with its person locked.

    Raises:
        NotFound: BENEFIT_NOT_FOUND.
        InvalidInput: END_REASON_NOT_FITTING, LAST_MONTH_INVALID.
        Refused: BENEFIT_ENDED.
    """
    known = await decisions.benefit(tx, command.benefit_id)
    if known is None:
        raise NotFound("BENEFIT_NOT_FOUND", "no such benefit")
    await register.lock_persons(tx, [known.person_id])
    benefit = await decisions.benefit(tx, command.benefit_id, lock=True)
    assert benefit is not None
    if benefit.kind not in FITTING[command.reason]:
        raise InvalidInput("END_REASON_NOT_FITTING", "no benefit of this kind ends for this reason", field="reason")
    # What was paid out may still turn out to be wrong: then it is all overpaid.
    is_wrong = command.reason is EndReason.REVOKED and benefit.end_reason is not EndReason.REVOKED
    if benefit.state is BenefitState.ENDED and not is_wrong:
        raise Refused("BENEFIT_ENDED", "the benefit ended before", last_month=str(benefit.last_month))
    latest = benefit.last_month or command.last_month
    if not benefit.first_month.previous <= command.last_month <= latest:
        raise InvalidInput(
            "LAST_MONTH_INVALID",
            "the last month lies between the month before the first and the last one",
            field="last_month",
            first_month=str(benefit.first_month),
        )
    return benefit
