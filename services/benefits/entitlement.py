"""Who may draw what, and until when: the rules between the calculations. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from kernel.calendar import Month
from kernel.errors import Conflict, InvalidInput, Refused
from services.benefits.domain import unemployment
from services.benefits.domain.retirement import Track
from services.benefits.history import History, Scheme
from services.benefits.lifecycle import EndReason
from services.benefits.policy import BenefitsPolicy

# Reasons that are not the employee's wish (非因本人意愿中断就业): 失业保险条例 art. 14, 社会保险法 art. 45.
INVOLUNTARY = frozenset({"DISMISSED", "CONTRACT_EXPIRED"})

# Schemes whose employments tell the post of a woman, and so her track.
TRACKED = (Scheme.EMPLOYEE_PENSION, Scheme.GOVERNMENT_PENSION)

# Events usually take some 20 ms; a caller that asks again after a second meets them.
ASK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Spell:
    """One participation of a person, as far as these rules read it."""

    scheme: Scheme
    start_month: Month
    end_month: Month | None
    end_reason: str | None
    track: Track | None
    division: str
    ended_after: int = 0  # version of the contributions that went before its end


def track_of(sex: str, spells: Iterable[Spell], asked: Track | None) -> Track:
    """The retirement track: what is asked for, else what the latest pension participation says, else a man's only one.

    Raises:
        InvalidInput: TRACK_INVALID: a track of the other sex.
        Refused: TRACK_UNKNOWN.
    """
    if asked is not None:
        if (asked is Track.MALE_60) != (sex == "MALE"):
            raise InvalidInput("TRACK_INVALID", "the track is that of the other sex", field="track")
        return asked
    if sex == "MALE":
        return Track.MALE_60
    known = [one for one in spells if one.scheme in TRACKED and one.track is not None]
    if not known:
        raise Refused("TRACK_UNKNOWN", "no employment has told the post of this woman", source=("NPC-2024-DELAY",))
    latest = max(known, key=lambda one: one.start_month)
    assert latest.track is not None
    return latest.track


def require_alive(spells: Iterable[Spell], died: Month | None) -> None:
    """Nothing starts for a person of whom the register or any participation says the death.

    Raises:
        Refused: PERSON_DIED.
    """
    died = died or next((one.end_month for one in spells if one.end_reason == EndReason.DIED), None)
    if died is not None:
        raise Refused("PERSON_DIED", "the person died", source=("SIL",), month=str(died))


@dataclass(frozen=True, slots=True)
class LostEmployment:
    """The employment whose end made a person unemployed."""

    last_month: Month
    reason: str
    division: str
    after: int = 0  # version of the contributions that went before

    @property
    def involuntary(self) -> bool:
        """Whether it ended without the person's wish."""
        return self.reason in INVOLUNTARY


def lost_employment(spells: Iterable[Spell]) -> LostEmployment:
    """The latest employment with unemployment insurance, when every one has ended.

    Raises:
        Conflict: EMPLOYMENT_NOT_ENDED: one is open, or none is known; its end may still be on the way.
    """
    insured = [one for one in spells if one.scheme is Scheme.UNEMPLOYMENT]
    ended = [(one.end_month, one) for one in insured if one.end_month is not None]
    if not ended or len(ended) < len(insured):
        raise not_ended()
    last_month, latest = max(ended, key=lambda pair: (pair[0], pair[1].start_month))
    return LostEmployment(last_month, latest.end_reason or "", latest.division, max(one.ended_after for one in insured))


def not_ended() -> Conflict:
    """The end of an employment, or the contributions before it, may still be on the way."""
    return Conflict(
        "EMPLOYMENT_NOT_ENDED",
        "the end of the participation in the unemployment insurance has not arrived",
        retry_after=ASK_AGAIN_SECONDS,
    )


def require_registration(registration: date, lost: LostEmployment, today: date) -> None:
    """Registration comes after work and is no plan.

    Raises:
        Refused: REGISTRATION_DATE_INVALID.
    """
    if registration > today or Month.of(registration) < lost.last_month:
        raise Refused(
            "REGISTRATION_DATE_INVALID",
            "the registration lies before the end of the employment or in the future",
            source=("UIR",),
            last_month=str(lost.last_month),
        )


def require_unemployed(history: History, lost: LostEmployment, registration: date, policy: BenefitsPolicy) -> None:
    """Eligibility (社会保险法 art. 45), with the first reason that fails.

    Raises:
        Refused: LESS_THAN_12_MONTHS, VOLUNTARY_END.
    """
    assessment = unemployment.assess(
        len(history.paid),
        involuntary=lost.involuntary,
        registered=True,
        minimum_months=policy.unemployment.minimum_months.on(registration),
    )
    for failure in assessment.failures:
        raise Refused(failure.reason, failure.message, source=failure.source, months=str(len(history.paid)))


def require_carried(carried: int, unused: int | None, total_max: int) -> None:
    """Carried months are those of an earlier spell: never more than it left, where that is known here.

    Args:
        carried: As the clerk gives it.
        unused: Months that the last benefit on this platform left; `None` when there was none.
        total_max: 24 months.

    Raises:
        InvalidInput: CARRIED_MONTHS_INVALID.
    """
    most = total_max if unused is None else min(unused, total_max)
    if not 0 <= carried <= most:
        raise InvalidInput(
            "CARRIED_MONTHS_INVALID",
            "more months are carried over than the earlier spell left",
            field="carried_months",
            most=str(most),
        )


def last_month_before_work(first_month: Month, lost_month: Month, start_month: Month) -> Month | None:
    """The last month of an unemployment benefit when an employment starts; None when that start ends nothing.

    A start in or before the lost employment's last month belongs to the past. The month of the new employment is paid
    as wage, so the benefit ends with the month before; a benefit that never began ends before its first month.
    """
    if start_month <= lost_month:
        return None
    return max(start_month.previous, first_month.previous)


@dataclass(frozen=True, slots=True)
class End:
    """How a benefit ends."""

    last_month: Month
    reason: EndReason


def end_by_work(first_month: Month, lost_month: Month, start_month: Month) -> End | None:
    """How an employment that starts ends an unemployment benefit, if it does."""
    last = last_month_before_work(first_month, lost_month, start_month)
    return End(last, EndReason.REEMPLOYED) if last else None
