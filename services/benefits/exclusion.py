"""Which benefits exclude each other, and which one ends another. Pure.

One pension in a life, one funeral grant for a death whatever the fund, one-off benefits once for each injury or death;
pension, unemployment benefit and disability allowance never for one month; the injury allowance stops at retirement.
Sources: 社会保险法 art. 49 and 51, 工伤保险条例 art. 35, 人社部发〔2024〕72号.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from kernel.calendar import Month
from kernel.errors import Refused
from services.benefits.lifecycle import FUNERALS, GRANTS, ONE_OFF, PENSIONS, BenefitState, EndReason, Kind

# What a benefit that starts ends, with the month before it.
ENDS = {kind: frozenset({Kind.UNEMPLOYMENT, Kind.DISABILITY_ALLOWANCE, Kind.INJURY_ALLOWANCE}) for kind in PENSIONS}

# What must not run in the first month of a benefit.
NOT_BESIDE = {
    Kind.UNEMPLOYMENT: frozenset({Kind.UNEMPLOYMENT, Kind.DISABILITY_ALLOWANCE, *PENSIONS}),
    Kind.DISABILITY_ALLOWANCE: frozenset({Kind.UNEMPLOYMENT, Kind.DISABILITY_ALLOWANCE}),
}
AGAIN = "~"  # between a share and the number of a later determination of it
ONCE_EACH = (ONE_OFF - FUNERALS) | {Kind.OCCUPATIONAL_ANNUITY}  # once for each share, though it may have been paid


class Held(Protocol):
    """A benefit that a person has or had, as far as these rules read it."""

    kind: Kind
    share: str
    state: BenefitState
    end_reason: EndReason | None
    last_month: Month | None
    event_month: Month


@dataclass(frozen=True, slots=True)
class Wanted:
    """A benefit that is to start."""

    kind: Kind
    share: str
    first_month: Month
    event_month: Month


def require_free(wanted: Wanted, known: Iterable[Held]) -> None:
    """Refuse a benefit that another one of the person excludes.

    Raises:
        Refused: PENSION_ALREADY_DETERMINED, FUNERAL_ALREADY_DETERMINED, BENEFIT_ALREADY_DETERMINED,
            BENEFIT_ALREADY_RUNNING.
    """
    stand = [one for one in known if one.end_reason is not EndReason.REVOKED]
    kinds = {one.kind for one in stand}
    if wanted.kind in PENSIONS | {Kind.DISABILITY_ALLOWANCE} and kinds & PENSIONS:
        raise taken(Kind.EMPLOYEE_PENSION)
    if wanted.kind in FUNERALS and kinds & FUNERALS:
        raise taken(wanted.kind)
    if wanted.kind in GRANTS and kinds & GRANTS:
        raise taken(wanted.kind)
    same = [one for one in stand if one.kind is wanted.kind and base_of(one.share) == base_of(wanted.share)]
    if wanted.kind in ONCE_EACH and same:
        raise taken(wanted.kind)
    excluded = NOT_BESIDE.get(wanted.kind, frozenset())
    beside = [*same, *(one for one in stand if one.kind in excluded)]
    if any(is_drawn(one, wanted.first_month) for one in beside):
        raise taken(Kind.UNEMPLOYMENT)
    if wanted.kind is Kind.UNEMPLOYMENT and any(one.event_month >= wanted.event_month for one in same):
        raise taken(Kind.UNEMPLOYMENT)  # one for each lost employment


def taken(kind: Kind) -> Refused:
    """What refuses a benefit whose place is taken, by kind."""
    if kind in PENSIONS:
        return Refused("PENSION_ALREADY_DETERMINED", "a pension of this person was determined before")
    if kind in FUNERALS:
        return Refused(
            "FUNERAL_ALREADY_DETERMINED", "one funeral grant is paid for a death, whatever the fund", source=("SIL",)
        )
    if kind in ONCE_EACH:
        return Refused("BENEFIT_ALREADY_DETERMINED", "it was determined before, and is paid once")
    return Refused("BENEFIT_ALREADY_RUNNING", "the person draws a benefit that excludes this one", source=("SIL",))


def base_of(share: str) -> str:
    """The share without the number that tells a later determination of it from the ones before."""
    return share.partition(AGAIN)[0]


def is_drawn(benefit: Held, month: Month) -> bool:
    """Whether a benefit may still be drawn in a month: one whose last month is over is not, answered or not."""
    if benefit.state is BenefitState.ENDED:
        return False
    return benefit.last_month is None or benefit.last_month >= month
