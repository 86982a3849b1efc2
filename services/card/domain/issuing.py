"""Who may have a card issued (可签发): one rule for the card that follows a physical one and for a city's batch.

The electronic card follows the physical one: there is none without a usable physical card (`lifecycle.answer_to`). Who
died gets none. A record that went up in another one gets no card any more; its holder has, or gets, one under the
record that is left.
"""

from dataclasses import dataclass
from datetime import date

from services.card.domain.lifecycle import CardEvent, Physical, answer_to
from services.card.domain.usability import LEVEL_ONE, LEVEL_TWO

DIED, MERGED, NO_PHYSICAL = "PERSON_DIED", "PERSON_MERGED", "PHYSICAL_MISSING"
LEAP_DAY = 28


@dataclass(frozen=True, slots=True)
class Standing:
    """What counts of a holder who has no live card."""

    physical: Physical | None
    is_merged: bool
    is_dead: bool = False


def obstacle(standing: Standing) -> str:
    """The first reason against a card, empty: none. PERSON_DIED, PERSON_MERGED, PHYSICAL_MISSING, PHYSICAL_<STATE>."""
    if standing.is_dead:
        return DIED
    if standing.is_merged:
        return MERGED
    if standing.physical is None:
        return NO_PHYSICAL
    if answer_to(None, standing.physical, None) is CardEvent.REQUEST:
        return ""
    return f"PHYSICAL_{standing.physical.value}"


# The same for a whole table, of the columns of `holder`. A test holds both equal for everything that can stand there.
OBSTACLE_SQL = f"""
    CASE WHEN death_date IS NOT NULL THEN '{DIED}'
         WHEN survivor_id IS NOT NULL THEN '{MERGED}'
         WHEN physical_state IS NULL THEN '{NO_PHYSICAL}'
         WHEN physical_state = '{Physical.NORMAL}' THEN ''
         ELSE 'PHYSICAL_' || physical_state END
"""


def level(*, payment_enabled: bool) -> int:
    """The level of a card by what its physical card can do."""
    return LEVEL_TWO if payment_enabled else LEVEL_ONE


def years_later(day: date, years: int) -> date:
    """The last day of so many years; a leap day ends on 28 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 2, LEAP_DAY)
